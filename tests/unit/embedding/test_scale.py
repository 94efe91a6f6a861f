"""The built-in judged set, and the scale that is measured with it."""

import itertools
from collections import Counter

import numpy as np
import pytest

from searchkit.embedding.adapted_model import lower_cuts
from searchkit.embedding.embedder import normalized
from searchkit.embedding.model_info import UNMEASURED, Prompts, Scale
from searchkit.embedding.scale import judged_inputs, judged_set, measure_scale
from searchkit_indexes import Vectors

QUERIES = judged_set()
ANSWERED = [each for each in QUERIES if each.right]
PLAIN = Prompts("{content}", "{title}\n{content}", "{content}")
RANGE = (0.0, 0.6)


def words(text: str) -> int:
    return len(text.split())


def test_the_set_has_two_hundred_answered_queries_in_eight_languages_and_code() -> None:
    by_language = Counter(each.language for each in ANSWERED)
    assert len(ANSWERED) >= 200
    assert set(by_language) == {"en", "de", "fr", "es", "it", "ru", "zh", "ja", "code"}
    assert min(by_language.values()) >= 20
    assert [each.right for each in QUERIES] == sorted((each.right for each in QUERIES), key=lambda right: not right)


def test_every_answered_query_has_a_wrong_passage_that_shares_its_words() -> None:
    assert all(each.wrong and each.wrong != each.right for each in ANSWERED)
    spaced = [each for each in ANSWERED if each.language in ("en", "de", "fr", "es", "it", "ru")]
    closer = [shared(each.query, each.wrong) > shared(each.query, each.right) for each in spaced]
    assert sum(closer) / len(closer) > 0.9


def shared(query: str, passage: str) -> int:
    """The number of pieces of four letters that a passage has of a query."""
    pieces = {query.lower()[i : i + 4] for i in range(len(query) - 3)}
    return sum(piece in passage.lower() for piece in pieces)


def test_the_set_has_short_queries_and_queries_that_nothing_answers() -> None:
    assert sum(words(each.query) <= 3 for each in ANSWERED if each.language not in ("zh", "ja")) >= 50
    strangers = Counter(each.language for each in QUERIES if not each.right)
    assert set(strangers) == {each.language for each in ANSWERED} and min(strangers.values()) >= 8


def test_no_text_occurs_twice_and_the_inputs_are_queries_then_right_then_wrong_passages() -> None:
    inputs = judged_inputs(PLAIN)
    assert len(set(inputs)) == len(inputs) - repeated_titles()
    assert inputs[: len(QUERIES)] == [each.query for each in QUERIES]
    assert inputs[len(QUERIES) : len(QUERIES) + len(ANSWERED)] == [each.right for each in ANSWERED]


def repeated_titles() -> int:
    """Queries that two languages write alike."""
    return len(QUERIES) - len({each.query for each in QUERIES})


def made_vectors(*, known: tuple[str, ...], seed: int = 0, dimension: int = 256) -> Vectors:
    """Vectors of a model that knows some languages: right passages are near their queries there, and nothing else is."""
    random = np.random.default_rng(seed)
    queries, passages, others = (random.standard_normal((count, dimension)) for count in (len(QUERIES), 223, 223))
    for place, each in enumerate(ANSWERED):
        if each.language in known:
            passages[place] += 0.8 * queries[place]
    return normalized(np.concatenate([queries, passages[: len(ANSWERED)], others[: len(ANSWERED)]]).astype(np.float32))


def squeezed(vectors: Vectors, unrelated: float) -> Vectors:
    """The same vectors, with a component in common that lifts the cosine of unrelated ones."""
    common = np.full((len(vectors), 1), (unrelated / (1 - unrelated)) ** 0.5, np.float32)
    return normalized(np.concatenate([vectors, common], axis=1))


def test_only_languages_that_the_model_knows_count() -> None:
    scale = measure_scale(made_vectors(known=("en", "ru", "code")), RANGE, len)
    assert scale.languages == ("en", "ru", "code")
    assert 0 < scale.support < scale.short_cut < scale.long_cut < 1
    assert scale.short_tokens < scale.long_tokens


def test_a_model_that_does_not_distinguish_texts_is_meaningless() -> None:
    scale = measure_scale(made_vectors(known=()), RANGE, len)
    assert scale.languages == () and scale.is_meaningless
    same = np.ones_like(made_vectors(known=()))
    assert measure_scale(normalized(same), (1.0, 1.0), len).is_meaningless
    assert not UNMEASURED.is_meaningless


@pytest.mark.parametrize("unrelated", [0.3, 0.65])
def test_a_scale_does_not_depend_on_what_all_vectors_have_in_common(unrelated: float) -> None:
    vectors = made_vectors(known=("en", "de", "fr"))
    low, high = (unrelated + (1 - unrelated) * end for end in RANGE)
    plain, lifted = measure_scale(vectors, RANGE, len), measure_scale(squeezed(vectors, unrelated), (low, high), len)
    assert (lifted.languages, lifted.short_tokens, lifted.long_tokens) == (
        plain.languages,
        plain.short_tokens,
        plain.long_tokens,
    )
    found, expected = ((each.short_cut, each.long_cut, each.support) for each in (lifted, plain))
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_cut_rises_evenly_with_the_length_of_the_query() -> None:
    scale = Scale(short_cut=0.4, long_cut=0.8, short_tokens=4, long_tokens=12)
    cuts = [scale.cut(tokens) for tokens in (0, 4, 8, 12, 50)]
    assert cuts == pytest.approx([0.4, 0.4, 0.6, 0.8, 0.8])
    assert all(a <= b for a, b in itertools.pairwise(scale.cut(tokens) for tokens in range(20)))


def test_an_adapted_models_cuts_are_no_higher_than_its_bases() -> None:
    base, measured = Scale(0.5, 0.9, support=0.5), Scale(0.7, 0.8, support=0.6, languages=("en",))
    assert lower_cuts(measured, base) == Scale(0.5, 0.8, support=0.5, languages=("en",))
