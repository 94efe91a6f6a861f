"""The full-text expressions and their results for queries of common words."""

from collections.abc import Iterator

import pytest

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import memory_catalog
from searchkit.catalog.fulltext import Stemmer
from searchkit.search.lexical import bm25
from searchkit.search.lexical.bm25 import LexicalQuery, lexical_candidates, read_query
from searchkit.types import Chunk
from tests.support.stored_files import chunk, put_file


@pytest.fixture
def catalog() -> Iterator[CatalogReader]:
    """60 passages; "water" is in half of them, "stone" in a third, "lantern" in three: the first, and every twentieth."""
    with memory_catalog() as catalog, catalog.transaction():
        put_file(catalog, "a", map(_passage, range(60)))
        yield catalog


def _passage(number: int) -> Chunk:
    words = ["sand"] * (number % 7 + 1)
    words += ["water"] * (number % 2) + ["stone"] * (number % 3 == 0) + ["lantern"] * (number % 20 == 0)
    return chunk(" ".join(words))


def test_passing_over_chunks_of_common_words_changes_no_score(
    catalog: CatalogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    stemmer = Stemmer()
    everything = read_query(catalog, "stone lantern pebble", stemmer)
    scores = lexical_candidates(catalog, everything, 60)
    monkeypatch.setattr(bm25, "_MOST_SCORED", 10)
    rare = read_query(catalog, "stone lantern pebble", stemmer)
    found = lexical_candidates(catalog, rare, 60)
    stemmer.close()

    assert (everything.repeats, rare.repeats) == (1, 2)
    assert sorted(found) == [1, 21, 41]  # those with a lantern
    assert found == pytest.approx({chunk: scores[chunk] for chunk in found})


@pytest.fixture
def few() -> Iterator[CatalogReader]:
    """Three passages, two of them about a lease."""
    with memory_catalog() as catalog, catalog.transaction():
        put_file(catalog, "a", [chunk("the lease ends"), chunk("lease and deposit"), chunk("die casting is loud")])
        yield catalog


def test_in_a_collection_of_a_few_passages_no_word_is_too_common(few: CatalogReader) -> None:
    stemmer = Stemmer()
    query = read_query(few, "lease deposit", stemmer)
    found = lexical_candidates(few, query, 10)
    stemmer.close()

    assert set(query.weights) == {"leas", "deposit"}
    assert list(found) == [2, 1]


def test_in_a_known_language_only_its_own_function_words_are_left_out(few: CatalogReader) -> None:
    stemmer = Stemmer()
    english, unknown = (read_query(few, "what is die casting", stemmer, languages) for languages in (["en"], []))
    stemmer.close()

    assert set(english.weights) == {"die", "cast"}
    assert set(unknown.weights) == {"cast"}


def test_a_word_counts_as_often_as_the_query_has_it(catalog: CatalogReader) -> None:
    stemmer = Stemmer()
    once, twice = (read_query(catalog, query, stemmer) for query in ("stone lantern", "stone stones lantern"))
    stemmer.close()
    assert lexical_candidates(catalog, twice, 60)[1] > lexical_candidates(catalog, once, 60)[1]


def test_a_compound_of_common_parts_is_a_word_of_its_own() -> None:
    with memory_catalog() as catalog, catalog.transaction():
        put_file(
            catalog,
            "a",
            [chunk(f"part k of {number} and 54 more") for number in range(30)] + [chunk("the K-54 has k and 54 parts")],
        )
        stemmer = Stemmer()
        found = lexical_candidates(catalog, read_query(catalog, "k 54 k-54", stemmer), 40)
        stemmer.close()
    assert next(iter(found)) == 31


def test_words_of_a_long_query_are_trusted_for_what_the_best_passage_has_of_them() -> None:
    rare, usual = 7.0, 2.0  # the weights of a word that one passage alone has, and of one that many have
    long = LexicalQuery("", "", {f"word{number}": rare for number in range(20)}, {}, unique=rare)
    short = LexicalQuery("", "", {"lease": usual, "notice": usual}, {}, unique=rare)

    assert long.trust(0.0) == 0
    assert long.trust(0.05) < 0.5, "One word in common may be an accident."
    assert long.trust(0.2) == 1, "Four of twenty are none."
    assert long.trust(1.0) == short.trust(1.0) == 1
    assert short.trust(0.5) == 0.5, "Half of a short query is as little as it looks."
