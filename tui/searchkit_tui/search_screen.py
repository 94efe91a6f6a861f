"""Search as you type: from keys to requests, from answers to what is shown."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Input, OptionList, Static
from textual.worker import Worker, WorkerState, get_current_worker

from searchkit.types import SearchMode
from searchkit_tui.preview import Preview
from searchkit_tui.result_list import ResultList
from searchkit_tui.search_session import SearchAnswer, SearchRequest, SearchSession
from searchkit_tui.status_line import StatusLine, names_of

PAUSE_SECONDS = 0.15  # after the last key, before a search
SLOW_SECONDS = 0.5  # a search that takes longer says so; sooner would flicker
NOTHING_INDEXED = "Nothing is indexed yet. Index a folder: searchkit index FOLDER"

_SEARCH = "search"


class SearchScreen(Screen[None]):
    """A query, its hits and a preview of the one selected.

    The input always has the focus. Only the answer to what the input says now is ever shown; until it comes, the
    hits before it stay.
    """

    # Priority, where the input has the key for itself but no use for it.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "select(-1)", "Select", key_display="↑↓", priority=True),
        Binding("down", "select(1)", "Select", show=False, priority=True),
        Binding("pageup", "scroll_preview(-1)", "Scroll", key_display="PgUp PgDn", priority=True),
        Binding("pagedown", "scroll_preview(1)", "Scroll", show=False, priority=True),
        Binding("ctrl+r", "next_mode", "Mode"),
        Binding("escape", "clear_or_quit", "Clear or quit"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]  # noqa: RUF012 (as the base class declares it)

    class Answered(Message):
        """A search has ended that was still wanted when it did."""

        def __init__(self, answer: SearchAnswer) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, session: SearchSession, mode: SearchMode) -> None:
        super().__init__()
        self._session = session
        self._mode = mode
        self._wanted: SearchRequest | None = None
        self._pause: Timer | None = None
        self._slow: Timer | None = None

    def compose(self) -> ComposeResult:
        """From top to bottom; message and hits take turns in the middle."""
        yield Input(placeholder="Search your files by meaning and by words")
        yield StatusLine()
        yield Static(id="message", markup=False)
        with Container(id="hits"):
            yield ResultList()
            yield Preview()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Nothing is asked yet."""
        self.query_one(Input).border_title = "searchkit"
        self.query_one(StatusLine).mode = self._mode
        self._show_start()

    @on(Input.Changed)
    def _pause_then_search(self, changed: Input.Changed) -> None:
        self._drop_request()
        if changed.value.strip():
            self._pause = self.set_timer(PAUSE_SECONDS, self._search)
        else:
            self._show_start()

    @on(Answered)
    def _show_answer(self, answered: Answered) -> None:
        answer = answered.answer
        if answer.request != self._wanted:
            return
        self._drop_request()
        status = self.query_one(StatusLine)
        status.collections = answer.collections
        status.answer = answer if answer.collections else None
        self._show_hits(answer)

    @on(OptionList.OptionHighlighted)
    def _show_selected(self) -> None:
        if hit := self.query_one(ResultList).selected_hit:
            self.query_one(Preview).show(hit)

    @on(Worker.StateChanged)
    def _show_failure(self, changed: Worker.StateChanged) -> None:
        """Errors that are expected come as answers; any other costs this one search, not the session."""
        if changed.state is WorkerState.ERROR:
            self._drop_request()
            error = changed.worker.error
            self.app.clear_notifications()
            self.notify(f"{type(error).__name__}: {error}", title="The search failed", severity="error", markup=False)

    def action_select(self, step: int) -> None:
        """Select the hit below, or above for -1."""
        self.query_one(ResultList).select_next(step)

    def action_scroll_preview(self, pages: int) -> None:
        """Scroll the passage by whole pages."""
        preview = self.query_one(Preview)
        preview.scroll_relative(y=pages * preview.scrollable_content_region.height, animate=False)

    def action_next_mode(self) -> None:
        """Go from hybrid to semantic to lexical and back, and ask again."""
        modes = list(SearchMode)
        self._mode = modes[(modes.index(self._mode) + 1) % len(modes)]
        self.query_one(StatusLine).mode = self._mode
        self._drop_request()
        self._search()

    def action_clear_or_quit(self) -> None:
        """Clear the query; quit if it is empty already."""
        query = self.query_one(Input)
        if query.value:
            query.clear()
        else:
            self.app.exit()

    def _search(self) -> None:
        if query := self.query_one(Input).value.strip():
            self._wanted = SearchRequest(query, self._mode)
            self._slow = self.set_timer(SLOW_SECONDS, self._say_slow)
            self._run(self._wanted)

    @work(thread=True, exclusive=True, exit_on_error=False, group=_SEARCH)
    def _run(self, request: SearchRequest) -> None:
        worker = get_current_worker()
        answer = self._session.answer(request, lambda: not worker.is_cancelled)
        if answer is not None:
            self.post_message(self.Answered(answer))

    def _drop_request(self) -> None:
        """Whatever is under way is not wanted any more, or has come."""
        self._wanted = None
        self.workers.cancel_group(self, _SEARCH)
        for timer in (self._pause, self._slow):
            if timer is not None:
                timer.stop()
        self.query_one(StatusLine).is_slow = False

    def _say_slow(self) -> None:
        self.query_one(StatusLine).is_slow = True

    def _show_start(self) -> None:
        status = self.query_one(StatusLine)
        status.collections = self._session.collections()
        status.answer = None
        self._show_message(f"Type to search {names_of(status.collections)}." if status.collections else NOTHING_INDEXED)

    def _show_hits(self, answer: SearchAnswer) -> None:
        if answer.hits:
            self.query_one("#message").display = False
            self.query_one("#hits").display = True
            self.query_one(ResultList).show(answer.hits)
        elif answer.error:
            self._show_message("" if answer.collections else answer.error)
        else:
            self._show_message("Nothing found.")

    def _show_message(self, text: str) -> None:
        self.query_one("#hits").display = False
        self.query_one(ResultList).show(())
        message = self.query_one("#message", Static)
        message.update(text)
        message.display = True
