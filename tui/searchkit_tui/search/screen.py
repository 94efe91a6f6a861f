"""The search screen: its parts, its keys, and the threads that search."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Footer, Input
from textual.worker import Worker, WorkerState

from searchkit.types import SearchMode
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.background import SEARCH, Answered, BackgroundSearch, EngineLoaded, Looked, ModelLoaded
from searchkit_tui.search.body import SearchBody, Welcome, sample_folder
from searchkit_tui.search.controller import SearchController
from searchkit_tui.search.hit_actions import HitActions
from searchkit_tui.search.result_list import Chips, ResultList
from searchkit_tui.search.results_pane import ResultsPane
from searchkit_tui.search.session import SearchAnswer, SearchSession
from searchkit_tui.search.status_line import StatusLine, names_of
from searchkit_tui.settings.keys import SEARCH_KEYS, key_of
from searchkit_tui.settings.saved_state import History
from searchkit_tui.widgets.dialogs import show_error, show_worker_failure
from searchkit_tui.widgets.open_hit import OpenedHits
from searchkit_tui.widgets.query_box import QueryBox


class SearchScreen(Screen[None]):
    """A query, its hits and a preview of the selected one. The query box always has the focus.

    A SearchController decides what is asked and shown; this is its SearchView. `prints`: the key that opens leaves with the path
    of the hit instead.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*SEARCH_KEYS]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-wide")]  # noqa: RUF012 (as the base class declares it)

    def __init__(
        self,
        session: SearchSession,
        mode: SearchMode,
        history: History,
        opened: OpenedHits,
        jobs: JobRunner,
        *,
        prints: bool = False,
    ) -> None:
        super().__init__()
        self._prints = prints
        self._session = session
        self._history = history
        self._opened = opened
        self._jobs = jobs
        self._box = QueryBox(placeholder="Search your files by meaning and by words", select_on_focus=False)
        self._chips = Chips(markup=False)
        self._status = StatusLine(session, jobs)
        self._results = ResultsPane(session.document)
        self._on_hits = HitActions(self, self._results, lambda: session.library, opened, self._leave_with)
        self._body = SearchBody(self._results, jobs)
        self._background = BackgroundSearch(self, session, self._status.show_waiting)
        self._controller = SearchController(session, mode, self._background, self)
        self._last_typed = ""

    def compose(self) -> ComposeResult:
        """Lay out from top to bottom."""
        yield self._box
        yield self._chips
        yield self._status
        yield self._body
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the box at once, and load the engine behind it."""
        self._box.border_title = "searchkit"
        self._count_marks()
        self._status.mode = self._controller.mode
        self._status.keeps_opened = self._opened.are_kept
        self._chips.display = False
        self._controller.show_start()
        self.call_after_refresh(self._background.load)
        self._background.watch()

    def on_unmount(self) -> None:
        """Save the history, with the last query; a full disk costs the history, not the session."""
        if self._status.answer and self._status.answer.request.query == self._last_typed:
            self._history.add(self._last_typed, is_draft=True)
        try:
            self._history.save()
        except OSError as error:
            self.log.warning(f"The history could not be kept: {error}")

    @on(EngineLoaded)
    def _begin(self, loaded: EngineLoaded) -> None:
        self.show_missing(loaded.missing)
        self._show_filters()
        if not self.typed_query.strip():
            self._controller.show_start()

    @on(ModelLoaded)
    def _end_loading(self, loaded: ModelLoaded) -> None:
        if loaded.error:
            self.show_error(loaded.error, "Searching by words only")

    @on(Looked)
    def _follow_store(self, looked: Looked) -> None:
        if looked.state is not None:
            self._status.store = looked.state
        if not looked.is_found_alike:
            self._controller.store_changed()
        self._controller.refresh()

    @on(Input.Changed)
    def _pause_then_search(self, changed: Input.Changed) -> None:
        self._last_typed = changed.value
        self._controller.query_changed()
        self._show_filters()
        if changed.value.strip():
            self._background.after_pause(self._controller.search)
        else:
            self._controller.show_start()

    @on(Answered)
    def _take_answer(self, answered: Answered) -> None:
        self._controller.take(answered.answer)

    @on(Worker.StateChanged)
    def _show_failure(self, changed: Worker.StateChanged) -> None:
        if changed.state is WorkerState.ERROR and changed.worker.group == SEARCH:
            self._controller.stop()
        show_worker_failure(self.app, changed)

    @property
    def typed_query(self) -> str:
        """See SearchView."""
        return self._box.value

    def show_answer(self, answer: SearchAnswer, *, is_update: bool = False, selected: int | None = 0) -> None:
        """See SearchView."""
        self._status.collections, self._status.answer = answer.collections, answer
        self._status.is_outdated, self._body.is_outdated = False, bool(answer.error) and self._body.is_outdated
        self._body.show_answer(answer, is_update=is_update, selected=selected)

    def show_outdated(self) -> None:
        """See SearchView."""
        self._status.is_outdated = self._body.is_outdated = True

    def show_start(self, collections: tuple[str, ...]) -> None:
        """See SearchView."""
        self._status.collections, self._status.answer = collections, None
        self._status.is_outdated = self._body.is_outdated = False
        self._body.show_start(collections)

    def show_error(self, message: str, title: str) -> None:
        """See SearchView."""
        show_error(self.app, message, title)

    def show_missing(self, names: Sequence[str]) -> None:
        """See SearchView."""
        if names:
            left = names_of(self._session.chosen) if self._session.chosen else "all collections"
            message = f"There is no collection {', '.join(names)}. Now searching {left}."
            self.notify(visible(message, one_line=True), severity="warning", timeout=8, markup=False)

    def _show_filters(self) -> None:
        if self._session.is_open:  # what reads queries is loaded with it
            self._chips.show_filters(self.typed_query)

    @on(ResultList.Opened)
    def _open_clicked(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the marked hits, or the selected one; where nothing is indexed yet, index the samples."""
        self._remember()
        samples = sample_folder()
        if samples is not None and self._body.is_welcome:
            self._index(samples)
        else:
            self._on_hits.run("print" if self._prints else "open")

    def action_hit(self, name: str) -> None:
        """Run one of HIT_ACTIONS on the marked hits, or on the selected one."""
        self._remember()
        self._on_hits.run(name)

    def action_hit_actions(self) -> None:
        """Show what can be done with the marked hits, or with the selected one."""
        self._on_hits.choose()

    def action_mark(self) -> None:
        """Mark the selected hit, or take its mark away."""
        self._on_hits.toggle_mark()

    def _leave_with(self, paths: Sequence[Path]) -> None:
        self.app.exit(tuple(paths))

    @on(ResultList.MarksChanged)
    def _count_marks(self) -> None:
        marks, key = len(self._results.marked), key_of(self, "open")
        does = "prints" if self._prints else "opens"
        if marks:
            self._box.border_subtitle = f"{marks:,} marked · {key} {does} {'it' if marks == 1 else 'them'}"
        else:
            self._box.border_subtitle = f"{key} prints its path" if self._prints else ""

    def action_select(self, step: int) -> None:
        """Select the hit below, or above for -1."""
        self._results.select(step)

    def action_select_page(self, pages: int) -> None:
        """Select the hit a page below, or above for -1."""
        self._results.select_page(pages)

    def action_scroll_preview(self, lines: int) -> None:
        """Scroll the document in the preview."""
        self._results.scroll_preview(lines)

    def action_next_view(self) -> None:
        """Show the passage in its document, or alone."""
        self._results.next_view()

    def action_toggle_alike(self) -> None:
        """List what says the same as the selected hit below it, or fold it again."""
        self._results.toggle_alike()

    def action_toggle_why(self) -> None:
        """Show why the selected hit stands where it does, and that of others as they are selected, or hide it again."""
        self._results.toggle_why()

    def action_toggle_preview(self) -> None:
        """Hide the preview, or show it again."""
        self._results.toggle_preview()

    def action_next_mode(self) -> None:
        """Switch from hybrid to semantic to lexical and back, and ask again."""
        modes = list(SearchMode)
        self.action_mode(modes[(modes.index(self._controller.mode) + 1) % len(modes)].value)

    def action_mode(self, mode: str) -> None:
        """Search by meaning and words, by meaning or by words from now on."""
        self._status.mode = SearchMode(mode)
        self._controller.search_in(self._status.mode)

    def action_similar(self) -> None:
        """Ask for passages like the selected hit."""
        if hit := self._results.selected_hit:
            self._remember()
            self._controller.search_similar(hit, self._results.selected)

    def action_back(self) -> None:
        """Leave what was entered last: reasons, similar passages, a slow search, the query. Never the app."""
        if self._results.shows_why:
            self._results.toggle_why()
        elif self._controller.is_similar:
            self._controller.leave_similar()
        elif self._status.is_slow:
            self._controller.stop()
        elif self._box.value:
            self._history.add(self.typed_query, is_draft=True)
            self._box.clear()
        elif self._results.marked:
            self._results.clear_marks()
        else:
            self.notify(f"{key_of(self, 'quit')} quits.", timeout=2, markup=False)

    def action_history(self, step: int) -> None:
        """Put an earlier query into the box, or a later one."""
        move = self._history.earlier if step < 0 else self._history.later
        self._box.set_query(move(self._box.value))

    def action_help(self) -> None:
        """Show the keys, and the syntax of queries."""
        from searchkit_tui.widgets.help_screen import show_help

        show_help(self, self._opened.help_note)

    def action_filters(self) -> None:
        """Choose filters, which are written into the query."""
        from searchkit_tui.search.filter_screen import FilterChoice, FilterScreen

        def apply(choice: FilterChoice | None) -> None:
            if choice is not None:
                self._session.chosen = choice.collections
                if self._box.value == choice.query:
                    self._controller.search()
                self._box.set_query(choice.query)

        self.app.push_screen(FilterScreen(self._session, self.typed_query), apply)

    def action_collections(self) -> None:
        """Show the collections, and what can be done with them."""
        from searchkit_tui.collections.screen import CollectionsScreen

        collections = CollectionsScreen(self._session.library, self._jobs)
        self.app.push_screen(collections)

    def action_ask(self) -> None:
        """Answer the question."""
        from searchkit_tui.ask.screen import AskScreen

        self._remember()
        question = self.typed_query.strip()
        chosen = self._session.chosen
        self.app.push_screen(
            AskScreen(self._session.library, question, chosen, opened=self._opened, history=self._history)
        )

    def action_index_folder(self) -> None:
        """Ask for a folder, and index it."""
        from searchkit_tui.collections.actions import Actions

        Actions(self.app, self._session.library, self._jobs).add()

    @on(Welcome.Chosen)
    def _index_chosen(self, chosen: Welcome.Chosen) -> None:
        if chosen.folder is None:
            self.action_index_folder()
        else:
            self._index(chosen.folder)

    def _index(self, folder: Path) -> None:
        from searchkit_tui.jobs.work import index_folder

        self._jobs.submit(index_folder(folder, self._session.library.collection_for(folder)))
        self._body.show_reading()

    def _remember(self) -> None:
        """Add the query to the history, since it led to a hit."""
        self._history.add(self.typed_query)
