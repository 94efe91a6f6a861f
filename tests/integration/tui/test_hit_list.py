"""The list of hits, as it is read and moved through; and the themes in the palette."""

from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from searchkit.library import Library
from searchkit_tui.rendering.hit_content import is_weak
from searchkit_tui.settings.saved_state import load_theme
from tests.support.driving import Session, drive, write_files


def index_weak_hits(library: Library, tmp_path: Path) -> None:
    pages = {f"{number}.md": f"Page {number} is of other things, {number * 7}.\n" for number in range(9)}
    library.index(write_files(tmp_path / "other", pages))


def test_weak_hits_stand_below_a_rule_and_are_folded_after_three(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        weak = [hit for hit in session.results.hits if is_weak(hit)]
        strong = len(session.results.hits) - len(weak)
        assert strong
        assert len(weak) > 4
        assert not any(is_weak(hit) for hit in session.results.hits[:strong])
        assert f"… {len(weak) - 3} more weak hits" in session.seen
        assert session.seen.count("  weak") == 3
        for _ in range(strong + 2):
            await session.press("down")
        assert "more weak hits" in session.seen
        await session.press("down")
        assert "more weak hits" not in session.seen
        assert session.results.highlighted == strong + 3
        assert session.results.selected_hit == weak[3]

    index_weak_hits(library, tmp_path)
    drive(library, scenario)


def test_the_line_below_the_hits_unfolds_at_a_click(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        lines = session.seen.splitlines()
        row = next(index for index, line in enumerate(lines) if "more weak hits" in line)
        await session.pilot.click(offset=(14, row))
        await session.until(lambda: "more weak hits" not in session.seen)
        assert session.selected == session.names[0]

    index_weak_hits(library, tmp_path)
    drive(library, scenario)


def test_hits_that_say_the_same_open_below_the_first_and_fold_again(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("carry backup tapes vault")
        first = session.results.selected_hit
        assert first is not None
        assert len(first.alike) == 3
        assert "+3 like it" in session.seen
        assert "and 3 more like it" in session.seen  # the heading of the preview
        listed = len(session.results.hits)
        await session.press("alt+m")
        assert len(session.results.hits) == listed + 3
        assert session.results.selected_hit == first
        for other in first.alike:
            await session.press("down")
            assert session.results.selected_hit == other
        await session.press("alt+m")
        assert len(session.results.hits) == listed
        assert session.results.selected_hit == first

    others = ("Rain.", "Anna called.", "Paint in the kitchen.", "Holidays at last.")
    pages = {
        f"day-{n}.md": f"# Day {n}\n\n{other}\n\nRemember to carry the backup tapes to the vault.\n"
        for n, other in enumerate(others)
    }
    library.index(write_files(tmp_path / "diary", pages))
    drive(library, scenario)


def test_files_of_one_name_are_told_apart(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("zeppelin")
        await session.until(lambda: "summer/log.md" in session.seen and "winter/log.md" in session.seen)

    for season in ("summer", "winter"):
        write_files(tmp_path / "logs" / season, {"log.md": f"The zeppelin flew in {season}.\n"})
    library.index(tmp_path / "logs")
    drive(library, scenario)


@pytest.mark.parametrize(("kind", "is_dark"), [("light", False), ("dark", True)])
def test_the_palette_finds_light_and_dark_and_shows_them_before_they_are_chosen(
    library: Library, kind: str, is_dark: bool
) -> None:
    async def scenario(session: Session) -> None:
        before = "solarized-light" if is_dark else "nord"
        session.app.choose_theme(before)
        await preview(session)
        assert load_theme(library.home) == before  # it is only shown
        while len(session.app.screen_stack) > 1:
            await session.press("escape")
        await session.until(lambda: session.app.theme == before)
        await preview(session)
        await session.press("enter")
        await session.until(lambda: len(session.app.screen_stack) == 1)
        await session.until(lambda: load_theme(library.home) == session.app.theme != before)

    async def preview(session: Session) -> None:
        await session.press("ctrl+p")
        await session.type(kind)
        await session.until(lambda: session.app.current_theme.dark is is_dark)

    drive(library, scenario)


def test_the_selected_name_is_readable_in_every_theme(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        for name in sorted(BUILTIN_THEMES):
            if "ansi" in name:
                continue  # the terminal chooses these colours
            session.app.theme = name
            await session.settle("boiler.md")
            strip = session.app.screen._compositor.render_strips()[session.results.region.y]
            style = next(segment.style for segment in strip if "boiler" in segment.text)
            assert style is not None
            assert style.color is not None
            assert style.bgcolor is not None
            colours = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            darker, lighter = sorted(map(luminance, colours))
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name  # WCAG 2, level AA

    drive(library, scenario)


def luminance(color: Color) -> float:
    """The relative luminance of WCAG 2, from 0 to 1."""
    parts = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in color.normalized]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
