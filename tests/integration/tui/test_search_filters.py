"""Filters: seen as chips, chosen in a dialog, written into the query."""

import pytest

from searchkit.library import Library
from searchkit_tui.search.filter_screen import FilterScreen, TickList
from tests.support.driving import Session, drive


def test_what_a_query_demands_is_shown_as_it_was_understood(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search('boiler type:md since:2024 -garden "too low"')
        assert session.chips == '[type: md]  [since 2024-01-01]  ["too low"]  [not garden]'
        assert session.chips in session.seen
        await session.search("boiler since:banana")
        assert session.chips == ""

    drive(library, scenario)


def test_a_query_that_demands_too_much_is_a_toast(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler since:2025 until:2024")
        assert session.chips == ""
        assert "Swap them" in session.toasts[0]

    drive(library, scenario)


async def _open(session: Session) -> FilterScreen:
    await session.press("ctrl+f")
    await session.until(lambda: isinstance(session.app.screen, FilterScreen))
    await session.until(lambda: "text (1 file)" in session.seen)
    screen = session.app.screen
    assert isinstance(screen, FilterScreen)
    return screen


def test_the_dialog_writes_filters_into_the_query(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler -secret since:2020")
        await _open(session)
        await session.press("space")  # the first type: the most frequent one
        await session.press("tab", "tab")
        await session.type("notes")
        await session.press("enter")
        expected = "pruning boiler -secret type:markdown folder:notes since:2020"
        await session.until(lambda: session.box.value == expected)
        await session.until(lambda: session.answered_query == expected)
        assert "[type: markdown]" in session.chips
        assert set(session.names) == {"boiler.md", "garden.md", "notes.md"}

    drive(library, scenario)


def test_what_the_query_says_already_is_ticked_and_can_be_taken_back(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler type:text")
        screen = await _open(session)
        assert screen.query_one("#types", TickList).ticked == ("text",)
        assert "[x] text (1 file)" in session.seen
        assert "[ ] markdown (3 files)" in session.seen
        assert session.seen.index("[x] text") < session.seen.index("[ ] markdown")  # though fewer files are text
        screen.query_one("#types", TickList).show([], [])
        await session.press("enter")
        await session.until(lambda: session.box.value == "boiler")

    drive(library, scenario)


def test_escape_changes_nothing(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler type:md")
        await _open(session)
        await session.press("space", "escape")
        assert session.box.value == "boiler type:md"
        assert not isinstance(session.app.screen, FilterScreen)

    drive(library, scenario)


@pytest.mark.parametrize("rows", [24, 50])
def test_it_fits_small_terminals(library: Library, rows: int) -> None:
    async def scenario(session: Session) -> None:
        screen = await _open(session)
        box = screen.query_one(".box").region
        assert box.width <= 80
        assert box.bottom <= rows

    drive(library, scenario, columns=80, rows=rows)


def test_collections_can_be_chosen_for_the_session(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        assert session.status.endswith("notes, other")
        await session.press("ctrl+f")
        await session.until(lambda: "text (2 files)" in session.seen)
        screen = session.app.screen
        collections = screen.query_one("#collections", TickList)
        collections.focus()
        await session.press("down", "space", "enter")
        await session.until(lambda: session.status.endswith("hash · notes"))

    library.index(library.collection("notes").roots()[0], collection="other")
    drive(library, scenario)
