"""Search as you type: from what the box says to requests, from answers to what is shown."""

from collections.abc import Sequence

from textual import on, work
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from searchkit.errors import UsageError
from searchkit.types import SearchMode
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.search.hit_screen import HitScreen
from searchkit_tui.search.session import Pending, SearchAnswer, SearchRequest, SearchSession
from searchkit_tui.search.status_line import StatusLine, names_of
from searchkit_tui.settings.key_names import key_of
from searchkit_tui.settings.opened_hits import OpenedHits
from searchkit_tui.widgets.chips import Chips
from searchkit_tui.widgets.result_list import ResultList

PAUSE_SECONDS = 0.15  # after the last key, before a search
SLOW_SECONDS = 0.5  # a search that takes longer says so; sooner would flicker

READING = "Reading. Words can be searched in a moment, meaning follows; just type."
_STILL_READING = "Files are still being read: what is found in them comes by itself."

_SEARCH = "search"


class AnswerScreen(HitScreen):
    """A query and its hits. Only the answer to what the box says now is ever shown; until it comes, the hits before it stay."""

    class Answered(Message):
        """A search has ended that was still wanted when it did."""

        def __init__(self, answer: SearchAnswer) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, session: SearchSession, mode: SearchMode, opened: OpenedHits) -> None:
        super().__init__(session, opened)
        self.mode = mode
        self.typed = ""  # what the box said last, also when it is gone
        self._wanted: SearchRequest | None = None
        self._shown: SearchAnswer | None = None
        self._before_similar: tuple[SearchAnswer, int | None] | None = None
        self._pause: Timer | None = None
        self._slow: Timer | None = None

    @property
    def asked(self) -> str:
        """What the box says."""
        return self.query_one(Input).value

    @property
    def query_of_hits(self) -> str:
        """What was asked for the hits that are shown, which the box may have left behind; similar passages answer none."""
        return self._shown.request.query if self._shown and self._shown.request.like is None else ""

    @property
    def is_indexing(self) -> bool:
        """Whether something is under way by which there may be more to find."""
        jobs = getattr(self.app, "jobs", None)  # there is none before a job is asked for
        return jobs is not None and any(job.kind.makes_vectors for job in jobs.active)

    @on(Input.Changed)
    def _pause_then_search(self, changed: Input.Changed) -> None:
        self.typed = changed.value
        self._drop_request()
        self._before_similar = None
        self._show_demands(changed.value)
        if changed.value.strip():
            self._pause = self.set_timer(PAUSE_SECONDS, self.search_again)
        else:
            self._show_start()

    def search_again(self) -> None:
        """Ask what the box says now."""
        self._drop_request()
        if query := self.asked.strip():
            self._ask_for(SearchRequest(query, self.mode, self.session.chosen))

    def _ask_for(self, request: SearchRequest) -> None:
        self._drop_request()
        self._wanted = request
        self._slow = self.set_timer(SLOW_SECONDS, self._say_slow)
        pending = Pending(request)
        self._run(pending)
        if request.is_answered_by_words:
            self._run_by_words(pending)

    @work(thread=True, exclusive=True, exit_on_error=False, group=_SEARCH)
    def _run(self, pending: Pending) -> None:
        worker = get_current_worker()
        answer = self.session.answer(pending, lambda: not worker.is_cancelled)
        if answer is not None:
            self.post_message(self.Answered(answer))

    @work(thread=True, exclusive=True, exit_on_error=False, group="words")
    def _run_by_words(self, pending: Pending) -> None:
        worker = get_current_worker()
        answer = self.session.first_answer(pending, lambda: not worker.is_cancelled)
        if answer is not None:
            self.post_message(self.Answered(answer))

    def _drop_request(self) -> None:
        """Whatever is under way is not wanted any more, or has come."""
        self._wanted = None
        for group in (_SEARCH, "words"):
            self.workers.cancel_group(self, group)
        self._stop_timers()

    def _stop_timers(self) -> None:
        for timer in (self._pause, self._slow):
            if timer is not None:
                timer.stop()
        self.query_one(StatusLine).is_slow = False

    def _say_slow(self) -> None:
        self.query_one(StatusLine).is_slow = True

    @on(Answered)
    def _take_answer(self, answered: Answered) -> None:
        answer = answered.answer
        if answer.request != self._wanted:
            return
        if answer.error and (missing := self.session.drop_missing()):
            self.say_missing(missing)
            self.search_again()
            return
        if answer.error and answer.collections:
            self.show_error(answer.error, "The search failed")
        if answer.error and answer.collections and answer.request.is_answered_by_words:
            self._go_on_by_words(answer)
            return
        if not answer.is_partial:
            self._drop_request()
        self._show_answer(answer)

    def _go_on_by_words(self, failed: SearchAnswer) -> None:
        """Hits by words are better than none: those that are shown already stay, others may still come."""
        self._stop_timers()
        if self._shown is None or self._shown.request != failed.request:
            self._show_answer(failed)

    @on(Worker.StateChanged)
    def _show_failure(self, changed: Worker.StateChanged) -> None:
        """Errors that are expected come as answers; any other costs this one search, not the session."""
        if changed.state is WorkerState.ERROR:
            if changed.worker.group == _SEARCH:
                self._drop_request()
            error = changed.worker.error
            self.show_error(f"{type(error).__name__}: {error}", "That failed, unexpectedly")

    def say_missing(self, missing: Sequence[str]) -> None:
        """Say which collections are not searched any more as they are gone, if there are any."""
        if missing:
            left = names_of(self.session.chosen) if self.session.chosen else "all there are"
            told = f"There is no collection {', '.join(missing)}. Searched from now on: {left}."
            self.notify(visible(told, one_line=True), severity="warning", timeout=8, markup=False)

    def _show_answer(self, answer: SearchAnswer) -> None:
        status = self.query_one(StatusLine)
        status.collections = answer.collections
        status.answer = answer if answer.collections else None
        if not answer.collections:
            self._show_start()
        elif answer.hits:
            self._show_hits(answer)
        elif not answer.error:
            self._show_message(self._nothing(answer.request))
        self._shown = answer

    def _show_hits(self, answer: SearchAnswer) -> None:
        self._show_only("#hits")
        results = self.query_one(ResultList)
        is_same = self._shown is not None and self._shown.request == answer.request
        results.exchange(answer.hits) if is_same else results.show(answer.hits)
        like = answer.request.like
        results.border_title = (
            f"{key_of(self, 'back')}: back · similar to {visible(like.path.name, one_line=True)}" if like else ""
        )
        results.set_class(like is not None, "-similar")

    def _nothing(self, request: SearchRequest) -> str:
        if request.like is not None:
            return f"There is no other passage like this one. {key_of(self, 'back')}: back."
        from searchkit.search.across import nothing_found
        from searchkit.search.query.filters import Filters

        nothing = visible(nothing_found(request.query, Filters(), request.mode))
        return f"{nothing}\n\n{_STILL_READING}" if self.is_indexing else nothing

    def _show_start(self) -> None:
        """Nothing is asked: what could be, or how to begin."""
        if not self.session.is_open:
            return
        status = self.query_one(StatusLine)
        status.collections = self.session.collections()
        status.answer = None
        self._shown = None
        if status.collections:
            names = visible(names_of(status.collections), one_line=True)
            help_key = key_of(self, "help")
            self._show_message(f"Type to search {names}. {help_key} explains keys and what a query may hold.")
        elif self.is_indexing:
            self._show_message(READING)
        else:
            self._show_message("")
            self._show_only("Welcome")

    def _show_message(self, text: str) -> None:
        self.query_one(ResultList).show(())
        self.query_one("#message", Static).update(text)
        self._show_only("#message")

    def _show_only(self, wanted: str) -> None:
        for each in ("Welcome", "#message", "#hits"):
            self.query_one(each).display = each == wanted

    def _show_demands(self, query: str) -> None:
        if not self.session.is_open:  # who reads queries is loaded with it
            return
        from searchkit.search.query.editing import demands_of

        try:
            demands = demands_of(query)
        except UsageError:  # the search will say so
            demands = ()
        self.query_one(Chips).show(demands)
