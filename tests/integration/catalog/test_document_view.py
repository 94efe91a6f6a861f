"""A hit in its document, from the catalog alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.errors import CollectionNotFoundError
from searchkit.library import Library
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
