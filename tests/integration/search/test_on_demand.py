"""Meaning before anything is embedded: the model reads what a question needs, and nothing twice."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from searchkit.catalog import meta
from searchkit.catalog.meta import COVERED, set_meta
from searchkit.catalog.vectors import remove_vectors
from searchkit.cli.status import coverage
from searchkit.ingest import embed_pending
from searchkit.library import Library
from searchkit.reports import CollectionStatus, Progress, RunOptions
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.both_homes


@pytest.fixture
def unread(library: Library, docs: Path, embedder: HashEmbedder) -> Library:
    """A library whose only collection has no vectors, as a run leaves it that is interrupted after reading."""
    library.index(docs)
    _forget_vectors(library, embedder)
    return library


def test_a_question_is_answered_by_meaning_although_nothing_is_embedded(unread: Library) -> None:
    hit = unread.search("gauge water bar")[0]
    assert hit.path.name == "boiler.md"
    assert hit.evidence.similarity is not None


def test_meaning_alone_ranks_what_words_have_chosen(unread: Library, embedder: HashEmbedder) -> None:
    hits = unread.search("bake the dough", mode=SearchMode.SEMANTIC)
    assert hits[0].path.name == "bread.txt"
    assert all(hit.evidence.similarity is not None for hit in hits)
    assert embedder.embedded


def test_words_alone_read_nothing(unread: Library, embedder: HashEmbedder) -> None:
    assert unread.search("bake the dough", mode=SearchMode.LEXICAL)
    assert embedder.embedded == []


def test_without_reading_the_answer_is_by_words(unread: Library, embedder: HashEmbedder) -> None:
    response = unread.find(SearchRequest("gauge water bar", wait=False))
    assert response.hits[0].path.name == "boiler.md"
    assert response.hits[0].evidence.similarity is None
    assert embedder.embedded == []
    assert NoteKind.MORE_TO_COME in [note.kind for note in response.notes]
    assert NoteKind.MORE_TO_COME not in [note.kind for note in unread.find(SearchRequest("gauge water bar")).notes]


def test_while_others_wait_a_search_leaves_them_their_share_of_the_time(unread: Library, docs: Path) -> None:
    slow = HashEmbedder(delay_seconds=0.1)
    write(docs / "new.txt", "A gauge of water for wasps.\n")
    with Library(unread.home.path, embedder=slow) as library:
        library.search("gauge water bar")  # so that it is known how long the model takes
        read = len(slow.embedded)
        write(docs / "more.txt", "\n\n".join(f"Another gauge of water, the bar number {i}." for i in range(9)))
        library.index(docs, options=RunOptions(lazy=True))
        waiting = [31]
        library.share_reading(lambda: waiting[0])
        library.share_reading(lambda: 0)  # another pool of the same server
        response = library.find(SearchRequest("another gauge of water"))
        assert response.hits[0].path.name == "more.txt"
        assert len(slow.embedded) == read
        assert NoteKind.MORE_TO_COME in [note.kind for note in response.notes]
        waiting[0] = 0
        library.find(SearchRequest("another gauge of water"))
        assert len(slow.embedded) > read


def test_what_was_read_is_kept(unread: Library, embedder: HashEmbedder) -> None:
    first = unread.search("gauge water bar")
    read = len(embedder.embedded)
    assert read
    with Library(unread.home.path, embedder=embedder) as later:
        assert later.search("gauge water bar") == first
        later.index(write(unread.home.path.parent / "docs" / "new.txt", "A new document on wasps.\n").parent)
    assert len(embedder.embedded) == 4, "the run embeds the rest alone"


@pytest.mark.in_files  # where a writer keeps others out
def test_what_cannot_be_kept_is_read_once_and_ranks_the_same(unread: Library, embedder: HashEmbedder) -> None:
    other = sqlite3.connect(unread.collection("docs").folder.catalog, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # writes for longer than a search waits
    first = unread.search("gauge water bar")
    assert unread.search("gauge water bar") == first
    other.close()
    assert len(embedder.embedded) == len(set(embedder.embedded))
    assert unread.status("docs").vectors == 0
    assert unread.search("gauge water bar") == first
    assert unread.status("docs").vectors == len(embedder.embedded)


def test_a_search_beside_an_index_run_keeps_what_it_has_read(unread: Library, embedder: HashEmbedder) -> None:
    with unread.collection("docs").writing():
        assert unread.search("gauge water bar")[0].evidence.similarity is not None
        assert unread.status("docs").vectors == len(embedder.embedded) > 0


def test_searches_that_want_the_same_passages_have_them_read_once(unread: Library, embedder: HashEmbedder) -> None:
    found: list[str] = []

    def search() -> None:
        with unread.sibling() as sibling:
            found.append(sibling.search("gauge water bar")[0].path.name)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["boiler.md"] * 4
    assert len(embedder.embedded) == len(set(embedder.embedded))


def test_a_document_that_a_search_asks_for_is_embedded_next(
    library: Library, tmp_path: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_pending, "_PAGE", 4)
    for number in range(30):
        path = write(tmp_path / "docs" / f"{number}.md", f"# Page {number}\n\nText of page {number}.\n")
        os.utime(path, (10_000 - number, 10_000 - number))
    sections = "".join(f"## Part {number}\n\n{'Wasps nest in attics. ' * 60}{number}\n\n" for number in range(6))
    old = write(tmp_path / "docs" / "wasps.md", f"# Wasps\n\n{sections}")
    os.utime(old, (1, 1))
    library.index(tmp_path / "docs")
    _forget_vectors(library, embedder)
    monkeypatch.setattr("searchkit.search.searcher.READ_ON_DEMAND", 1)
    library.search("wasps")
    embedder.embedded.clear()
    library.index(tmp_path / "docs")
    assert all("Wasps" in text for text in embedder.embedded[:5])
    assert sum("Wasps" in text for text in embedder.embedded) >= 5
    with library.collection("docs").reading() as catalog:
        assert catalog.execute("SELECT count(*) FROM asked").fetchone()[0] == 0


def test_a_passage_with_every_word_comes_first_while_few_are_embedded(
    library: Library, tmp_path: Path, embedder: HashEmbedder
) -> None:
    lease = write(tmp_path / "docs" / "lease.md", "# Mietvertrag\n\nDie Kündigungsfrist beträgt drei Monate.\n")
    for number in range(40):
        write(tmp_path / "docs" / f"python_{number}.md", f"# Python\n\nThe die function {number} of module {number}.\n")
    library.index(tmp_path / "docs")
    _forget_vectors(library, embedder, keeping="function")
    for reads in (True, False):
        for query in ("Mietvertrag Kündigungsfrist", "Mietvertrag Kündigungsfrist Garage module"):
            found = library.find(SearchRequest(query, wait=reads)).hits
            assert found[0].path == lease, (query, reads)


def _forget_vectors(library: Library, embedder: HashEmbedder, *, keeping: str = "") -> None:
    with library.collection("docs").writing() as catalog, catalog.transaction():
        if keeping:
            catalog.change(
                "DELETE FROM vectors WHERE content_hash NOT IN"
                f" (SELECT content_hash FROM chunks WHERE {catalog.dialect.contains.format(text='text')})",
                (keeping,),
            )
        else:
            remove_vectors(catalog, embedder.info.fingerprint)
        set_meta(catalog, COVERED, "")
    embedder.embedded.clear()
    library.close()


def test_a_run_that_is_under_way_says_how_long_it_will_take(
    library: Library, tmp_path: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_pending, "PASSAGES_AT_ONCE", 2)
    monkeypatch.setattr(embed_pending, "COMMIT_SECONDS", 0.0)
    for number in range(12):
        write(tmp_path / "docs" / f"{number}.md", f"Text of page {number}.\n")
    seen: list[CollectionStatus] = []

    def look(progress: Progress) -> None:
        if progress.stage == "Embedding":
            seen.append(library.status("docs"))

    library.index(tmp_path / "docs", on_progress=look)
    assert seen[-1].embedding_rate > 0
    assert seen[-1].seconds_left == pytest.approx((12 - seen[-1].vectors) / seen[-1].embedding_rate)
    assert "less than a minute left at" in coverage(seen[-1])
    assert coverage(library.status("docs")) == "all by meaning"
    monkeypatch.setattr(meta, "_UNDER_WAY_SECONDS", 0)  # as if it had ended long ago
    assert library.status("docs").seconds_left is None


def test_what_is_not_embedded_has_its_reason(unread: Library, docs: Path) -> None:
    assert coverage(unread.status("docs")).endswith("; to go on: searchkit index -c docs")
    unread.index(docs, options=RunOptions(lazy=True))
    assert coverage(unread.status("docs")).endswith("; the model reads the others as questions ask for them")
    unread.index(docs, options=RunOptions(lazy=False))
    assert coverage(unread.status("docs")) == "all by meaning"


def test_an_index_of_nothing_is_none(library: Library, docs: Path) -> None:
    library.index(docs, options=RunOptions(lazy=True))
    assert library.status("docs").index is None
