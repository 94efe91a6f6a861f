"""The search screen: its parts, its keys, and what goes on behind it."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Footer, Input, Static

from searchkit.types import SearchMode
from searchkit_tui.search.answer_screen import READING, AnswerScreen
from searchkit_tui.search.history import History
from searchkit_tui.search.keys import SEARCH_KEYS
from searchkit_tui.search.session import SearchAnswer, SearchRequest, SearchSession
from searchkit_tui.search.status_line import StatusLine
from searchkit_tui.settings.key_names import key_of
from searchkit_tui.settings.opened_hits import OpenedHits
from searchkit_tui.widgets.chips import Chips
from searchkit_tui.widgets.preview import Preview
from searchkit_tui.widgets.query_box import QueryBox
from searchkit_tui.widgets.result_list import ResultList
from searchkit_tui.widgets.welcome import Welcome, sample_folder

if TYPE_CHECKING:
    from searchkit.catalog.coverage import Coverage

_LOOK_SECONDS = 0.25  # between two looks at what is under way
_LOOKS_PER_COUNT = 8  # looks between two counts of what is searchable, while something is under way


class SearchScreen(AnswerScreen):
    """A query, its hits and a preview of the one selected. The query box always has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [*SEARCH_KEYS]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]  # noqa: RUF012 (as the base class declares it)

    class EngineLoaded(Message):
        """What there is to search is known from now on; `missing`: what was to be searched and is not there."""

        def __init__(self, missing: tuple[str, ...]) -> None:
            super().__init__()
            self.missing = missing

    class Counted(Message):
        """What there is to search has been counted, or why it could not be made ready."""

        def __init__(self, coverages: "tuple[Coverage, ...]", error: str = "") -> None:
            super().__init__()
            self.coverages = coverages
            self.error = error

    def __init__(self, session: SearchSession, mode: SearchMode, history: History, opened: OpenedHits) -> None:
        super().__init__(session, mode, opened)
        self._history = history
        self._looks = 0
        self._jobs_ended = 0

    def compose(self) -> ComposeResult:
        """From top to bottom; welcome, message and hits take turns in the middle."""
        yield QueryBox(placeholder="Search your files by meaning and by words", select_on_focus=False)
        yield Chips(id="chips", markup=False)
        yield StatusLine()
        yield Welcome()
        yield Static(id="message", markup=False)
        with Container(id="hits"):
            yield ResultList()
            yield Preview()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Nothing is asked yet; the model is loaded once the box is there."""
        box = self.query_one(Input)
        box.border_title = "searchkit"
        status = self.query_one(StatusLine)
        status.mode = self.mode
        status.keeps_opened = self.opened.are_kept
        self.query_one(Chips).show(())
        self._show_only("")
        self._show_start()
        self.call_after_refresh(self._warm_up)
        self.set_interval(_LOOK_SECONDS, self._look_at_jobs)

    def on_unmount(self) -> None:
        """Keep what was asked, the last query too; a disk that is full costs the history, not the session."""
        self._history.add(self.typed)
        try:
            self._history.save()
        except OSError as error:
            self.log.warning(f"The history could not be kept: {error}")

    @work(thread=True, exit_on_error=False, group="warm up")
    def _warm_up(self) -> None:
        missing = self.session.drop_missing()  # loads the engine
        self.post_message(self.EngineLoaded(missing))
        error = self.session.warm_up()
        self.post_message(self.Counted(self.session.coverages(), error))

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def count(self) -> None:
        """Count anew what there is to search."""
        self.post_message(self.Counted(self.session.coverages()))

    @on(EngineLoaded)
    def _begin(self, loaded: EngineLoaded) -> None:
        self.say_missing(loaded.missing)
        self._show_demands(self.asked)
        if not self.asked.strip():
            self._show_start()

    @on(Counted)
    def _show_counts(self, counted: Counted) -> None:
        status = self.query_one(StatusLine)
        status.is_loading = False
        before, status.coverages = status.coverages, counted.coverages
        if before != counted.coverages:
            self._ask_in_vain_no_more()
        if counted.error:
            self.show_error(counted.error, "Searches go by words alone")

    def _ask_in_vain_no_more(self) -> None:
        """There is more to find now: who has found nothing so far is told, without having to ask again."""
        shown = self._shown
        is_settled = self._wanted is None and self._before_similar is None
        if is_settled and shown is not None and not shown.hits and not (shown.error and shown.collections):
            self.search_again()

    def _look_at_jobs(self) -> None:
        """What is under way in the background, and what has ended since the last look."""
        status = self.query_one(StatusLine)
        status.is_loading = not self.session.is_warm and bool(status.collections)
        jobs = getattr(self.app, "jobs", None)  # there is none before a job is asked for
        if jobs is None:
            return
        status.work = jobs.line()
        if self.query_one(Welcome).display and self.is_indexing:
            self._show_message(READING)
        self._looks += 1
        if status.work and self._looks % _LOOKS_PER_COUNT == 0:
            self.count()
        if jobs.finished != self._jobs_ended:
            self._jobs_ended = jobs.finished
            self.refresh_collections()

    def refresh_collections(self) -> None:
        """Collections may be others: count and ask again."""
        self.say_missing(self.session.drop_missing())
        self.count()
        if self._before_similar is not None:
            return
        if self.asked.strip():
            self.search_again()
        else:
            self._show_start()

    def action_open(self) -> None:
        """Open the selected hit; where nothing is indexed yet, index the samples."""
        self.remember()
        samples = sample_folder()
        if self.query_one(Welcome).display and samples is not None and not self.is_indexing:
            self._index(samples)
        else:
            super().action_open()

    def action_next_mode(self) -> None:
        """Go from hybrid to semantic to lexical and back, and ask again."""
        modes = list(SearchMode)
        self.action_mode(modes[(modes.index(self.mode) + 1) % len(modes)].value)

    def action_mode(self, mode: str) -> None:
        """Search by meaning and words, by meaning or by words, from now on."""
        self.mode = SearchMode(mode)
        self.query_one(StatusLine).mode = self.mode
        self._before_similar = None
        self.search_again()

    def action_similar(self) -> None:
        """Ask for passages like the selected hit."""
        hit = self.selected_hit
        if hit is None or self._shown is None:
            return
        self.remember()
        if self._before_similar is None:
            self._before_similar = (self._shown, self.query_one(ResultList).highlighted)
        self._ask_for(SearchRequest(self.asked, self.mode, self.session.chosen, like=hit))

    def action_back(self) -> None:
        """Leave what was entered last: similar passages, a slow search, the query. Never the app."""
        box = self.query_one(Input)
        if self._before_similar is not None:
            self._leave_similar(*self._before_similar)
        elif self.query_one(StatusLine).is_slow:
            self._drop_request()
        elif box.value:
            self.remember()
            box.clear()
        else:
            self.notify(f"{key_of(self, 'quit')} quits.", timeout=2, markup=False)

    def _leave_similar(self, answer: SearchAnswer, selected: int | None) -> None:
        self._before_similar = None
        self._drop_request()
        self._show_answer(answer)
        self.query_one(ResultList).highlighted = selected
        if answer.is_partial:  # the rest of it was given up for the similar passages
            self.search_again()

    def action_history(self, step: int) -> None:
        """Put an earlier query into the box, or a later one."""
        box = self.query_one(Input)
        box.value = self._history.earlier(box.value) if step < 0 else self._history.later(box.value)
        box.cursor_position = len(box.value)

    def remember(self) -> None:
        """Keep the query for later: it led to something."""
        self._history.add(self.asked)

    def action_copy(self) -> None:
        """Copy the passage with its source, and remember the query that found it."""
        self.remember()
        super().action_copy()

    def action_help(self) -> None:
        """Keys, and what a query may hold."""
        from searchkit_tui.widgets.help_screen import HelpScreen

        self.app.push_screen(HelpScreen(list(self.active_bindings.values()), self.opened.help_note))

    def action_filters(self) -> None:
        """Choose filters, which are written into the query."""
        from searchkit_tui.search.filter_screen import FilterChoice, FilterScreen

        def apply(choice: FilterChoice | None) -> None:
            if choice is not None:
                self.session.chosen = choice.collections
                box = self.query_one(Input)
                if box.value == choice.query:
                    self.search_again()
                box.value = choice.query
                box.cursor_position = len(choice.query)

        self.app.push_screen(FilterScreen(self.session, self.asked), apply)

    def action_collections(self) -> None:
        """What there is to search, and what can be done with it."""
        from searchkit_tui.collections.screen import CollectionsScreen

        self.app.push_screen(CollectionsScreen(self.session.library), lambda _: self.refresh_collections())

    def action_ask(self) -> None:
        """Have the question answered."""
        from searchkit_tui.ask.screen import AskScreen

        self.remember()
        question = self.asked.strip()
        self.app.push_screen(AskScreen(self.session.library, question, self.session.chosen, opened=self.opened))

    def action_index_folder(self) -> None:
        """Ask for a folder, and index it."""
        from searchkit_tui.collections.indexing import ask_for_folder

        ask_for_folder(self.app, self.session.library)

    @on(Welcome.Chosen)
    def _index_chosen(self, chosen: Welcome.Chosen) -> None:
        if chosen.folder is None:
            self.action_index_folder()
        else:
            self._index(chosen.folder)

    def _index(self, folder: Path) -> None:
        from searchkit_tui.collections.indexing import index_in_background

        index_in_background(self.app, self.session.library, folder)
        self._show_message(READING)
