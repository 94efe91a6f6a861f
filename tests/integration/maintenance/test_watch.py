"""A watched folder stays right: what is added, changed, moved and deleted is found so, without being asked to look."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from searchkit.errors import CollectionBusyError, CollectionNotFoundError
from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from searchkit.maintenance.rename import rename_collection
from searchkit.maintenance.watch import FolderWatch, watch
from searchkit.reports import IndexReport, RunOptions
from searchkit.types import SearchMode
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 30.0


class Watcher:
    """A thread that watches the collection `docs` and keeps the reports."""

    def __init__(self, home: Path, embedder: HashEmbedder) -> None:
        self.reports: list[IndexReport] = []
        self.ended: Exception | None = None
        self.stopped = Event()
        self._home, self._embedder = home, embedder
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with Library(self._home, embedder=self._embedder) as library:
                self.reports += watch(library, ["docs"], lambda _: None, self.stopped)
        except CollectionNotFoundError as error:
            self.ended = error

    def stop(self) -> None:
        """End the thread."""
        self.stopped.set()
        self._thread.join()


@pytest.fixture
def watcher(library: Library, docs: Path) -> Iterator[Watcher]:
    """Somebody watching a folder that is indexed already."""
    library.index(docs)
    running = Watcher(library.home.path, HashEmbedder(delay_seconds=0.001))
    yield running
    running.stop()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        Event().wait(0.05)


def found(library: Library, query: str) -> list[str]:
    return [hit.path.name for hit in library.search(query, mode=SearchMode.LEXICAL)]


def test_changes_are_found_as_they_happen(library: Library, docs: Path, watcher: Watcher) -> None:
    write(docs / "ships.txt", "A zeppelin is no ship.")
    eventually(lambda: found(library, "zeppelin") == ["ships.txt"])
    (docs / "ships.txt").rename(docs / "garden" / "moved.txt")
    eventually(lambda: found(library, "zeppelin") == ["moved.txt"])
    write(docs / "garden" / "moved.txt", "A walrus instead.")
    eventually(lambda: found(library, "walrus") == ["moved.txt"])
    assert found(library, "zeppelin") == []
    shutil.rmtree(docs / "garden")
    eventually(lambda: not found(library, "walrus") and not found(library, "roses"))
    eventually(lambda: library.collection("docs").is_covered())
    watcher.stop()
    assert verify_collection(library.collection("docs")) == []


def test_a_collection_that_is_renamed_is_watched_on(library: Library, docs: Path, watcher: Watcher) -> None:
    write(docs / "ships.txt", "A zeppelin is no ship.")
    eventually(lambda: found(library, "zeppelin") == ["ships.txt"])
    eventually(lambda: _is_renamed(library))
    write(docs / "whales.txt", "A walrus is no whale.")
    eventually(lambda: found(library, "walrus") == ["whales.txt"])
    assert library.collections() == ["papers"]
    watcher.stop()
    assert watcher.ended is None
    assert watcher.reports[-1].collection == "papers"


def _is_renamed(library: Library) -> bool:
    """Rename it, unless it is being written."""
    try:
        return rename_collection(library, "docs", "papers").collection == "papers"
    except CollectionBusyError:
        return False


def test_a_burst_is_taken_in_together(library: Library, docs: Path, watcher: Watcher) -> None:
    for number in range(200):
        write(docs / "burst" / f"{number}.txt", f"Burst file number{number}.")
    eventually(lambda: library.status("docs").files == 203)
    eventually(lambda: library.collection("docs").is_covered())
    watcher.stop()
    assert len(watcher.reports) < 20


def test_a_folder_that_goes_away_and_comes_back_loses_nothing(library: Library, docs: Path, watcher: Watcher) -> None:
    write(docs / "first.txt", "A first word: zeppelin.")
    eventually(lambda: found(library, "zeppelin") == ["first.txt"])
    away = docs.with_name("away")
    docs.rename(away)
    eventually(lambda: bool(library.status("docs").problems))
    assert found(library, "zeppelin") == ["first.txt"]
    write(away / "second.txt", "A second word: walrus.")
    away.rename(docs)
    eventually(lambda: found(library, "walrus") == ["second.txt"])
    assert found(library, "zeppelin") == ["first.txt"]
    eventually(lambda: not library.status("docs").problems)


def test_what_is_forgotten_stays_so_and_forgetting_all_ends_the_watch(
    library: Library, docs: Path, watcher: Watcher
) -> None:
    write(docs / "first.txt", "A first word: zeppelin.")
    eventually(lambda: found(library, "zeppelin") == ["first.txt"])
    eventually(lambda: _forgotten(library, docs / "first.txt"))
    write(docs / "first.txt", "A zeppelin, and more.")
    write(docs / "second.txt", "A second word: walrus.")
    eventually(lambda: found(library, "walrus") == ["second.txt"])
    assert found(library, "zeppelin") == []
    eventually(lambda: _forgotten(library, docs))
    eventually(lambda: watcher.ended is not None)
    assert "Nothing is left to watch" in str(watcher.ended)


def _forgotten(library: Library, path: Path) -> bool:
    from searchkit.errors import CollectionBusyError

    try:
        library.forget(path)
    except CollectionBusyError:  # the watcher is at work
        return False
    return True


def test_editors_files_wake_nobody(docs: Path) -> None:
    with FolderWatch([docs]) as changes:
        eventually(changes.changed.is_set)  # the first look
        changes.changed.clear()
        for name in ("bread.txt~", ".bread.txt.swp", "x.tmp", "~$letter.docx", ".git/index"):
            write(docs / name, "not wanted")
        assert not changes.changed.wait(1.5)
        write(docs / "bread.txt", "wanted")
        eventually(changes.changed.is_set)


def test_embedding_makes_way_for_newer_changes_and_goes_on_after_them(library: Library, docs: Path) -> None:
    for number in range(100):
        write(docs / f"{number}.txt", f"File number{number}.")
    interrupted = RunOptions(is_interrupted=lambda: True)
    first = library.index(docs, options=interrupted)
    assert 0 < first.embedded < 100
    assert not library.collection("docs").is_covered()
    assert len(found(library, "number7")) == 1
    assert library.index(docs).embedded == 103 - first.embedded
    assert library.collection("docs").is_covered()
