"""The full-text expressions and their results for queries of common words."""

from collections.abc import Iterator

import pytest

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import memory_catalog
from searchkit.catalog.fulltext import Stemmer
from searchkit.search.lexical import bm25
from searchkit.search.lexical.bm25 import lexical_candidates, read_query
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
