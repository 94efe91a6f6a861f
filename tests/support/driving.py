"""The app in tests: driven by keys over a real index of a few files, and looked at as a user sees it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.content import Content
from textual.widgets import Input, Static

from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.types import SearchMode
from searchkit_indexes import Vectors
from searchkit_tui.app import SearchApp
from searchkit_tui.rendering.hit_content import MARK_STYLE
from searchkit_tui.search.preview import Preview
from searchkit_tui.search.result_list import Chips, ResultList
from searchkit_tui.search.status_line import StatusLine
from tests.support.hash_embedder import HashEmbedder
from tests.support.small_app import Driver

FILES = {
    "boiler.md": "# Heating\n\nThe boiler pressure is too low. Fill it up to 1.5 bar.\n",
    "garden.md": "# Garden\n\nThe apple tree needs pruning in February.\n",
    "notes.md": "# Notes\n\nPruning shears are next to the boiler.\n",
    "hostile.txt": "Walrus [bold]x[/bold] [@click=app.quit]y[/] \x1b[31mred\x1b[0m \x9b2Jend [not closed\n",
}


class GatedEmbedder(HashEmbedder):
    """Embeds queries with the word 'slow' only once the gate is open; 'broken' and 'crash' fail.

    `warm`: opened later, it stands for a model that takes its time to load.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.warm = threading.Event()
        self.warm.set()
        self.is_waiting = threading.Event()
        self.has_passed = threading.Event()
        self.asked: list[str] = []
        self.at_work = 0
        self.most_at_work = 0

    @property
    def queries(self) -> list[str]:
        """The requests, except those that only load the model."""
        return [query for query in self.asked if query != "warm up"]

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        self.asked += queries
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return self._gated(queries)
        finally:
            self.at_work -= 1
            if self.gate.is_set():
                self.has_passed.set()

    def _gated(self, queries: Sequence[str]) -> Vectors:
        assert self.warm.wait(10)
        if "broken" in queries[0]:
            raise ModelError("The model folder is damaged [really]. Import it again.")
        if "crash" in queries[0]:
            raise ZeroDivisionError("[oops")
        if "slow" in queries[0]:
            self.is_waiting.set()
            assert self.gate.wait(10)
        return super().embed_queries(queries)


class Session(Driver):
    """A user's actions and views on the search screen."""

    app: SearchApp

    async def search(self, text: str) -> None:
        """Replace the query and wait for its whole answer, and for the preview of its first hit."""
        self.box.value = text
        await self.until(lambda: self.answered_query == text)
        await self.pilot.pause()
        await self.until(lambda: not self.names or self.heading)

    @property
    def box(self) -> Input:
        return self.app.screen_stack[0].query_one(Input)

    @property
    def status_line(self) -> StatusLine:
        return self.app.screen_stack[0].query_one(StatusLine)

    @property
    def answered_query(self) -> str:
        answer = self.status_line.answer
        return answer.request.query if answer and not answer.is_partial else ""

    @property
    def results(self) -> ResultList:
        return self.app.screen_stack[0].query_one(ResultList)

    @property
    def names(self) -> list[str]:
        return [hit.path.name for hit in self.results.hits]

    @property
    def selected(self) -> str:
        hit = self.results.selected_hit
        return hit.path.name if hit else ""

    @property
    def status(self) -> str:
        return self.status_line.render().plain

    @property
    def chips(self) -> str:
        chips = self.app.screen_stack[0].query_one(Chips)
        return str(chips.content) if chips.display else ""

    @property
    def message(self) -> str:
        widget = self.app.screen_stack[0].query_one("#message", Static)
        return str(widget.content) if widget.display else ""

    @property
    def notes(self) -> list[str]:
        widget = self.app.screen_stack[0].query_one("#notes", Static)
        return str(widget.content).split("\n") if widget.display else []

    @property
    def heading(self) -> str:
        return self.preview("heading").plain if self.app.screen_stack[0].query_one(Preview).display else ""

    def preview(self, part: str = "passage") -> Content:
        widget = self.app.screen_stack[0].query_one(f"#preview-{part}", Static)
        return widget.content if isinstance(widget.content, Content) else Content("")


@asynccontextmanager
async def opened(
    library: Library, size: tuple[int, int] = (120, 36), *, collections: Sequence[str] = ()
) -> AsyncIterator[Session]:
    app = SearchApp(library, collections=collections, mode=SearchMode.HYBRID)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Session(app, pilot)


def drive(
    library: Library,
    scenario: Callable[[Session], Coroutine[Any, Any, None]],
    *,
    columns: int = 120,
    rows: int = 36,
    collections: Sequence[str] = (),
) -> None:
    async def run() -> None:
        async with opened(library, (columns, rows), collections=collections) as session:
            await scenario(session)

    asyncio.run(run())


def marked_text(content: Content) -> list[str]:
    return [content.plain[span.start : span.end] for span in content.spans if span.style == MARK_STYLE]


def write_files(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
