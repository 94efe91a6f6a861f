"""A hit in its document, from the catalog alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.catalog.catalog import SqliteDatabase
from searchkit.catalog.pending import pending_pages
from searchkit.catalog.vectors import put_vectors
from searchkit.errors import CollectionNotFoundError
from searchkit.library import Library
from searchkit.reports import RunOptions
from searchkit.types import SearchMode
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

SECTIONS = "\n\n".join(f"## Part {n}\n\n" + f"Wheel {n} turns the axle of wheel {n}. " * 30 for n in range(20))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "manual.md").write_text(f"# Manual\n\n{SECTIONS}\n")
    (folder / "short.txt").write_text("One walrus.\n")
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(folder)
        yield library


def test_a_hit_stands_between_its_neighbours_and_the_rest_is_counted(library: Library) -> None:
    (hit, *_) = library.search('"wheel 10"')
    view = library.collection(hit.collection).context_of(hit, before=2, after=3)
    assert view.format == "markdown"
    assert view.at == 2
    assert len(view.passages) == 6
    assert view.passages[view.at].text == hit.text
    lines = [passage.line or 0 for passage in view.passages]
    assert lines == sorted(lines)
    assert view.above + len(view.passages) + view.below == library.status("docs").chunks - 1


def test_at_the_ends_there_is_nothing_beyond(library: Library) -> None:
    (hit, *_) = library.search("walrus")
    view = library.collection(hit.collection).context_of(hit)
    assert (view.at, view.above, view.below, len(view.passages)) == (0, 0, 0, 1)


def test_it_needs_no_file(library: Library) -> None:
    (hit, *_) = library.search('"wheel 10"')
    hit.path.unlink()
    assert library.collection(hit.collection).context_of(hit).above > 0


def test_a_passage_that_has_changed_since_stands_alone(library: Library) -> None:
    (hit, *_) = library.search("walrus")
    view = library.collection("docs").context_of(replace(hit, text="One seal."))
    assert [passage.text for passage in view.passages] == ["One seal."]
    assert view.format == ""


def test_a_collection_that_is_gone_is_said(library: Library) -> None:
    with pytest.raises(CollectionNotFoundError):
        library.collection("gone")


def test_coverage_counts_places_passages_and_vectors(library: Library) -> None:
    coverage = library.collection("docs").coverage()
    assert coverage.model == "hash"
    assert coverage.chunks >= coverage.passages == coverage.vectors > 0


def test_warming_up_loads_the_model_and_changes_nothing(library: Library, tmp_path: Path) -> None:
    library.warm_up()
    with Library(tmp_path / "empty", embedder=HashEmbedder()) as empty, pytest.raises(CollectionNotFoundError):
        empty.warm_up()


def test_coverage_is_right_while_vectors_come_and_passages_go(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    docs = tmp_path / "pages"
    for number in range(4):
        write(docs / f"{number}.md", f"Page {number} is about pump {number}.\n")
    with Library(tmp_path / "own", embedder=embedder) as library:
        library.index(docs, options=RunOptions(lazy=True))
        collection = library.collection("pages")
        library.search("pump", mode=SearchMode.LEXICAL)  # opens the catalog that is counted
        counts = [collection.coverage()]
        database = collection.searcher().catalog.database
        assert isinstance(database, SqliteDatabase)
        said: list[str] = []
        database._connection.set_trace_callback(said.append)
        with collection.writing() as catalog:
            pages = next(pending_pages(catalog, embedder.info.fingerprint, 2))
            with catalog.transaction():
                hashes = [each.content_hash for each in pages]
                vectors = embedder.embed_documents([each.passage for each in pages])
                put_vectors(catalog, embedder.info.fingerprint, hashes, vectors)
        counts.append(collection.coverage())
        assert not [each for each in said if "EXISTS" in each or "DISTINCT" in each], (
            "nothing is counted one by one again"
        )
        collection.embed()
        counts.append(collection.coverage())
        library.forget(docs / "0.md")
        counts.append(collection.coverage())
        library.index(docs)
        counts.append(collection.coverage())
    assert [(each.vectors, each.passages) for each in counts] == [(0, 4), (2, 4), (4, 4), (3, 3), (3, 3)]
