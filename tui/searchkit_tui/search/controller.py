"""The logic of search as you type, without widgets: the request under way, and the answer shown."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from searchkit.types import Hit, SearchMode
from searchkit_tui.search.session import Pending, SearchAnswer, SearchSession, is_answered_by_words, passage_of

if TYPE_CHECKING:  # loaded with the engine, behind the query box
    from searchkit import SearchRequest


_REFRESH_SECONDS = 1.0  # between two answers to the same request, while files are indexed
_SHARE = 4  # times as long as the last answer took


class SearchRunner(Protocol):
    """Runs a controller's searches in the background."""

    def start(self, pending: Pending) -> None:
        """Search, and have each answer brought to `SearchController.take`."""

    def refresh(self, pending: Pending) -> None:
        """Search quietly: nobody waits for it, and hits are shown meanwhile."""

    def mark(self, pending: Pending) -> None:
        """Have the model choose the sentences to mark, and the answer with them brought to `SearchController.take`."""

    def cancel(self) -> None:
        """End what was started: its answers are no longer wanted."""

    def stop_waiting(self) -> None:
        """No longer show that the search is slow, but let it go on."""


class SearchView(Protocol):
    """Shows a controller's answers."""

    @property
    def typed_query(self) -> str:
        """The text in the query box."""

    def show_answer(self, answer: SearchAnswer, *, is_update: bool = False, selected: int | None = 0) -> None:
        """Show an answer and select a hit.

        After an answer to the same request (`is_update`) what the user has selected stays, and with `selected` None whatever is.
        """

    def show_start(self, collections: tuple[str, ...]) -> None:
        """Show what could be searched in these collections, or how to begin if there are none."""

    def show_outdated(self) -> None:
        """Show that the hits answer another request than the one under way, until the next answer."""

    def show_error(self, message: str, title: str) -> None:
        """Show why something failed."""

    def show_missing(self, names: Sequence[str]) -> None:
        """Say which of the chosen collections do not exist, if there are any."""


class SearchController:
    """Decides what to search for and what to show. To be called on the event loop.

    Only the answer to the latest request is ever shown; until it comes, the hits before it stay.
    """

    def __init__(
        self,
        session: SearchSession,
        mode: SearchMode,
        runner: SearchRunner,
        view: SearchView,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self._session = session
        self._runner = runner
        self._view = view
        self._wanted: SearchRequest | None = None
        self._shown: SearchAnswer | None = None
        self._before_similar: tuple[SearchAnswer, int | None] | None = None
        self._clock = clock
        self._is_outdated = False
        self._is_refreshing = False
        self._refresh_from = 0.0

    @property
    def is_similar(self) -> bool:
        """True if similar passages have been requested, so that there is an answer to go back to."""
        return self._before_similar is not None

    def search(self) -> None:
        """Search for the text in the box."""
        self.stop()
        if query := self._view.typed_query.strip():
            self._ask(self._session.request(query, self.mode))

    def search_in(self, mode: SearchMode) -> None:
        """Search in this mode from now on, starting with the text in the box."""
        self.mode = mode
        self._before_similar = None
        self.search()

    def search_similar(self, hit: Hit, selected: int | None) -> None:
        """Search for passages like a hit. `selected`: the hit to select again afterwards."""
        if self._shown is None:
            return
        if self._before_similar is None:
            self._before_similar = (self._shown, selected)
        self._ask(self._session.request(self._view.typed_query, self.mode, like=hit))

    def leave_similar(self) -> None:
        """Show again the hits from before the similar passages."""
        if self._before_similar is None:
            return
        answer, selected = self._before_similar
        self._before_similar = None
        self.stop()
        self._view.show_answer(answer, selected=selected)
        self._shown = answer
        self._is_outdated = True  # perhaps: nobody has looked
        if answer.is_partial:  # the rest of it was cancelled for the similar passages
            self.search()

    def query_changed(self) -> None:
        """Drop the search under way, since the text has changed. `search` starts the next one, after a pause."""
        self.stop()
        self._before_similar = None
        if self._shown is not None and self._shown.request.query != self._view.typed_query.strip():
            self._view.show_outdated()

    def store_changed(self) -> None:
        """Note that there may be other things to find than before; `refresh` asks for them."""
        self._view.show_missing(self._session.drop_missing())
        self._is_outdated = True
        if self._shown is None and self._wanted is None and not self._view.typed_query.strip():
            self.show_start()

    def refresh(self) -> None:
        """Ask again if what is shown is outdated, nothing else is asked, and the last answer was not just now."""
        shown = self._shown
        if shown is None or self._wanted is not None or not self._is_outdated or self._clock() < self._refresh_from:
            return
        if shown.request.like is None and shown.request.query != self._view.typed_query.strip():
            return  # another search begins in a moment
        request = replace(shown.request, collections=self._session.chosen)
        self._is_outdated = False
        if shown.hits:
            self.stop()
            self._wanted, self._is_refreshing = request, True
            self._runner.refresh(Pending(request))
        else:
            self._ask(request)

    def take(self, answer: SearchAnswer) -> None:
        """Show an answer if it is to the latest request, or the marks of the one that is shown."""
        if answer.is_marked:
            self._take_marks(answer)
            return
        if answer.request != self._wanted:
            return
        if answer.error and self._asked_of_missing(answer):
            self.search()
            return
        if answer.error and answer.collections and self._is_refreshing:
            self.stop()  # what is shown was found; whoever asks will be told
            return
        if answer.error and answer.collections:
            self._view.show_error(answer.error, "The search failed")
            if is_answered_by_words(answer.request):
                self._go_on_by_words(answer)
                return
        refreshed = self._shown if self._is_refreshing else None
        if not answer.is_partial:
            self._refresh_from = self._clock() + max(_REFRESH_SECONDS, _SHARE * answer.elapsed_ms / 1000)
            self.stop()
        if refreshed is not None and answer.hits:
            answer = _with_marks_of(refreshed, answer)
            self._show(answer, selected=None)
        else:
            self._show(answer)
        if not answer.is_partial and not answer.is_marked:
            self._mark(answer)

    def stop(self) -> None:
        """Give up the request under way, if there is one."""
        self._wanted = None
        self._is_refreshing = False
        self._runner.cancel()

    def show_start(self) -> None:
        """Show what there is to search, since there is no query, and in a moment the files that changed last."""
        if self._session.is_open:
            self._shown = None
            names = self._session.collections()
            self._view.show_start(names)
            if names:
                self.stop()
                self._wanted, self._is_refreshing = self._session.request("", self.mode), True
                self._runner.refresh(Pending(self._wanted))

    def _ask(self, request: "SearchRequest") -> None:
        self.stop()
        self._wanted = request
        self._is_outdated = False
        if self._shown is not None and self._shown.request != request:
            self._view.show_outdated()
        self._runner.start(Pending(request))

    def _mark(self, answer: SearchAnswer) -> None:
        """Have the model choose sentences, where it has read passages."""
        is_read = any(hit.evidence.similarity is not None for hit in answer.hits)
        if is_read and answer.request.like is None:
            self._runner.mark(Pending(answer.request))

    def _asked_of_missing(self, answer: SearchAnswer) -> bool:
        """True if collections were asked that do not exist, and are no longer searched."""
        self._view.show_missing(self._session.drop_missing())
        return answer.request.collections != self._session.chosen

    def _take_marks(self, marked: SearchAnswer) -> None:
        """Show the hits again with better marks, unless anything else is shown or wanted by now."""
        shown = self._shown
        if self._wanted is None and shown is not None and shown.request == marked.request and shown.hits != marked.hits:
            self._show(replace(shown, response=marked.response, is_marked=True))

    def _go_on_by_words(self, failed: SearchAnswer) -> None:
        """Keep the hits by words if the search by meaning has failed, or wait for them."""
        self._runner.stop_waiting()
        if self._shown is None or self._shown.request != failed.request:
            self._show(failed)

    def _show(self, answer: SearchAnswer, *, selected: int | None = 0) -> None:
        if answer.collections:
            is_update = self._shown is not None and self._shown.request == answer.request
            self._view.show_answer(answer, is_update=is_update, selected=selected)
        else:
            self._view.show_start(self._session.collections())
        self._shown = answer


def _with_marks_of(before: SearchAnswer, answer: SearchAnswer) -> SearchAnswer:
    """The answer with the marks that passages had before: what the model has chosen stays."""
    known = {passage_of(hit): hit for hit in before.hits}
    hits = tuple(
        replace(hit, snippet=old.snippet, marks=old.marks, sentence=old.sentence)
        if (old := known.get(passage_of(hit)))
        else hit
        for hit in answer.hits
    )
    is_marked = before.is_marked and all(passage_of(hit) in known for hit in hits)
    return replace(answer, response=replace(answer.response, hits=hits), is_marked=is_marked)
