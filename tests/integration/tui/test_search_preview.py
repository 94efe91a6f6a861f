"""The preview: a passage in its document, marked and scrolled to."""

from pathlib import Path

import pytest
from textual import events

from searchkit.collection import Collection
from searchkit.library import Library
from searchkit_tui.search.preview import DocumentScroll, Preview
from searchkit_tui.search.results_pane import ResultsPane
from tests.support.driving import Session, drive, marked_text, write_files
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

LONG = "# Manual\n\n" + "\n\n".join(
    f"## Part {number}\n\n" + f"Sentence about wheel {number} and what turns it. " * 20 for number in range(60)
)
CODE = '"""Reads gauges."""\n\nLIMIT = 3\n\n\ndef read_gauge(path):\n    """The level in metres."""\n    return float(path)\n'


def drive_over(tmp_path: Path, files: dict[str, str], scenario: object, columns: int = 120) -> None:
    folder = write_files(tmp_path / "docs", files)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(folder)
        drive(library, scenario, columns=columns)  # type: ignore[arg-type]


def test_it_says_where_and_why_and_shows_the_marks(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pressure bar")
        where, heading, reason = session.heading.split("\n")
        assert where.endswith("boiler.md:3")
        assert heading == "Heating"
        assert reason.startswith("meaning 0.")
        assert "words: pressure, bar" in reason
        assert marked_text(session.preview()) == ["pressure", "bar"]
        assert "The boiler pressure is too low." in session.seen

    drive(library, scenario)


def test_the_passage_stands_in_its_document_scrolled_to_and_with_what_is_around(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 30"')
        await session.until(lambda: "wheel 30" in session.preview().plain)
        above, below = session.preview("above").plain, session.preview("below").plain
        assert above.startswith("… ")
        assert "more passages above" in above.split("\n")[0]
        assert "wheel 29" in above
        assert "wheel 31" in below
        assert "more passages below" in below
        document = session.app.screen.query_one("#preview-document")
        await session.until(lambda: document.scroll_y > 0)
        passage = session.app.screen.query_one("#preview-passage")
        await session.until(lambda: document.region.contains_point(passage.region.offset))

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_tab_shows_the_passage_alone_and_its_document_again(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 30"')
        await session.until(lambda: session.preview("above").plain)
        await session.press("tab")
        await session.until(lambda: not session.preview("above").plain)
        assert "wheel 30" in session.preview().plain
        await session.press("tab")
        await session.until(lambda: session.preview("above").plain)

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_shift_and_arrows_scroll_it_and_ctrl_o_hides_it(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 30"')
        document = session.app.screen.query_one("#preview-document")
        await session.until(lambda: document.scroll_y > 0)
        at = document.scroll_y
        await session.press("shift+down")
        assert document.scroll_y == at + 3
        await session.press("shift+up")
        assert document.scroll_y == at
        await session.press("ctrl+o")
        assert not session.app.screen.query_one(Preview).display
        assert session.results.region.width == 120
        await session.press("ctrl+o")
        assert session.heading

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_markdown_is_rendered_and_keeps_its_marks(tmp_path: Path) -> None:
    text = "# Bread\n\nUse **strong** flour.\n\n- see [the mill](https://mill.example)\n- `salt` last\n\n```python\nx = 1\n```\n"

    async def scenario(session: Session) -> None:
        await session.search("flour mill salt")
        await session.until(lambda: "flour" in session.preview().plain)
        shown = session.preview()
        assert "Use strong flour." in shown.plain
        assert "• see the mill (https://mill.example)" in shown.plain
        assert "• salt last" in shown.plain
        assert "x = 1" in shown.plain
        assert "```" not in shown.plain
        assert {"flour", "mill", "salt"} <= set(marked_text(shown))

    drive_over(tmp_path, {"bread.md": text}, scenario)


def test_code_is_coloured_and_keeps_every_character_and_mark(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("level metres gauge")
        await session.until(lambda: "def read_gauge" in session.preview("passage").plain)
        whole = "".join(session.preview(part).plain for part in ("above", "passage", "below"))
        assert "    return float(path)" in whole
        styles = {str(span.style) for span in session.preview().spans}
        assert any("$text-accent" in style for style in styles)
        assert "level" in marked_text(session.preview())

    drive_over(tmp_path, {"gauge.py": CODE}, scenario)


def test_right_to_left_and_wide_text_stay_inside_their_panes(tmp_path: Path) -> None:
    text = "שלום עולם walrus \u202eevil\u202c \u200fnote\u200e 漢字かな交じり文 🦭 e\u0301\n"

    async def scenario(session: Session) -> None:
        await session.search("walrus")
        await session.until(lambda: "walrus" in session.preview().plain)
        shown = session.seen
        assert not {
            sign for sign in shown if sign in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        }
        strips = session.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {80}

    drive_over(tmp_path, {"世界-שלום.txt": text}, scenario, columns=80)


def test_a_document_that_is_forgotten_meanwhile_still_shows_its_passage(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from searchkit.errors import CollectionNotFoundError

    def gone(*_: object, **__: object) -> None:
        raise CollectionNotFoundError("No collection named 'notes'.")

    async def scenario(session: Session) -> None:
        await session.search("pressure")
        await session.until(lambda: "pressure" in session.preview().plain)
        assert session.preview("above").plain == ""

    monkeypatch.setattr(Collection, "context_of", gone)
    drive(library, scenario)


PRESSES = 500  # of a key; whoever needs more has not got there


def test_scrolling_to_an_end_brings_more_of_the_document_and_moves_nothing(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 30"')
        await session.until(lambda: "wheel 31" in session.preview("below").plain)
        document = session.app.screen.query_one(DocumentScroll)
        assert "wheel 0 " not in session.preview("above").plain
        for _ in range(PRESSES):
            if "wheel 0 " in session.preview("above").plain:
                break
            await session.press("shift+up")
        assert "wheel 0 " in session.preview("above").plain
        await session.until(lambda: document.scroll_y > 0)
        lines = session.preview("above").plain.split("\n")
        assert not lines[0].startswith("… ")
        assert "wheel 59 " not in session.preview("below").plain
        for _ in range(PRESSES):
            if "wheel 59 " in session.preview("below").plain:
                break
            document.scroll_end(animate=False, immediate=True)
            await session.press("shift+down")
        assert "wheel 59 " in session.preview("below").plain
        assert "more passages" not in session.preview("below").plain

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_what_is_looked_at_stays_where_it_is_when_more_comes_above_it(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 50"')
        document = session.app.screen.query_one(DocumentScroll)
        passage = session.app.screen.query_one("#preview-passage")
        await session.until(lambda: document.scroll_y > 0)
        before = session.preview("above").plain
        while session.preview("above").plain == before:
            stood_at = document.scroll_offset.y - passage.virtual_region.y
            await session.press("shift+up")
        await session.until(lambda: document.scroll_y > 3)
        await session.until(lambda: stood_at - 3 <= document.scroll_offset.y - passage.virtual_region.y <= stood_at)

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_the_wheel_brings_more_too_and_another_hit_begins_anew(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search('"wheel 30"')
        await session.until(lambda: "wheel 31" in session.preview("below").plain)
        document = session.app.screen.query_one(DocumentScroll)
        await session.until(lambda: document.scroll_y > 0)
        await session.press("shift+down")
        document.scroll_end(animate=False, immediate=True)
        document.post_message(events.MouseScrollDown(document, 1, 1, 0, 1, 0, shift=False, meta=False, ctrl=False))
        await session.until(lambda: "wheel 45" in session.preview("below").plain)
        await session.search('"wheel 2 "')
        await session.until(lambda: "wheel 3 " in session.preview("below").plain)
        assert "wheel 20 " not in session.preview("below").plain

    drive_over(tmp_path, {"manual.md": LONG}, scenario)


def test_the_passage_is_in_sight_however_quickly_the_selection_moves_and_after_a_resize(tmp_path: Path) -> None:
    def in_sight(session: Session) -> bool:
        document = session.app.screen.query_one(DocumentScroll)
        passage = session.app.screen.query_one("#preview-passage")
        return document.region.contains_point(passage.region.offset)

    async def scenario(session: Session) -> None:
        await session.search("wheel turns")
        await session.until(lambda: len(session.names) > 1)
        for _ in range(8):
            await session.press("down", "up", "down", "down", "up")
            await session.until(
                lambda: session.app.screen.query_one(ResultsPane).previewed == session.results.selected_hit
            )
            await session.until(lambda: in_sight(session))
        await session.pilot.resize_terminal(70, 30)
        await session.until(lambda: session.app.screen.size.width == 70)
        await session.until(lambda: in_sight(session))

    drive_over(tmp_path, {"manual.md": LONG, "short.md": "The wheel turns.\n"}, scenario)
