"""The threads and timers of the search screen: the engine is loaded and searched in them, and typing is waited for."""

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from searchkit_tui.search.session import Pending, SearchAnswer, SearchSession, is_answered_by_words
from searchkit_tui.search.store_watch import StoreState, StoreWatch

_LOOK_SECONDS = 0.5  # between two looks at the collections
PAUSE_SECONDS = 0.15  # after the last key, before a search
_SLOW_SECONDS = 0.5  # a search that takes longer says so; sooner would flicker
SEARCH = "search"  # the group of workers whose failure ends a search
_WORDS, _MARKS = "words", "marks"

# Answers a request, or returns None when the second argument says that the answer is no longer wanted.
Ask = Callable[[Pending, Callable[[], bool]], SearchAnswer | None]


class EngineLoaded(Message):
    """The collections are known from now on. `missing`: the chosen ones that do not exist."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__()
        self.missing = missing


class ModelLoaded(Message):
    """Searches by meaning are possible from now on. `error`: why they are not, "" if they are."""

    def __init__(self, error: str) -> None:
        super().__init__()
        self.error = error


class Looked(Message):
    """The collections have been looked at. `state`: what there is to find, if that has changed since the last look.

    `is_found_alike`: whether searches find the same as before all the same.
    """

    def __init__(self, state: StoreState | None, *, is_found_alike: bool) -> None:
        super().__init__()
        self.state = state
        self.is_found_alike = is_found_alike


class Answered(Message):
    """A search has ended whose answer was still wanted."""

    def __init__(self, answer: SearchAnswer) -> None:
        super().__init__()
        self.answer = answer


class BackgroundSearch:
    """Searches in workers of a screen, which gets the messages above. A SearchRunner for the controller.

    `show_waiting`: called with True when a search is slow, with False when it is over.
    """

    def __init__(self, screen: Screen[Any], session: SearchSession, show_waiting: Callable[[bool], None]) -> None:
        self._screen = screen
        self._session = session
        self._show_waiting = show_waiting
        self._pause: Timer | None = None
        self._slow: Timer | None = None
        self._watch = StoreWatch(session)
        self._is_looking = True  # until the first look is over, which `load` takes

    def load(self) -> None:
        """Load the engine, then the model."""
        self._screen.run_worker(self._load, thread=True, exit_on_error=False, group="load")

    def after_pause(self, search: Callable[[], None]) -> None:
        """Search when no key has been pressed for a moment; `cancel` prevents it."""
        self._pause = self._screen.set_timer(PAUSE_SECONDS, search)

    def watch(self) -> None:
        """Look at the collections now and then, from now on."""
        self._screen.set_interval(_LOOK_SECONDS, self._look)

    def refresh(self, pending: Pending) -> None:
        """See SearchRunner."""
        self._run(pending, self._answering(pending), SEARCH)

    def start(self, pending: Pending) -> None:
        """See SearchRunner."""
        self._slow = self._screen.set_timer(_SLOW_SECONDS, partial(self._show_waiting, True))
        self._run(pending, self._answering(pending), SEARCH)
        if is_answered_by_words(pending.request):
            self._run(pending, self._session.first_answer, _WORDS)

    def mark(self, pending: Pending) -> None:
        """See SearchRunner."""
        self._run(pending, self._session.marked, _MARKS)

    def cancel(self) -> None:
        """See SearchRunner."""
        for group in (SEARCH, _WORDS, _MARKS):
            self._screen.workers.cancel_group(self._screen, group)
        self.stop_waiting()

    def stop_waiting(self) -> None:
        """See SearchRunner."""
        for timer in (self._pause, self._slow):
            if timer is not None:
                timer.stop()
        self._show_waiting(False)

    def _load(self) -> None:
        missing = self._session.drop_missing()  # loads the engine
        self._post_look()  # before anything is shown: whatever changes from now on is noticed
        self._screen.post_message(EngineLoaded(missing))
        self._screen.post_message(ModelLoaded(self._session.warm_up()))

    def _look(self) -> None:
        if self._watch.is_due and not self._is_looking:
            self._is_looking = True
            self._screen.run_worker(self._post_look, thread=True, exit_on_error=False, group="look")

    def _post_look(self) -> None:
        try:
            before, state = self._watch.state, self._watch.look()
            self._screen.post_message(
                Looked(state, is_found_alike=before is None or state is None or state.is_found_as(before))
            )
        finally:
            self._is_looking = False

    def _answering(self, pending: Pending) -> Ask:
        is_search = pending.request.query or pending.request.like
        return self._session.answer if is_search else self._session.recent

    def _run(self, pending: Pending, ask: Ask, group: str) -> None:
        work = partial(self._post_answer, pending, ask)
        self._screen.run_worker(work, thread=True, exclusive=True, exit_on_error=False, group=group)

    def _post_answer(self, pending: Pending, ask: Ask) -> None:
        worker = get_current_worker()
        answer = ask(pending, lambda: not worker.is_cancelled)
        if answer is not None:
            self._screen.post_message(Answered(answer))
