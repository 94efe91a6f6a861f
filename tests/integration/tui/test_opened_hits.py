"""Hits that are opened: noted with their queries if one has said so, and what is said of it."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from searchkit.library import Library
from searchkit.search.click_log import read_opened
from searchkit_tui.ask.screen import AskScreen
from searchkit_tui.widgets.help_screen import HelpScreen
from searchkit_tui.widgets.open_hit import THREAD, OpenedHits
from tests.integration.tui.test_ask import none_found
from tests.support.driving import Session, drive
from tests.support.small_app import shown

SAID = "keeps what you open"


@pytest.fixture
def keeping(library: Library) -> Library:
    """A library whose user wants opened hits to be kept."""
    (library.home.path / "config.toml").write_text("keep_opened = true\n")
    return library


@pytest.fixture(autouse=True)
def editor(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An editor that takes the terminal, and the last word of each of its commands."""
    opened: list[str] = []

    @contextmanager
    def suspended(_: App[Any]) -> Iterator[None]:
        yield

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command[0] != "vim":
            raise FileNotFoundError(2, "No such file or directory")
        opened.append(Path(command[-1]).name)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setenv("VISUAL", "vim")
    monkeypatch.setattr(App, "suspend", suspended)
    monkeypatch.setattr("searchkit_tui.widgets.open_hit.subprocess.run", run)
    return opened


def kept(library: Library) -> list[tuple[str, str]]:
    """Wait until everything is recorded, and return it."""
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join()
    return noted(library)


def noted(library: Library) -> list[tuple[str, str]]:
    return [(one.query, one.path.name) for one in read_opened(library.home)]


def test_what_is_opened_and_what_is_copied_is_noted_once_and_what_is_looked_at_is_not(keeping: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning  boiler")
        await session.press("down", "up", "tab", "ctrl+o", "ctrl+o", "ctrl+t", "f1", "escape")
        await session.search("boiler pressure")
        await session.press("enter", "ctrl+y", "enter")
        await session.search("apple tree -walrus")
        await session.press("ctrl+y")
        await session.until(lambda: len(noted(keeping)) == 2)
        assert SAID in session.status

    drive(keeping, scenario)
    assert kept(keeping) == [("boiler pressure", "boiler.md"), ("apple tree -walrus", "garden.md")]
    (first, _) = read_opened(keeping.home)
    assert (first.collection, first.title) == ("notes", "Heating")
    assert first.text == "The boiler pressure is too low. Fill it up to 1.5 bar."


def test_the_query_is_that_of_the_hits_and_not_what_is_typed_meanwhile(
    keeping: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        monkeypatch.setattr("searchkit_tui.search.background.PAUSE_SECONDS", 60)
        await session.type(" zebra")
        await session.press("enter")
        await session.until(lambda: noted(keeping))

    drive(keeping, scenario)
    assert kept(keeping) == [("boiler pressure", "boiler.md")]


def test_similar_passages_and_those_of_filters_alone_answer_no_query(keeping: Library, editor: list[str]) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("ctrl+s")
        await session.until(lambda: session.status.startswith("similar"))
        await session.press("enter", "ctrl+y", "escape")
        await session.search("type:md")
        await session.press("enter", "ctrl+y")

    drive(keeping, scenario)
    assert len(editor) == 2
    assert kept(keeping) == [] and not keeping.home.click_log.exists()


def test_what_could_not_be_opened_is_not_noted(keeping: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("enter")
        monkeypatch.setenv("VISUAL", "/nowhere/code")
        await session.press("enter")
        await session.until(lambda: any("could not be started" in toast for toast in session.toasts))
        session.results.hits[0].path.unlink()
        await session.press("enter")

    monkeypatch.setenv("VISUAL", "emacs")
    drive(keeping, scenario)
    assert kept(keeping) == [] and not keeping.home.click_log.exists()


def test_what_a_program_with_a_window_shows_is_noted(keeping: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("enter")
        await session.until(lambda: noted(keeping))

    monkeypatch.setenv("VISUAL", "code")
    monkeypatch.setattr("searchkit_tui.widgets.open_hit.show_in_window", lambda _: "")
    drive(keeping, scenario)
    assert kept(keeping) == [("boiler pressure", "boiler.md")]


def test_unless_one_says_so_nothing_is_noted_and_nothing_said(library: Library, editor: list[str]) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("enter", "ctrl+y", "f1")
        await session.until(lambda: isinstance(session.app.screen, HelpScreen))
        assert "are kept with their queries" not in session.seen
        assert SAID not in session.status

    drive(library, scenario)
    assert editor == ["boiler.md"]
    assert kept(library) == [] and not library.home.click_log.exists()


def test_the_help_says_that_it_is_kept_and_how_to_see_and_erase_it(keeping: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("f1")
        await session.until(lambda: "searchkit train opened" in session.seen)
        for told in ("open or copy are kept", "--erase", "keep_opened = false"):
            assert told in session.seen

    drive(keeping, scenario)


def test_who_switches_it_off_meanwhile_is_obeyed_at_once(keeping: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        (keeping.home.path / "config.toml").write_text("")
        await session.press("enter", "ctrl+y")

    drive(keeping, scenario)
    assert kept(keeping) == [] and not keeping.home.click_log.exists()


@pytest.mark.parametrize("trouble", ["config", "file"])
def test_what_cannot_be_noted_is_said_once_and_quietly(keeping: Library, editor: list[str], trouble: str) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        if trouble == "config":
            (keeping.home.path / "config.toml").write_text("keep_opened = \n")
        else:
            keeping.home.click_log.mkdir(parents=True)
        await session.press("enter")
        await session.until(lambda: session.toasts)
        await session.press("enter", "enter")
        (toast,) = session.toasts
        assert toast.startswith("What you open is not recorded: ")
        assert ("not valid TOML" if trouble == "config" else "opened.jsonl") in toast

    drive(keeping, scenario)
    assert editor == ["boiler.md"] * 3


def test_a_source_of_an_answer_that_is_opened_is_noted_with_the_question(keeping: Library, editor: list[str]) -> None:
    async def run() -> None:
        opened = OpenedHits(keeping.home)
        question = "where are the shears"
        screen = AskScreen(keeping, question, (), open_answerer=none_found, opened=opened)
        async with shown(lambda _: screen) as user:
            await user.until_seen("[1]")
            await user.press("1", "o")
            await user.until(lambda: noted(keeping))
            await user.press("f1")
            await user.until_seen("open or copy are kept")

    asyncio.run(run())
    assert kept(keeping) == [("where are the shears", editor[0])]
