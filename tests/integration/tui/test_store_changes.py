"""The UI follows what other processes do to the collections, without a key being pressed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit.catalog.meta import note_rate
from searchkit.library import Library
from searchkit.reports import RunOptions
from searchkit_tui.search.session import SearchSession
from searchkit_tui.search.store_watch import StoreState, StoreWatch
from tests.support.driving import Session, drive, write_files
from tests.support.files import ROOT


def run(library: Library, *words: str | Path) -> None:
    """Run a command, or a module of these tests, in a process of its own over the same data directory."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(library.home.path)}
    subprocess.run([sys.executable, "-m", *map(str, words)], cwd=ROOT, env=environment, check=True, capture_output=True)


def index(library: Library, folder: Path) -> None:
    run(library, "tests.support.index_slowly", library.home.path, folder, "0")


def test_hits_and_counts_follow_what_another_process_indexes_and_forgets(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.until(lambda: " of 4" in session.status)
        write_files(tmp_path / "notes", {"new.md": "Boiler boiler boiler: the newest boiler of all.\n"})
        index(library, tmp_path / "notes")
        await session.until(lambda: "new.md" in session.names and " of 5" in session.status)
        assert session.selected == "boiler.md"  # though nobody has moved, and others are better now
        assert session.names.index("boiler.md") == session.results.highlighted
        await session.until(lambda: "boiler.md" in session.heading)
        run(library, "searchkit", "forget", tmp_path / "notes" / "boiler.md")
        await session.until(lambda: "boiler.md" not in session.names and " of 4" in session.status)
        await session.until(lambda: session.selected in session.heading)
        assert session.toasts == []

    drive(library, scenario)


def test_the_share_by_meaning_follows_another_process_that_embeds(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.until(lambda: "% by meaning" in session.status)
        run(library, "tests.support.embed_slowly", library.home.path, "lazy", "0")
        await session.until(lambda: "% by meaning" not in session.status)

    pages = {f"{number}.md": f"Page {number} is about valve {number}.\n" for number in range(30)}
    library.index(write_files(tmp_path / "lazy", pages), options=RunOptions(lazy=True))
    drive(library, scenario, columns=200)


def test_a_collection_that_another_process_makes_or_deletes_is_searched_or_no_longer(
    library: Library, tmp_path: Path
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("zeppelin")
        index(library, folder)
        await session.until(lambda: session.names[:1] == ["airship.md"] and session.status.endswith("more, notes"))
        for each in ("more", "notes"):
            run(library, "searchkit", "forget", tmp_path / each)
        await session.until(lambda: "Nothing is indexed yet." in session.seen)
        index(library, folder)
        session.box.value = "airship"
        await session.until(lambda: session.names == ["airship.md"])

    folder = write_files(tmp_path / "more", {"airship.md": "A zeppelin is an airship.\n"})
    drive(library, scenario, columns=200)


def test_the_preview_follows_its_document(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("apple pruning")
        assert session.selected == "garden.md"
        assert "Pears" not in session.preview("below").plain
        write_files(tmp_path / "notes", {"garden.md": f"{GARDEN}\n## Pears\n\n{'Pears are picked in autumn. ' * 60}\n"})
        index(library, tmp_path / "notes")
        await session.until(lambda: "Pears are picked" in session.preview("below").plain)
        assert session.selected == "garden.md"

    library.index(write_files(tmp_path / "notes", {"garden.md": GARDEN}))
    drive(library, scenario)


GARDEN = f"# Garden\n\n## Apples\n\n{'The apple tree needs pruning in February. ' * 20}\n"


def test_the_start_names_what_there_is_now(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: session.message.startswith("Type to search notes."))
        index(library, write_files(tmp_path / "more", {"airship.md": "A zeppelin is an airship.\n"}))
        await session.until(lambda: session.message.startswith("Type to search more, notes."))

    drive(library, scenario)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def looked(watch: StoreWatch) -> StoreState:
    state = watch.look()
    assert state is not None
    return state


def test_a_look_at_what_has_not_changed_counts_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = SearchSession(library)
    watch = StoreWatch(session)
    assert looked(watch).coverages[0].passages == 4
    with monkeypatch.context() as patched:
        patched.setattr("searchkit.collection.Collection.coverage", None)  # would raise
        assert watch.look() is None
    library.index(write_files(tmp_path / "notes", {"new.md": "Something else.\n"}))
    assert looked(watch).coverages[0].passages == 5
    session.close()


def test_a_run_that_was_killed_is_soon_no_longer_said_to_be_under_way(
    library: Library, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.catalog.meta.time.time", clock)
    with library.collection("notes").writing() as catalog, catalog.transaction():
        note_rate(catalog, 2.0)
    session = SearchSession(library)
    watch = StoreWatch(session, clock)
    first = looked(watch)
    assert first.coverages[0].embedding_rate == 2.0
    clock.now += 60
    then = looked(watch)
    assert then.coverages[0].embedding_rate == 0
    assert then.is_found_as(first)
    session.close()


def test_looks_take_a_small_share_of_the_time(library: Library) -> None:
    class SlowClock(Clock):
        def __call__(self) -> float:
            self.now += 1  # between any two questions
            return self.now

    slow = SlowClock()
    session = SearchSession(library)
    watch = StoreWatch(session, slow)
    watch.look()
    rests = [watch.is_due]
    watch.look()
    rests.append(watch.is_due)
    slow.now += 10
    rests.append(watch.is_due)
    assert rests == [True, False, True]  # the first look loads modules too
    session.close()


def test_a_library_without_anything_is_a_state_too(tmp_path: Path) -> None:
    with Library(tmp_path / "home") as library:
        session = SearchSession(library)
        watch = StoreWatch(session)
        assert looked(watch).collections == ()
        assert watch.look() is None
        session.close()
