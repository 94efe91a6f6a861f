"""The search screen, driven by keys over a real index of a few files."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from searchkit.embedding.embedder import Vectors
from searchkit.errors import CollectionNotFoundError, ModelError
from searchkit.library import Library
from searchkit_tui.app import SearchApp
from searchkit_tui.hit_content import MARK_STYLE
from searchkit_tui.result_list import ResultList
from searchkit_tui.search_screen import NOTHING_INDEXED
from searchkit_tui.status_line import StatusLine
from tests.hash_embedder import HashEmbedder

FILES = {
    "boiler.md": "# Heating\n\nThe boiler pressure is too low. Fill it up to 1.5 bar.\n",
    "garden.md": "# Garden\n\nThe apple tree needs pruning in February.\n",
    "notes.md": "# Notes\n\nPruning shears are next to the boiler.\n",
    "hostile.txt": "Walrus [bold]x[/bold] [@click=app.quit]y[/] \x1b[31mred\x1b[0m \x9b2Jend [not closed\n",
}


class GatedEmbedder(HashEmbedder):
    """Embeds queries with the word 'slow' only once the gate is open; 'broken' and 'crash' fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.is_waiting = threading.Event()
        self.has_passed = threading.Event()
        self.queries: list[str] = []
        self.at_work = 0
        self.most_at_work = 0

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        self.queries += queries
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return self._gated(queries)
        finally:
            self.at_work -= 1
            if self.gate.is_set():
                self.has_passed.set()

    def _gated(self, queries: Sequence[str]) -> Vectors:
        if "broken" in queries[0]:
            raise ModelError("The model folder is damaged [really]. Import it again.")
        if "crash" in queries[0]:
            raise ZeroDivisionError("[oops")
        if "slow" in queries[0]:
            self.is_waiting.set()
            assert self.gate.wait(10)
        return super().embed_queries(queries)


class Session:
    """What a user does and sees."""

    def __init__(self, app: SearchApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def type(self, text: str) -> None:
        await self.pilot.press(*("space" if sign == " " else sign for sign in text))

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(500):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"Never came true. Status: {self.status!r}, hits: {self.names}")

    async def search(self, text: str) -> None:
        """Replace the query and wait for its answer."""
        self.app.screen.query_one(Input).value = text
        await self.until(lambda: self.answered_query == text)
        await self.pilot.pause()

    @property
    def answered_query(self) -> str:
        answer = self.app.screen.query_one(StatusLine).answer
        return answer.request.query if answer else ""

    @property
    def names(self) -> list[str]:
        return [hit.path.name for hit in self.app.screen.query_one(ResultList).hits]

    @property
    def status(self) -> str:
        return self.app.screen.query_one(StatusLine).render().plain

    @property
    def message(self) -> str:
        widget = self.app.screen.query_one("#message", Static)
        return str(widget.content) if widget.display else ""

    def preview(self, part: str = "passage") -> Content:
        content = self.app.screen.query_one(f"#preview-{part}", Static).content
        assert isinstance(content, Content)
        return content

    def screen_text(self) -> str:
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in lines)


@pytest.fixture
def embedder() -> Iterator[GatedEmbedder]:
    embedder = GatedEmbedder()
    yield embedder
    embedder.gate.set()


@pytest.fixture
def library(tmp_path: Path, embedder: GatedEmbedder) -> Iterator[Library]:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with Library(tmp_path / "home", embedder=embedder) as library:
        library.index(folder)
        yield library


@asynccontextmanager
async def opened(library: Library, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Session]:
    app = SearchApp(library)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Session(app, pilot)


def drive(library: Library, scenario: Callable[[Session], Coroutine[Any, Any, None]], *, columns: int = 120) -> None:
    async def run() -> None:
        async with opened(library, (columns, 36)) as session:
            await scenario(session)

    asyncio.run(run())


def marked_text(content: Content) -> list[str]:
    return [content.plain[span.start : span.end] for span in content.spans if span.style == MARK_STYLE]


def test_typing_shows_hits_and_what_was_found(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        assert session.message == "Type to search notes."
        await session.type("fill")
        await session.until(lambda: session.names)
        assert session.names[0] == "boiler.md"
        assert session.status.startswith("hybrid · ")
        assert " hits · " in session.status
        assert session.status.endswith(" ms · notes")
        assert session.message == ""
        assert embedder.queries == ["fill"]  # one search, after the pause

    drive(library, scenario)


def test_the_preview_says_where_and_why_and_shows_the_marks(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pressure bar")
        where, heading, reason = session.preview("heading").plain.split("\n")
        assert where.endswith("boiler.md:3")
        assert heading == "Heating"
        assert reason.startswith("meaning 0.")
        assert "words: pressure, bar" in reason
        assert marked_text(session.preview()) == ["pressure", "bar"]
        assert "The boiler pressure is too low." in session.screen_text()

    drive(library, scenario)


def test_arrow_keys_change_the_preview_while_the_query_keeps_the_focus(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        first = session.preview().plain
        await session.pilot.press("up")
        assert session.preview().plain == first
        await session.pilot.press("down")
        await session.until(lambda: session.preview().plain != first)
        await session.pilot.click(ResultList, offset=(5, 0))
        await session.until(lambda: session.preview().plain == first)
        assert isinstance(session.app.focused, Input)
        await session.type("s")
        assert session.app.screen.query_one(Input).value == "pruning boilers"

    drive(library, scenario)


def test_a_query_that_was_cleared_is_not_answered_any_more(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.type("slow")
        await session.until(embedder.is_waiting.is_set)
        await session.pilot.press("escape")
        embedder.gate.set()
        await session.until(embedder.has_passed.is_set)
        await session.pilot.pause(0.1)
        assert session.names == []
        assert session.message == "Type to search notes."

    drive(library, scenario)


def test_only_the_last_query_is_answered_and_old_hits_stay_until_then(
    library: Library, embedder: GatedEmbedder
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("apple")
        before = session.names
        session.app.screen.query_one(Input).value = "slow boiler"
        await session.until(embedder.is_waiting.is_set)
        assert "searching…" not in session.status
        await session.until(lambda: "searching…" in session.status)
        assert session.names == before
        session.app.screen.query_one(Input).value = "walrus"
        await session.pilot.pause(0.2)  # its search is due now, and waits for the other
        session.app.screen.query_one(Input).value = "pruning"
        await session.pilot.pause(0.2)
        assert session.names == before
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "pruning")
        assert embedder.queries == ["apple", "slow boiler", "pruning"]  # the one between was dropped unsearched
        assert embedder.most_at_work == 1
        assert "searching…" not in session.status

    drive(library, scenario)


def test_ctrl_r_goes_through_the_modes_and_asks_again(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        for mode in ("semantic", "lexical", "hybrid"):
            await session.pilot.press("ctrl+r")
            await _until_answered_in(session, mode)
            assert session.status.startswith(f"{mode} · ")
        await session.pilot.press("ctrl+r", "ctrl+r")
        await _until_answered_in(session, "lexical")
        assert session.names == ["boiler.md", "notes.md"]
        assert session.preview("heading").plain.split("\n")[-1] == "words: boiler · in notes"

    drive(library, scenario)


async def _until_answered_in(session: Session, mode: str) -> None:
    def is_answered() -> bool:
        answer = session.app.screen.query_one(StatusLine).answer
        return answer is not None and answer.request.mode == mode

    await session.until(is_answered)
    await session.pilot.pause()


def test_escape_clears_the_query_and_then_quits(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.pilot.press("escape")
        await session.until(lambda: session.message == "Type to search notes.")
        assert session.app.screen.query_one(Input).value == ""
        assert session.names == []
        assert session.status == "hybrid · notes"
        assert session.app.is_running
        await session.pilot.press("escape")
        await session.until(lambda: not session.app.is_running)

    drive(library, scenario)


def test_ctrl_q_quits(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.pilot.press("ctrl+q")
        await session.until(lambda: not session.app.is_running)
        assert session.app.return_code == 0

    drive(library, scenario)


def test_what_files_say_is_shown_as_it_is_written(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("walrus")
        expected = "Walrus [bold]x[/bold] [@click=app.quit]y[/] [31mred[0m 2Jend [not closed"
        assert session.names[0] == "hostile.txt"
        assert session.preview().plain.strip() == expected
        assert marked_text(session.preview()) == ["Walrus"]
        shown = session.screen_text()
        assert expected in shown
        assert not [sign for sign in shown if sign != "\n" and (ord(sign) < 32 or 127 <= ord(sign) < 160)]

    drive(library, scenario, columns=160)


def test_on_a_narrow_terminal_the_preview_is_below(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        results = session.app.screen.query_one(ResultList).region
        preview = session.app.screen.query_one("Preview").region
        assert preview.y >= results.bottom
        assert preview.width == results.width

    drive(library, scenario, columns=70)


def test_nothing_found_is_said(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.pilot.press("ctrl+r", "ctrl+r")
        await session.search("zzyzx")
        assert session.message == "Nothing found."
        assert "0 hits" in session.status

    drive(library, scenario)


def test_errors_are_shown_in_full_and_the_next_search_works(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("broken")
        assert "The model folder is damaged [really]. Import it again." in session.status
        await session.search("boiler")
        assert session.names

    drive(library, scenario)


def test_an_unexpected_failure_costs_one_search_only(library: Library) -> None:
    async def scenario(session: Session) -> None:
        session.app.screen.query_one(Input).value = "crash"
        await session.until(lambda: "ZeroDivisionError: [oops" in session.screen_text())
        await session.search("boiler")
        assert session.names

    drive(library, scenario)


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        assert session.message == NOTHING_INDEXED
        await session.type("oil")
        await session.pilot.pause(0.2)
        await session.app.workers.wait_for_complete()
        await session.pilot.pause()
        assert session.message == NOTHING_INDEXED
        assert NOTHING_INDEXED in session.screen_text()

    with Library(tmp_path, embedder=HashEmbedder()) as library:
        with pytest.raises(CollectionNotFoundError, match=NOTHING_INDEXED):
            library.search("boiler")
        drive(library, scenario)


def test_what_is_indexed_meanwhile_is_found(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await asyncio.to_thread(library.index, folder)
        await session.search("boiler")
        assert session.names == ["boiler.md"]
        assert session.status.endswith("notes")

    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "boiler.md").write_text(FILES["boiler.md"])
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        drive(library, scenario)
