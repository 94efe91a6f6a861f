"""Why a hit stands where it does: a pane beside the list, for the selected hit."""

from rich.table import Table
from textual.widgets import Static

from searchkit.library import Library
from searchkit_tui.search.screen import SearchScreen
from tests.support.driving import Session, drive


def _why(session: Session) -> dict[str, str]:
    """The reasons as they are shown, by their names; none while the pane is hidden."""
    screen = session.app.screen_stack[0]
    shown = screen.query_one("#preview-reasons", Static).content
    if not screen.query_one("#preview-why").display or not isinstance(shown, Table):
        return {}
    names, texts = (column.cells for column in shown.columns)
    return dict(zip(map(str, names), map(str, texts), strict=True))


def test_a_key_shows_why_a_hit_was_found_and_hides_it_again(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        assert _why(session) == {}
        await session.press("alt+e")
        await session.until(lambda: _why(session))
        shown = _why(session)
        hit = session.results.hits[0]
        of = sum(each.evidence.bm25 is not None for each in session.results.hits)
        assert shown["score"] == f"{hit.score:.2f}"
        assert shown["by words"] == f"BM25 {hit.evidence.bm25:.2f}, number 1 of {of}"
        assert shown["by meaning"].startswith(f"cosine {hit.evidence.similarity:.3f}, number 1 of ")
        assert shown["words"] == "boiler, pressure"
        assert shown["sum"].startswith("ranked by ")
        assert "× meaning" in shown["sum"]
        assert shown["place"].endswith("boiler.md:3")
        assert shown["collection"] == "notes"
        assert shown["date"] == hit.date
        assert "boiler.md:3" in session.seen
        assert "number 1 of" in session.seen
        await session.press("alt+e")
        await session.until(lambda: _why(session) == {})

    drive(library, scenario)


def test_escape_closes_the_reasons_and_leaves_the_query(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.press("alt+e")
        await session.until(lambda: _why(session))
        await session.press("escape")
        await session.until(lambda: _why(session) == {})
        assert session.box.value == "boiler"
        await session.press("escape")
        await session.until(lambda: not session.box.value)

    drive(library, scenario)


def test_it_follows_the_selection_and_names_corrected_spellings(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("alt+e")
        await session.search("preasure boiler")
        await session.until(lambda: _why(session).get("spelling") == "pressure for preasure")
        await session.press("down")
        second = session.results.hits[1]
        await session.until(lambda: _why(session).get("score", "").startswith(f"{second.score:.2f}"))
        assert second.path.name in _why(session)["place"]
        await session.search("pruning")
        await session.until(lambda: _why(session).get("words", "").lower() == "pruning")
        assert "spelling" not in _why(session)

    drive(library, scenario)


def test_the_palette_shows_it_too_and_the_preview_with_it(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.press("ctrl+o")
        assert "Why this hit" in {each.title for each in session.app.get_system_commands(session.app.screen)}
        assert isinstance(session.app.screen, SearchScreen)
        session.app.screen.action_toggle_why()
        await session.until(lambda: _why(session) and session.heading)

    drive(library, scenario)


def test_a_listed_file_that_nothing_ranks_has_its_place_and_date(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: session.names)
        await session.press("alt+e")
        await session.until(lambda: _why(session))
        assert set(_why(session)) <= {"place", "heading", "date", "collection"}

    drive(library, scenario)


def test_on_a_small_terminal_the_keys_that_scroll_the_preview_reach_all_of_it(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("alt+e")
        await session.until(lambda: "number 1 of" in session.seen)
        assert "ranked by" not in session.seen
        for _ in range(4):
            await session.press("shift+down")
        await session.until(lambda: "ranked by" in session.seen)

    drive(library, scenario, columns=80, rows=24)
