"""Queries of former sessions."""

import os
import stat
from pathlib import Path

import pytest

from searchkit.home import Home
from searchkit.library import Library
from searchkit_tui.settings.saved_state import MOST_QUERIES, History
from tests.support.driving import Session, drive


def test_ctrl_up_and_down_go_through_former_queries_and_back_to_the_draft(library: Library) -> None:
    async def first(session: Session) -> None:
        for query in ("boiler", "apple"):
            await session.search(query)
            await session.press("escape")
        await session.search("walrus")

    async def second(session: Session) -> None:
        await session.type("dra")
        await session.press("ctrl+up")
        assert session.box.value == "walrus"
        await session.press("ctrl+up", "alt+up")
        assert session.box.value == "boiler"
        await session.press("ctrl+up")
        assert session.box.value == "boiler"
        await session.press("ctrl+down", "ctrl+down", "alt+down")
        assert session.box.value == "dra"
        await session.press("ctrl+down")
        assert session.box.value == "dra"

    drive(library, first)
    drive(library, second)


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes")
def test_the_file_is_the_users_alone(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("my secret")

    drive(library, scenario)
    file = library.home.path / "history"
    assert file.read_text() == "my secret\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_can_be_switched_off(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("my secret")
        await session.press("escape", "ctrl+up")
        assert session.box.value == "my secret"  # within the session it is kept

    (library.home.path / "config.toml").write_text("history = false\n")
    drive(library, scenario)
    assert not (library.home.path / "history").exists()


def test_a_query_stands_in_it_once_and_the_oldest_are_dropped(tmp_path: Path) -> None:
    history = History(Home(tmp_path))
    for number in range(MOST_QUERIES + 10):
        history.add(f"query {number}")
    history.add("query 100")
    history.save()
    lines = (tmp_path / "history").read_text().splitlines()
    assert len(lines) == MOST_QUERIES
    assert lines[-1] == "query 100"
    assert lines.count("query 100") == 1
    assert lines[0] == "query 10"


def test_two_sessions_at_a_time_lose_nothing(tmp_path: Path) -> None:
    one, other = History(Home(tmp_path)), History(Home(tmp_path))
    one.add("from one")
    other.add("from the other")
    one.save()
    other.save()
    assert (tmp_path / "history").read_text().splitlines() == ["from one", "from the other"]


def test_a_disk_that_cannot_be_written_costs_the_history_only(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")

    (library.home.path / "history").mkdir()
    drive(library, scenario)


def test_what_was_given_up_half_typed_does_not_stay_beside_the_whole(tmp_path: Path) -> None:
    history = History(Home(tmp_path))
    history.add("Boi", is_draft=True)
    history.add("apple")
    history.add("boiler pressure")
    history.add("boiler", is_draft=True)
    history.add("  ")
    history.add("apple", is_draft=True)
    history.add("apple tree")
    history.save()
    assert (tmp_path / "history").read_text().splitlines() == ["boiler pressure", "apple", "apple tree"]


def test_what_is_typed_while_leaving_and_answered_by_nothing_is_not_kept(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        session.box.value = "boiler pressure a"

    drive(library, scenario)
    assert not (library.home.path / "history").exists()
