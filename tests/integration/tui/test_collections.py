"""The collections screen, driven by keys over real index runs of small folders."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, OptionList, Static

from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.reports import RunOptions
from searchkit.search.click_log import note_opened, read_opened
from searchkit.types import Passage, SearchMode
from searchkit_indexes import Vectors
from searchkit_tui.collections.add_folder import AddFolder
from searchkit_tui.collections.dialogs import Problems
from searchkit_tui.collections.screen import CollectionsScreen
from searchkit_tui.collections.table import CollectionTable
from searchkit_tui.jobs.job import JobKind, JobState
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.jobs.work import index_folder
from searchkit_tui.settings.saved_state import load_speed, load_theme, save_speed, save_theme
from searchkit_tui.widgets.dialogs import Choose, Confirm, Message
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.small_app import User, shown


class FailingEmbedder(HashEmbedder):
    """Embeds one group of passages, then no more."""

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        if self.embedded:
            raise ModelError("The model [really] broke. Import it again.")
        return super().embed_documents(passages)


def drive(
    library: Library,
    scenario: Callable[[User], Coroutine[Any, Any, None]],
    size: tuple[int, int] = (120, 40),
) -> None:
    async def run() -> None:
        async with shown(lambda app: CollectionsScreen(library, app.jobs), size, library) as user:
            await user.until(lambda: screen(user)._rows is not None)
            await scenario(user)

    asyncio.run(run())


def screen(user: User) -> CollectionsScreen:
    return next(each for each in user.app.screen_stack if isinstance(each, CollectionsScreen))


def runner(user: User) -> JobRunner:
    return user.app.jobs


def names(user: User) -> list[str]:
    return [row.name for table in screen(user).query(CollectionTable) for row in table.rows_shown]


async def add(user: User, folder: Path) -> None:
    """Through the dialog."""
    await user.press("a")
    await user.until(lambda: isinstance(user.app.screen, AddFolder))
    user.app.screen.query_one("#path", Input).value = str(folder)
    await user.press("enter")


async def idle(user: User) -> None:
    await user.until(lambda: runner(user).at_work is None)


def found(library: Library, query: str) -> list[str]:
    return [hit.path.name for hit in library.search(query, mode=SearchMode.LEXICAL)]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty one."""
    with Library(tmp_path / "home", embedder=HashEmbedder()) as opened:
        yield opened


@pytest.fixture
def filled(library: Library, docs: Path) -> Library:
    library.index(docs)
    return library


@pytest.fixture
def long_folder(tmp_path: Path) -> Path:
    """Enough passages for a run to be stopped in the middle."""
    for number in range(80):
        write(tmp_path / "long" / f"doc{number}.txt", f"Number {number} is about the {'very ' * 40}long way.")
    return tmp_path / "long"


def test_what_another_process_does_is_shown_and_followed(library: Library, docs: Path) -> None:
    library.index(docs)
    for number in range(60):
        write(docs / f"{number}.txt", f"Passage number{number} of many.")

    async def scenario(user: User) -> None:
        def row() -> str:
            return next(line for line in user.seen.splitlines() if "docs" in line)

        before = row()
        command = [sys.executable, "-m", "tests.support.index_slowly", str(library.home.path), str(docs), "0.1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            await user.until(lambda: "being indexed" in row() and "%" in row())
            await user.until_seen("now       being indexed", f"by process {process.pid}")
        await user.until(lambda: "being indexed" not in user.seen and "all" in row())
        assert row() != before

    drive(library, scenario)


def test_a_collection_is_shown_with_all_that_there_is_to_say(filled: Library, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until_seen(
            "docs", "passages", "hash", "3 indexed", "3 by words, all by meaning", "markdown 2, text 1"
        )
        assert "flat-float32-64" in user.seen
        assert str(docs.name) in user.seen
        assert user.footer_keys <= 5  # and one of the app

    drive(filled, scenario, size=(160, 40))


def test_a_narrow_terminal_shows_the_table_and_the_details(filled: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until_seen("collection", "problems", "model", "hash", "esc Back")
        assert all(len(line) <= 80 for line in user.seen.splitlines())

    drive(filled, scenario, size=(80, 24))


def test_without_collections_it_says_how_to_begin(library: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until_seen("Nothing is indexed yet.", "Press a to add a folder")
        await user.press("i")
        await user.until_seen("There is no collection yet. Add a folder: a")

    drive(library, scenario)


def test_a_folder_is_added_and_indexed_with_progress(tmp_path: Path, long_folder: Path) -> None:
    async def scenario(user: User) -> None:
        await add(user, long_folder)
        await user.until(lambda: isinstance(user.app.screen, CollectionsScreen))
        await user.until_seen("Index long: Embedding", "of 80 passages", "━")
        await user.until_seen("passages/s", " left")
        await idle(user)
        await user.until(lambda: names(user) == ["long"])
        await user.until_seen("80 added; 80 passages embedded")

    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.05)) as slow:
        drive(slow, scenario)
        assert slow.status("long").files == 80


def test_a_wrong_path_is_told_and_nothing_is_indexed(filled: Library, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await user.press("a")
        await user.until(lambda: isinstance(user.app.screen, AddFolder))
        error = user.app.screen.query_one("#error", Static)
        user.app.screen.query_one("#path", Input).value = str(docs / "nowhere")
        await user.press("enter")
        await user.until(lambda: "There is no folder" in str(error.content))
        user.app.screen.query_one("#path", Input).value = str(docs / "bread.txt")
        await user.press("enter")
        await user.until(lambda: "is a file" in str(error.content))
        user.app.screen.query_one("#path", Input).value = str(docs)
        user.app.screen.query_one("#collection", Input).value = "/etc"
        await user.press("ctrl+s")
        await user.until(lambda: "cannot be a collection's name" in str(error.content))
        await user.press("escape")
        assert isinstance(user.app.screen, CollectionsScreen)
        assert runner(user).jobs == ()

    drive(filled, scenario)


def test_tab_completes_a_path_and_lists_what_is_open(library: Library, tmp_path: Path) -> None:
    for name in ("reports", "recipes", "other"):
        (tmp_path / "files" / name).mkdir(parents=True)

    async def scenario(user: User) -> None:
        await user.press("a")
        await user.until(lambda: isinstance(user.app.screen, AddFolder))
        path = user.app.screen.query_one("#path", Input)
        path.value = f"{tmp_path}/files/r"
        await user.press("tab")
        await user.until(lambda: path.value == f"{tmp_path}/files/re")
        await user.until_seen("recipes/  reports/")
        await user.press("p", "tab")
        await user.until(lambda: path.value == f"{tmp_path}/files/reports/")
        assert path.has_focus
        await user.press("tab")
        await user.until(lambda: not path.has_focus)

    drive(library, scenario)


def test_cancelling_keeps_what_is_done_and_the_next_run_goes_on(tmp_path: Path, long_folder: Path) -> None:
    async def scenario(user: User) -> None:
        await add(user, long_folder)
        await user.until_seen("Index long: Embedding")
        await user.press("c")
        await idle(user)
        await user.until_seen("What was read and embedded is kept")
        job = runner(user).latest(JobKind.INDEX, "long")
        assert job is not None
        assert job.state is JobState.CANCELLED
        first = slow.status("long")
        assert first.chunks == 80
        assert 0 < first.vectors < 80
        embedded = len(embedder.embedded)
        await user.until(lambda: names(user) == ["long"])
        await user.press("i")
        await idle(user)
        await user.until(lambda: slow.status("long").vectors == 80)
        assert len(embedder.embedded) == 80
        assert embedded < 80

    embedder = HashEmbedder(delay_seconds=0.02)
    with Library(tmp_path / "home", embedder=embedder) as slow:
        drive(slow, scenario)


def test_searching_goes_on_and_the_job_survives_the_screen(tmp_path: Path, long_folder: Path, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await add(user, long_folder)
        await user.until_seen("Index long: Embedding")
        jobs = runner(user)
        assert (await asyncio.to_thread(slow.search, "roses"))[0].path.name == "roses.md"
        await user.press("escape")
        assert not isinstance(user.app.screen, CollectionsScreen)
        assert jobs.line().startswith("Index long: ")
        await user.until(lambda: not jobs.active)
        assert jobs.line() == ""
        assert slow.status("long").vectors == 80

    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.02)) as slow:
        slow.index(docs)
        drive(slow, scenario)


def test_heavy_jobs_take_turns(tmp_path: Path, long_folder: Path, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs", "long"])
        write(docs / "new.txt", "Something new about herons.")
        await user.press("down", "i")
        await user.until_seen("Index long: Embedding")
        await user.press("up", "i")
        await user.until_seen("Index docs: waiting")
        assert runner(user).line().endswith("(and 1 more)")
        await idle(user)
        assert found(slow, "herons") == ["new.txt"]

    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.02)) as slow:
        slow.index(docs)
        slow.index(long_folder, options=none_embedded())
        drive(slow, scenario)


def test_a_failed_run_is_a_dialog_that_says_what_is_kept(tmp_path: Path, long_folder: Path) -> None:
    async def scenario(user: User) -> None:
        await add(user, long_folder)
        await user.until(lambda: isinstance(user.app.screen, Message))
        await user.until_seen("Index long failed", "The model [really] broke. Import it again.", "Kept: 80 files")
        await user.press("enter")
        assert isinstance(user.app.screen, CollectionsScreen)

    with Library(tmp_path / "home", embedder=FailingEmbedder()) as slow:
        drive(slow, scenario)


def test_forgetting_asks_first_and_touches_no_file(filled: Library, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs"])
        await user.press("x")
        await user.until(lambda: isinstance(user.app.screen, Confirm))
        await user.until_seen("Forget docs?", "None of your files are touched", "3 files")
        await user.press("enter")  # the focus is on keeping it
        assert isinstance(user.app.screen, CollectionsScreen)
        assert filled.collections() == ["docs"]
        await user.press("x")
        await user.until(lambda: isinstance(user.app.screen, Confirm))
        user.app.screen.query_one("#yes", Button).press()
        await user.until_seen("3 files forgotten")
        await user.until(lambda: not names(user))
        assert filled.collections() == []

    before = sorted((path, path.read_bytes()) for path in docs.rglob("*.*"))
    (filled.home.path / "config.toml").write_text("keep_opened = true\n")
    (hit,) = filled.search("boiler", k=1)
    assert note_opened(filled.home, "boiler", hit)
    assert note_opened(filled.home, "boiler", replace(hit, collection="other"))
    drive(filled, scenario)
    assert [one.collection for one in read_opened(filled.home)] == ["other"]
    assert sorted((path, path.read_bytes()) for path in docs.rglob("*.*")) == before


def test_forgetting_stops_what_is_being_done_to_it(tmp_path: Path, long_folder: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["long"])
        await user.press("i")
        await user.until_seen("Index long: Embedding")
        await user.press("x")
        await user.until(lambda: isinstance(user.app.screen, Confirm))
        user.app.screen.query_one("#yes", Button).press()
        await user.until(lambda: not slow.collections())
        await idle(user)

    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.05)) as slow:
        slow.index(long_folder, options=none_embedded())
        drive(slow, scenario)


def test_problems_are_told_with_reason_and_remedy_and_read_again(library: Library, docs: Path) -> None:
    (docs / "broken[bold].pdf").write_bytes(b"%PDF-1.4 nothing of it")
    library.index(docs)

    async def scenario(user: User) -> None:
        await user.until_seen("problems", "Problems says why")
        await user.press("p")
        await user.until(lambda: isinstance(user.app.screen, Problems))
        [problem] = library.status("docs").problems
        await user.until_seen("broken[bold].pdf", problem.reason[:40])
        assert problem.remedy[:30] in user.seen
        await user.press("r")
        await idle(user)
        assert runner(user).latest(JobKind.INDEX, "docs") is not None

    drive(library, scenario, size=(200, 40))


def test_a_watched_collection_takes_in_a_new_file(filled: Library, docs: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs"])
        await user.press("w")
        await user.until_seen("Watch docs", "watched")
        await asyncio.to_thread(write, docs / "ships.txt", "A zeppelin is no ship.")
        await user.until(lambda: found(filled, "zeppelin") == ["ships.txt"])
        await user.until(lambda: "docs: 1 added" in runner(user).watch_outcome)
        await user.until_seen("docs: 1 added")
        await user.press("w")
        await user.until(lambda: not runner(user).active)
        assert runner(user).watched == frozenset()

    drive(filled, scenario)


def test_every_action_is_in_the_menu(filled: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs"])
        await user.press("enter")
        await user.until(lambda: isinstance(user.app.screen, Choose))
        await user.until_seen("Add folder", "Switch model", "Tune", "Evaluations", "Rebuild", "Forget")
        user.app.screen.query_one(OptionList).highlighted = 1
        await user.press("enter")
        await user.until_seen("nothing has changed")

    drive(filled, scenario)


def test_f1_explains_the_keys(filled: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs"])
        await user.press("f1")
        await user.until_seen("Switch model", "index changes as they happen")
        await user.press("escape")
        assert isinstance(user.app.screen, CollectionsScreen)

    drive(filled, scenario)


def test_a_collection_is_rebuilt(filled: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["docs"])
        await user.press("r")
        await user.until_seen("nothing is deleted", "set aside")
        user.app.screen.query_one("#yes", Button).press()
        await user.until_seen("3 files kept")
        assert (await asyncio.to_thread(filled.search, "roses"))[0].path.name == "roses.md"

    filled.search("roses")
    drive(filled, scenario)


def test_a_damaged_collection_is_shown_and_can_be_rebuilt(filled: Library) -> None:
    catalog = filled.home.path / "collections" / "docs" / "catalog.db"
    filled.close()
    catalog.write_bytes(b"not a database" * 100)

    async def scenario(user: User) -> None:
        await user.until_seen("damaged", "rebuild it: Collections › Rebuild")
        await user.press("t")
        await user.until_seen("cannot be opened")
        await user.press("r")
        await user.until(lambda: isinstance(user.app.screen, Confirm))
        user.app.screen.query_one("#yes", Button).press()
        await user.until_seen("3 indexed")

    drive(filled, scenario)


def test_leaving_the_app_ends_its_jobs(tmp_path: Path, long_folder: Path) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: names(user) == ["long"])
        await user.press("i")
        await user.until_seen("Index long: Embedding")

    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.1)) as slow:
        slow.index(long_folder, options=none_embedded())
        drive(slow, scenario)
        assert slow.status("long").vectors < 80


def none_embedded() -> RunOptions:
    """A run that leaves nearly all of the embedding to the next."""
    return RunOptions(is_interrupted=lambda: True)


def test_how_much_a_folder_has_and_how_long_it_takes_is_said_before_it_is_indexed(
    tmp_path: Path, library: Library
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1240):
        (folder / f"{number}.txt").write_text("1234567890" * 241)
    (folder / "film.mp4").write_bytes(b"x" * 10_000_000)
    (folder / ".hidden.txt").write_text("left out")
    save_theme(library.home, "nord")
    save_speed(library.home, 2500)

    async def scenario(user: User) -> None:
        await user.press("a")
        await user.until(lambda: isinstance(user.app.screen, AddFolder))
        user.app.screen.query_one("#path", Input).value = str(folder)
        await user.until_seen("1,240 files, 3.0 MB, about 20 min")
        user.app.screen.query_one("#path", Input).value = str(folder / "none")
        await user.until(lambda: "1,240 files" not in user.seen)

    drive(library, scenario)
    assert (load_theme(library.home), load_speed(library.home)) == ("nord", 2500)


def test_a_run_on_a_new_folder_tells_how_fast_this_machine_is(tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    (folder / "one.txt").write_text("The boiler is cold. " * 100)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        usual = load_speed(library.home)
        index_folder(folder, "long", 2000).run(library)
        assert load_speed(library.home) == usual  # too small to tell
        index_folder(folder, "again", 2_000_000).run(library)
        assert load_speed(library.home) != usual
