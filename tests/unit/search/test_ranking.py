"""From scores to a ranking: scales, the weight of words, literal matches, and the language of the query."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.embedding.model_info import ModelInfo, Scale
from searchkit.search.fusion import (
    Candidates,
    Scales,
    ScoreCalibration,
    descending,
    is_code,
    likelihood,
    rank_by_meaning,
    rank_by_words,
)
from searchkit.search.lexical.exact_matches import PIN_FIRST, identifiers, is_identifier
from searchkit.search.lexical.inflections import language_of
from searchkit.text import folded
from searchkit.types import Evidence, Explanation, Hit

SCORES = st.lists(st.floats(0, 1), max_size=30)


@given(scores=SCORES)
def test_descending_scores_keep_the_mean_and_never_ascend(scores: list[float]) -> None:
    found = descending(scores)

    assert len(found) == len(scores)
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(found))
    assert sum(found) == pytest.approx(sum(scores))


@given(scores=SCORES)
def test_scores_that_descend_already_stay(scores: list[float]) -> None:
    ordered = sorted(scores, reverse=True)

    assert descending(ordered) == pytest.approx(ordered)


def test_a_likelihood_rises_with_the_cosine_and_is_a_half_at_the_cut() -> None:
    values = [likelihood(cosine, (0.0, 0.4)) for cosine in (0.0, 0.2, 0.34, 0.4, 0.6)]

    assert values == sorted(values)
    assert values[2] == pytest.approx(0.5)
    assert values[0] < 0.02 and values[-1] > 0.95


@pytest.mark.parametrize("similarity", [-1.0, 0.0, 0.3, 1.0])
def test_a_model_that_gives_all_texts_the_same_cosine_has_a_likelihood_too(similarity: float) -> None:
    assert 0 <= likelihood(similarity, (0.9, 0.9)) <= 1
    assert 0 <= likelihood(similarity, (0.9, 0.3)) <= 1


def model(scale: Scale, similarity_range: tuple[float, float] = (0.1, 0.5)) -> ModelInfo:
    return ModelInfo("made", 2, (2,), "made", "made", 512, similarity_range, scale)


def test_the_cut_is_the_models_own() -> None:
    evidence = Evidence(0.34, None, ())
    strict, mild = (ScoreCalibration.of("a query", model(Scale(cut, cut)), 8) for cut in (0.8, 0.4))
    assert strict.likelihood(evidence, 0.0) < 0.5 < mild.likelihood(evidence, 0.0)
    assert ScoreCalibration.of("a query", model(Scale(languages=())), 8).likelihood(evidence, 0.0) == 0.0


def test_words_lower_the_cut_where_that_was_measured() -> None:
    evidence = Evidence(0.36, None, ())
    for scale, helped in ((Scale(), False), (Scale(words_help=0.75), True)):
        of_query = ScoreCalibration.of("a query", model(scale), 20)
        assert of_query.likelihood(evidence, 0.2) == of_query.likelihood(evidence, 0.0) < 0.5
        assert (of_query.likelihood(evidence, 0.8) > 0.5) == helped


def test_a_passage_with_every_word_is_never_weak() -> None:
    hit = Hit("docs", Path("a"), "", None, 1, 1, 0.2, "text", "text", (), Evidence(0.1, 2.0, ()))
    assert hit.weak
    assert not replace(hit, evidence=replace(hit.evidence, has_every_word=True)).weak


def test_a_chinese_question_with_a_number_is_no_identifier() -> None:
    assert is_identifier("E07") and is_identifier("max_size SA-2025-007")
    assert not is_identifier("任何大于1的数字都可以表示成什么的乘积？")


def test_scales_stretch_what_the_query_found() -> None:
    scales = Scales.of({b"a": 0.6, b"b": 0.2}, {b"b": 8.0}, floor=0.2, weight=0.5)

    assert scales.meaning(0.6) == 1.0 and scales.meaning(0.4) == pytest.approx(0.5) and scales.meaning(None) == 0.0
    assert scales.words(4.0) == 0.5 and scales.words(None) == 0.0
    assert Scales.of({b"a": 0.6}, {}, floor=0.2, weight=0.5).weight == 0.0


def test_the_total_is_what_its_parts_make() -> None:
    explanation = Explanation(0.8, 0.5, 0.4, 1.0, 0.1, 0.6, 12.0, 0.1, 0.1)

    assert explanation.total == pytest.approx(0.6 * 0.8 + 0.4 * 0.5 + 0.1 + 0.1)


def test_what_is_literal_goes_before_what_scores_higher() -> None:
    ranked = rank_by_words(Candidates({}, {b"a": 9.0, b"b": 3.0}, {b"b": PIN_FIRST, b"c": PIN_FIRST}))

    assert list(ranked) == [b"b", b"c", b"a"]


def test_equal_scores_stand_in_a_fixed_order() -> None:
    assert list(rank_by_meaning(Candidates({b"b": 0.5, b"a": 0.5}, {}, {}))) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("error E07 in the boiler", ["E07"]),
        ("invoice SA-2025-007, please", ["SA-2025-007"]),
        ("how does max_size work?", ["max_size"]),
        ("see docs/lease.md", ["docs/lease.md"]),
        ("the parseHttpHeader function", ["parseHttpHeader"]),
        ("a well-known state-of-the-art method", []),
        ("what causes tides?", []),
        ("", []),
    ],
)
def test_identifiers_are_told_from_words(query: str, names: list[str]) -> None:
    assert identifiers(query) == names


def test_case_accents_and_white_space_do_not_matter() -> None:
    assert folded("Ça  VA\nBien – Été") == folded("ca va bien - ete")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("When does the tenancy end, and who pays for it?", "en"),
        ("Wann endet das Mietverhältnis und wer zahlt dafür?", "de"),
        ("Quand est-ce que le bail prend fin et qui paie ?", "fr"),
        ("¿Cuándo termina el contrato y quién lo paga?", "es"),
        ("Когда заканчивается аренда?", "cyrillic"),
        ("租约什么时候结束？", "cjk"),
        ("賃貸契約はいつ終わりますか", "japanese"),
        ("متى ينتهي عقد الإيجار؟", "arabic"),
        ("1234 !?", ""),
        ("", ""),
    ],
)
def test_a_language_is_told_by_script_or_function_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("def total(rows):\n    return sum(row['price'] for row in rows if row)\n", True),
        ("for (int i = 0; i < n; i++) { sum += a[i]; }", True),
        ("The notice period is three months (see page 2); it begins on the first of a month.", False),
        ("Kaution: 2.340,00 EUR, zahlbar in drei Raten (§ 551 BGB).", False),
        ("", False),
    ],
)
def test_code_is_told_by_its_signs(text: str, is_it: bool) -> None:
    assert is_code(text) == is_it
