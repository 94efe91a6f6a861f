"""The views of a catalog, and what is read through them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.connection import memory_catalog
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import (
    chunks_containing,
    hashes_in_file,
    newest_passages,
    passages_of_hashes,
    sample_passages,
    texts_of_hashes,
    words_of_chunks,
)
from searchkit.catalog.stored_documents import documents_at, locate
from tests.support.stored_files import chunk, put_file


@pytest.fixture
def catalog() -> Iterator[CatalogWriter]:
    """Two folders with one text in common."""
    with memory_catalog() as catalog, catalog.transaction():
        put_file(catalog, "b.txt", [chunk("water"), chunk("stone", "Ground")], metadata={"author": "Ada"})
        put_file(catalog, "sub/a.txt", [chunk("stone", "Ground")], metadata={"date": "2030"})
        put_file(catalog, "c.txt", [chunk("stone", "Ground"), chunk("fire")], folder=Path("/a"))
        yield catalog


def test_a_passage_is_read_at_all_its_places_in_the_order_of_their_paths(catalog: CatalogWriter) -> None:
    stone, air = content_hash("Ground", "stone"), content_hash("", "air")
    found = passages_of_hashes(catalog, [stone, air])
    assert list(found) == [stone]
    places = [(place.path, place.ordinal, place.text, place.title) for place in found[stone]]
    paths = [Path("/a/c.txt"), Path("/docs/b.txt"), Path("/docs/sub/a.txt")]
    assert places == [(path, ordinal, "stone", "Ground") for path, ordinal in zip(paths, (0, 1, 0), strict=True)]


def test_more_passages_than_sqlite_takes_parameters_can_be_asked_for(catalog: CatalogWriter) -> None:
    put_file(catalog, "many.txt", [chunk(f"word {i}") for i in range(2500)])
    hashes = [content_hash("", f"word {i}") for i in range(2500)]
    assert texts_of_hashes(catalog, hashes) == {content_hash("", f"word {i}"): f"word {i}" for i in range(2500)}
    assert len(passages_of_hashes(catalog, hashes)) == 2500


def test_the_first_passage_of_a_document_has_what_that_says_of_itself(catalog: CatalogWriter) -> None:
    first, second = words_of_chunks(catalog, [2, 1])
    assert (first.id, first.metadata, first.name) == (1, "Ada", "b.txt")
    assert (second.id, second.metadata) == (2, "")
    assert chunks_containing(catalog, "Ada") == {1}
    assert chunks_containing(catalog, "/a.t") == {3}
    (water,) = passages_of_hashes(catalog, [content_hash("", "water")])[content_hash("", "water")]
    assert water.words_outside == "b.txt Ada"


def test_the_newest_document_is_the_one_with_the_latest_date_of_its_own_or_of_its_file(catalog: CatalogWriter) -> None:
    everything = b"\1" * 6
    assert [each.name for each in newest_passages(catalog, everything, 5)] == ["sub/a.txt", "b.txt", "c.txt"]
    assert [each.id for each in newest_passages(catalog, b"\0\0\1\0\0\1", 5)] == [2, 5]
    assert [each.date for each in newest_passages(catalog, everything, 2)] == ["2030", "2023-11-14"]


def test_passages_are_found_by_the_names_that_people_give_files(catalog: CatalogWriter) -> None:
    stone, water = content_hash("Ground", "stone"), content_hash("", "water")
    assert hashes_in_file(catalog, "sub/a.txt", 10) == {stone}
    assert hashes_in_file(catalog, "docs/b.txt", 10) == {stone, water}
    assert hashes_in_file(catalog, "_.txt", 10) == set()


def test_a_passage_is_located_in_the_file_that_still_has_it(catalog: CatalogWriter) -> None:
    put_file(catalog, "a.txt", [chunk("water")], folder=Path("/docs/sub"))
    assert [document.root for document in documents_at(catalog, Path("/docs/sub/a.txt"))] == ["/docs", "/docs/sub"]
    found = locate(catalog, Path("/docs/sub/a.txt"), "", "water")
    assert found is not None
    assert (found.document_id, found.ordinal) == (4, 0)
    assert locate(catalog, Path("/docs/b.txt"), "", "fire") is None


def test_a_sample_is_of_distinct_passages_that_are_long_enough(catalog: CatalogWriter) -> None:
    assert {each.text for each in sample_passages(catalog, 10)} == {"water", "stone", "fire"}
    assert {each.text for each in sample_passages(catalog, 10, least_characters=5)} == {"water", "stone"}
    assert len(sample_passages(catalog, 2)) == 2


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM passages WHERE content_hash = x'00'", "chunks_by_content"),
        ("SELECT * FROM passages WHERE content_hash BETWEEN x'00' AND x'ff'", "chunks_by_content"),
        ("SELECT * FROM passages WHERE id = 1", "INTEGER PRIMARY KEY"),
        ("SELECT * FROM passages WHERE document_id = 1 ORDER BY ordinal", "sqlite_autoindex_chunks"),
        ("SELECT * FROM files WHERE root = '/docs' AND name = 'b.txt'", "sqlite_autoindex_documents"),
    ],
)
def test_queries_through_the_views_use_the_indexes_of_the_tables(
    catalog: CatalogWriter, query: str, index: str
) -> None:
    plan = "\n".join(row[3] for row in catalog.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert index in plan
    assert "SCAN" not in plan
    assert "MATERIALIZE" not in plan
