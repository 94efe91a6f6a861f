"""Passages like a file, or like one of its passages: from the vectors of the catalog, and never from the file itself."""

from pathlib import Path

import pytest

from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.search.request import PassageAt, SearchRequest
from searchkit.types import NoteKind
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.both_homes

ROSES = "Prune the roses in March, above an outward bud.\n"
BOILER = "Top up the water until the gauge of the boiler shows two bar.\n"


@pytest.fixture
def garden(library: Library, tmp_path: Path) -> Path:
    """A folder in which one file speaks of two subjects and others of one of them each."""
    folder = tmp_path / "garden"
    write(folder / "both.md", f"# Roses\n\n{ROSES}{'filler ' * 200}\n\n# Boiler\n\n{BOILER}")
    write(folder / "roses.txt", "The roses: prune them in March above a bud.\n")
    write(folder / "boiler.txt", "The boiler: top up water, see the gauge: two bar.\n")
    write(folder / "notes" / "filler.md", "filler filler filler\n")
    library.index(folder)
    return folder


def test_the_passage_at_a_line_finds_its_like_and_not_its_file(
    library: Library, garden: Path, embedder: HashEmbedder
) -> None:
    embedded = len(embedder.embedded)
    hits = library.similar(garden / "both.md", 8)
    assert hits[0].path.name == "boiler.txt"
    assert {hit.path.name for hit in hits} == {"boiler.txt", "roses.txt", "filler.md"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.evidence.similarity is not None and 0 <= hit.score <= 1 for hit in hits)
    assert len(embedder.embedded) == embedded
    assert library.similar(garden / "both.md", 6)[0].path.name == "boiler.txt"
    assert library.similar(garden / "roses.txt", 1, k=1)[0].path.name == "both.md"


def test_it_is_said_that_passages_without_a_vector_are_not_among_them(
    library: Library, garden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    request = SearchRequest(like=PassageAt(garden / "roses.txt", 1))
    assert not library.find(request).notes
    write(garden / "wasps.md", "Wasps sting.\n")
    with monkeypatch.context() as during, pytest.raises(KeyboardInterrupt):
        during.setattr(HashEmbedder, "embed_documents", interrupted)
        library.index(garden)
    assert [note.kind for note in library.find(request).notes] == [NoteKind.PARTLY_EMBEDDED]


def test_a_whole_file_is_the_mean_of_its_passages(library: Library, garden: Path) -> None:
    assert library.similar(garden / "notes" / "filler.md", k=1)[0].path.name == "both.md"
    assert len(library.similar(garden / "both.md")) == 3


def test_filters_hold_for_what_is_similar_too(library: Library, garden: Path) -> None:
    hits = library.similar(garden / "both.md", 7, filters=Filters(types=("md",)))
    assert [hit.path.name for hit in hits] == ["filler.md"]
    assert library.similar(garden / "both.md", filters=Filters(types=("pdf",))) == []


def test_a_copy_elsewhere_is_as_similar_as_can_be(library: Library, garden: Path) -> None:
    write(garden / "copy.txt", (garden / "roses.txt").read_text())
    library.index(garden)
    hit = library.similar(garden / "roses.txt")[0]
    assert (hit.path.name, round(hit.score, 3), hit.copies) == ("copy.txt", 1.0, 0)


def test_a_file_of_one_collection_finds_its_like_in_another(library: Library, garden: Path, tmp_path: Path) -> None:
    write(tmp_path / "other" / "rose.md", ROSES)
    library.index(tmp_path / "other")
    hits = library.similar(garden / "roses.txt", collections=["other"])
    assert [(hit.collection, hit.path.name) for hit in hits] == [("other", "rose.md")]
    assert {hit.collection for hit in library.similar(garden / "roses.txt")} == {"garden", "other"}


def test_a_file_that_was_deleted_since_is_still_known(library: Library, garden: Path) -> None:
    (garden / "roses.txt").unlink()
    assert library.similar(garden / "roses.txt", k=1)[0].path.name == "both.md"


def test_what_cannot_be_compared_is_refused_with_what_to_do(library: Library, garden: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.md", "Nothing of it.\n")
    with refused(UsageError, rf"No collection contains .*outside\.md.*searchkit index {tmp_path}"):
        library.similar(outside)
    with pytest.raises(UsageError, match=r"There is no file .*nowhere\.md"):
        library.similar(garden / "nowhere.md")
    with pytest.raises(UsageError, match="is a folder"):
        library.similar(garden)
    with pytest.raises(UsageError, match="last indexed line or page is 8, not 9"):
        library.similar(garden / "both.md", 9)
    with pytest.raises(UsageError, match="not 0"):
        library.similar(garden / "both.md", 0)
    with pytest.raises(UsageError, match="at least 1"):
        library.similar(garden / "both.md", k=0)
    with pytest.raises(CollectionNotFoundError, match="No collection named 'nothing'"):
        library.similar(garden / "both.md", collections=["nothing"])


def test_a_file_without_lines_or_pages_is_compared_as_a_whole(library: Library, garden: Path) -> None:
    write(
        garden / "page.ipynb", '{"cells": [{"cell_type": "markdown", "source": ["Prune the roses."]}], "nbformat": 4}'
    )
    library.index(garden)
    names = {hit.path.name for hit in library.similar(garden / "page.ipynb", k=2)}
    assert names == {"roses.txt", "both.md"}
    with refused(UsageError, "Leave the number off"):
        library.similar(garden / "page.ipynb", 1)


def test_a_file_that_is_not_embedded_yet_says_how_to_go_on(library: Library, garden: Path, tmp_path: Path) -> None:
    with Library(library.home, embedder=HashEmbedder(32)) as other, refused(UsageError, "index -c garden"):
        other.similar(garden / "both.md")
