"""Passages that the model has not read are found by a guess at their meaning, until it has."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.catalog import provisional
from searchkit.catalog.provisional import Version, version_of
from searchkit.ingest import guess_pending
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.reports import RunOptions
from searchkit.search.on_demand import READING_SECONDS
from searchkit.search.query.filters import Filters
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import NoteKind, SearchMode
from tests.support.files import ROOT, write
from tests.support.guessing_embedder import GuessingEmbedder

pytestmark = pytest.mark.both_homes

LAZY = RunOptions(lazy=True)
SYNONYMS = {"manometer": "gauge", "loaf": "dough"}


@pytest.fixture
def guessing(tmp_path: Path, docs: Path) -> GuessingEmbedder:
    texts = [path.read_text() for path in docs.rglob("*.*")]
    return GuessingEmbedder(tmp_path / "guesses", [*texts, "wasps nest in attics"], SYNONYMS)


@pytest.fixture
def lazy(tmp_path: Path, docs: Path, guessing: GuessingEmbedder) -> Iterator[Library]:
    """A library whose only collection is read by words and guesses."""
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(docs, options=LAZY)
        yield library


def at_once(library: Library, query: str, mode: SearchMode = SearchMode.HYBRID) -> SearchResponse:
    return library.find(SearchRequest(query, mode=mode, wait=False))


def counts(library: Library) -> tuple[int, int]:
    status = library.status("docs")
    return status.vectors, status.provisional


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.SEMANTIC])
def test_a_passage_with_none_of_the_words_is_found_before_the_model_has_read_anything(
    lazy: Library, guessing: GuessingEmbedder, mode: SearchMode
) -> None:
    hit = at_once(lazy, "manometer", mode).hits[0]
    assert hit.path.name == "boiler.md"
    assert hit.evidence.found_by == ("provisional",)
    assert not hit.weak
    assert hit.score <= 0.5
    assert guessing.embedded == []
    assert counts(lazy) == (0, 3)


def test_guesses_choose_what_the_model_reads(
    lazy: Library, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.search.searcher.READ_ON_DEMAND", 1)
    hit = lazy.find(SearchRequest("loaf")).hits[0]
    assert hit.path.name == "bread.txt"
    assert hit.evidence.found_by == ("meaning",)
    assert guessing.embedded == [hit.text]
    assert counts(lazy) == (1, 2), "a true vector takes the place of the guess"


@pytest.mark.parametrize("few", [0.0, 2.0], ids=["many are allowed", "few are allowed"])
def test_a_filter_applies_to_guesses(lazy: Library, few: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.search.searcher._FEW_ALLOWED", few)
    only = Filters(types=("text",))
    found = lazy.find(SearchRequest("manometer", filters=only, wait=False)).hits
    assert [hit.path.name for hit in found] == ["bread.txt"]


def test_a_lazy_collection_says_so_and_stays_lazy(lazy: Library, docs: Path, guessing: GuessingEmbedder) -> None:
    write(docs / "wasps.txt", "Wasps nest in attics.\n")
    lazy.index(docs)
    assert guessing.embedded == []
    assert lazy.status("docs").lazy
    assert counts(lazy) == (0, 4)
    (note,) = [note for note in at_once(lazy, "wasps").notes if note.kind is NoteKind.PARTLY_EMBEDDED]
    assert note.lazy


def test_a_lazy_collection_is_embedded_when_that_is_asked_for(lazy: Library, docs: Path) -> None:
    lazy.index(docs, options=RunOptions(lazy=False))
    assert counts(lazy) == (3, 0)
    lazy.index(docs)
    assert not lazy.status("docs").lazy
    assert at_once(lazy, "manometer").hits[0].evidence.found_by == ("meaning",)


def test_an_interrupted_run_leaves_guesses_of_the_rest(
    tmp_path: Path, docs: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guess_pending, "_FEW", 0)
    monkeypatch.setattr("searchkit.ingest.embed_pending.PASSAGES_AT_ONCE", 1)
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(docs, options=RunOptions(is_interrupted=lambda: True))
        assert counts(library) == (1, 2)
        library.index(docs)
        assert counts(library) == (3, 0)


def test_few_pending_passages_are_not_guessed(tmp_path: Path, docs: Path, guessing: GuessingEmbedder) -> None:
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(docs, options=RunOptions(is_interrupted=lambda: True))
        with library.collection("docs").reading() as catalog:
            assert version_of(catalog) is None


def test_guesses_are_made_while_files_are_read(
    tmp_path: Path, docs: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guess_pending, "_AT_ONCE", 1)
    seen: list[int] = []
    with Library(tmp_path / "home", embedder=guessing) as library:

        def look(_: object) -> None:
            with library.collection("docs").reading() as catalog:
                seen.append(catalog.execute("SELECT count(*) FROM provisional").fetchone()[0])

        library.index(docs, options=LAZY, on_progress=look)
    assert seen[:3] == [1, 2, 3]


def test_forgotten_and_changed_passages_lose_their_guesses(lazy: Library, docs: Path) -> None:
    lazy.forget(docs / "bread.txt")
    assert counts(lazy) == (0, 2)
    write(docs / "boiler.md", "# Boiler\n\nWasps nest in it.\n")
    lazy.collection("docs").refresh()
    assert counts(lazy) == (0, 2)
    assert at_once(lazy, "wasps").hits[0].path.name == "boiler.md"
    assert verify_collection(lazy.collection("docs")) == []


def test_a_rebuilt_collection_has_its_guesses_again(lazy: Library) -> None:
    lazy.search("loaf")
    before = sum(counts(lazy))
    rebuild_collection(lazy.collection("docs"), [], lambda _: None)
    assert sum(counts(lazy)) == before


def test_guesses_of_another_model_are_not_used_and_are_replaced(
    lazy: Library, docs: Path, tmp_path: Path, guessing: GuessingEmbedder
) -> None:
    lazy.close()
    texts = [path.read_text() for path in docs.rglob("*.*")]
    other = GuessingEmbedder(tmp_path / "other", texts, {}, name="other")
    with Library(lazy.home.path, embedder=other) as later:
        assert later.status("docs").provisional == 0
        assert at_once(later, "manometer").hits == ()
        later.index(docs)
        assert later.status("docs").provisional == 3
        with later.collection("docs").reading() as catalog:
            assert version_of(catalog) == Version("other-64")


def test_the_collection_corrects_its_guesses_by_what_the_model_has_read(
    tmp_path: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guess_pending, "_LEARNED_AT", (8, 16))
    many = tmp_path / "many"
    for number in range(40):
        write(many / f"{number}.txt", f"The gauge number {number} shows the water of dough {number * 7}.\n")
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(many, options=LAZY)
        for number in range(12):
            library.search(f"gauge number {number}")
        library.collection("many").refresh()
        with library.collection("many").reading() as catalog:
            version = version_of(catalog)
            assert version and version.learned_from in (8, 16)
            assert provisional.correction_of(catalog, 64) is not None
        status = library.status("many")
        assert status.vectors + status.provisional == 40
        assert verify_collection(library.collection("many")) == []


@pytest.mark.parametrize("most", [0, 10_000])
def test_guesses_are_found_the_same_by_codes(
    tmp_path: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("searchkit.index_store.guesses._COMPARED_EXACTLY", most)
    many = tmp_path / "many"
    for number in range(300):
        write(many / f"{number}.txt", f"Water and dough rest in the pressure of roses, {number}.\n")
    write(many / "gauge.txt", "The gauge.\n")
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(many, options=LAZY)
        assert at_once(library, "manometer").hits[0].path.name == "gauge.txt"
        write(many / "second.txt", "Two gauge gauge.\n")
        library.collection("many").refresh()
        assert {hit.path.name for hit in at_once(library, "manometer").hits[:2]} == {"gauge.txt", "second.txt"}


def test_a_collection_above_the_limit_of_the_settings_is_lazy(
    tmp_path: Path, docs: Path, guessing: GuessingEmbedder
) -> None:
    write(tmp_path / "home" / "config.toml", "lazy_above_passages = 2\n")
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(docs)
        assert counts(library) == (0, 3)
        library.index(docs, options=RunOptions(lazy=False))
        assert counts(library) == (3, 0)


def test_a_search_that_is_killed_while_the_model_reads_loses_nothing(lazy: Library, guessing: GuessingEmbedder) -> None:
    first = lazy.status("docs").vectors
    command = [sys.executable, "-m", "tests.support.read_slowly", str(lazy.home.path), "0.05", "gauge dough roses"]
    for milliseconds in (0, 40, 80, 120, 200):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout and process.stdout.readline() == "started\n"
            time.sleep(milliseconds / 1000)
            process.kill()
        assert verify_collection(lazy.collection("docs")) == []
        vectors, guessed = counts(lazy)
        assert vectors >= first
        assert vectors + guessed == 3
    assert lazy.search("manometer")[0].path.name == "boiler.md"
    assert counts(lazy)[0] <= 3


def test_many_clients_at_once_are_answered_and_nothing_is_read_twice(
    tmp_path: Path, docs: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        write(docs / f"{number}.txt", f"The gauge number {number} shows the water of dough {number * 7}.\n")
    monkeypatch.setattr(guessing, "_delay_seconds", 0.002)
    with Library(tmp_path / "home", embedder=guessing) as library:
        library.index(docs, options=LAZY)
        seconds: list[float] = []
        found: list[str] = []

        def ask(number: int) -> None:
            with library.sibling() as sibling:
                started = time.monotonic()
                found.append(sibling.search(f"gauge number {number * 7}")[0].path.name)
                seconds.append(time.monotonic() - started)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 32
        assert len(guessing.embedded) == len(set(guessing.embedded))
        assert max(seconds) < 20 * max(READING_SECONDS, min(seconds)), "none waits for all the others' reading"
        vectors, guessed = counts(library)
        assert vectors <= len(guessing.embedded), "what cannot be kept at once is kept in memory"
        assert vectors + guessed == 203


@pytest.fixture
def large(lazy: Library, docs: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The same, as if it had so many passages that the codes of its guesses are kept on disk."""
    monkeypatch.setattr("searchkit.index_store.guesses._COMPARED_EXACTLY", 0)
    lazy.index(docs, options=LAZY)
    assert kept(lazy)
    return lazy


def kept(library: Library) -> list[Path]:
    return sorted((library.home.collections / "docs" / "guesses").glob("[0-9]*"))


def not_built(*_: object) -> None:
    raise AssertionError("An index was built although one is kept.")


def test_guesses_that_are_kept_on_disk_find_the_same(
    large: Library, docs: Path, guessing: GuessingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [hit.path for hit in at_once(large, "manometer").hits]
    with Library(large.home, embedder=guessing) as again, monkeypatch.context() as patched:
        patched.setattr("searchkit.index_store.guesses._built", not_built)
        assert [hit.path for hit in at_once(again, "manometer").hits] == known
    with Library(large.home, embedder=guessing) as again:
        write(docs / "new.txt", "Wasps nest in attics.\n")
        again.index(docs, options=LAZY)
        assert at_once(again, "wasps").hits[0].path.name == "new.txt"


def test_kept_guesses_that_are_damaged_are_made_again_in_memory(large: Library, guessing: GuessingEmbedder) -> None:
    known = [hit.path for hit in at_once(large, "manometer").hits]
    for file in kept(large)[-1].iterdir():
        file.write_bytes(b"\0" * file.stat().st_size)
    with Library(large.home, embedder=guessing) as again:
        assert [hit.path for hit in at_once(again, "manometer").hits] == known


def test_forgetting_a_file_forgets_its_kept_guess(large: Library, docs: Path) -> None:
    large.forget(docs / "boiler.md")
    assert not kept(large)


def test_few_guesses_are_not_kept(large: Library, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.index_store.guesses._COMPARED_EXACTLY", 20_000)
    write(docs / "new.txt", "Wasps nest in attics.\n")
    large.index(docs, options=LAZY)
    assert not kept(large)
