"""Passages like the selected one: a state to enter and to leave."""

from searchkit.library import Library
from tests.support.driving import Session, drive


def test_ctrl_s_shows_similar_passages_and_escape_leads_back(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        before = session.names
        await session.press("down")
        chosen = session.selected
        await session.press("ctrl+s")
        await session.until(lambda: session.status.startswith("similar · "))
        assert chosen not in session.names
        assert str(session.results.border_title).startswith(f"Esc: back · similar to {chosen}")
        assert session.box.value == "pruning boiler"
        await session.press("escape")
        await session.until(lambda: session.names == before)
        assert session.selected == chosen
        assert session.status.startswith("hybrid · ")
        assert session.box.value == "pruning boiler"

    drive(library, scenario)


def test_similar_of_similar_goes_on_and_one_escape_leads_back_to_the_query(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        before = session.names
        await session.press("ctrl+s")
        await session.until(lambda: session.status.startswith("similar"))
        first = str(session.results.border_title)
        await session.press("ctrl+s")
        await session.until(lambda: str(session.results.border_title) != first)
        await session.press("escape")
        await session.until(lambda: session.names == before)

    drive(library, scenario)


def test_typing_leaves_similar_passages_too(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.press("ctrl+s")
        await session.until(lambda: session.status.startswith("similar"))
        await session.type("s")
        await session.until(lambda: session.answered_query == "boilers")
        assert session.status.startswith("hybrid")

    drive(library, scenario)


def test_without_a_hit_nothing_happens(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler type:pdf")
        await session.press("ctrl+s", "ctrl+y", "enter", "tab", "down", "shift+down")
        assert session.message.startswith("Nothing found")
        assert session.toasts == []

    drive(library, scenario)
