"""The logic of search as you type, without widgets: the request under way, and the answer shown."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from searchkit.types import Hit, SearchMode
from searchkit_tui.search.session import Pending, SearchAnswer, SearchSession, is_answered_by_words

if TYPE_CHECKING:  # loaded with the engine, behind the query box
    from searchkit import SearchRequest


class SearchRunner(Protocol):
    """Runs a controller's searches in the background."""

    def start(self, pending: Pending) -> None:
        """Search, and have each answer brought to `SearchController.take`."""

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
        """Show an answer and select a hit; after an answer to the same request (`is_update`) the user's selection stays."""

    def show_start(self, collections: tuple[str, ...]) -> None:
        """Show what could be searched in these collections, or how to begin if there are none."""

    def show_error(self, message: str, title: str) -> None:
        """Show why something failed."""

    def show_missing(self, names: Sequence[str]) -> None:
        """Say which of the chosen collections do not exist, if there are any."""


class SearchController:
    """Decides what to search for and what to show. To be called on the event loop.

    Only the answer to the latest request is ever shown; until it comes, the hits before it stay.
    """

    def __init__(self, session: SearchSession, mode: SearchMode, runner: SearchRunner, view: SearchView) -> None:
        self.mode = mode
        self._session = session
        self._runner = runner
        self._view = view
        self._wanted: SearchRequest | None = None
        self._shown: SearchAnswer | None = None
        self._before_similar: tuple[SearchAnswer, int | None] | None = None

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
        if answer.is_partial:  # the rest of it was cancelled for the similar passages
            self.search()

    def query_changed(self) -> None:
        """Drop the search under way, since the text has changed. `search` starts the next one, after a pause."""
        self.stop()
        self._before_similar = None

    def collections_changed(self) -> None:
        """Search again, in the collections that exist now."""
        self._view.show_missing(self._session.drop_missing())
        if self._before_similar is not None:
            return
        if self._view.typed_query.strip():
            self.search()
        else:
            self.show_start()

    def retry_empty_search(self) -> None:
        """Search again if nothing was found and there is more to find now: nobody has to type it twice."""
        shown = self._shown
        is_settled = self._wanted is None and self._before_similar is None
        if is_settled and shown is not None and not shown.hits and not (shown.error and shown.collections):
            self.search()

    def take(self, answer: SearchAnswer) -> None:
        """Show an answer if it is to the latest request, or the marks of the one that is shown."""
        if answer.is_marked:
            self._take_marks(answer)
            return
        if answer.request != self._wanted:
            return
        if answer.error and (missing := self._session.drop_missing()):
            self._view.show_missing(missing)
            self.search()
            return
        if answer.error and answer.collections:
            self._view.show_error(answer.error, "The search failed")
            if is_answered_by_words(answer.request):
                self._go_on_by_words(answer)
                return
        if not answer.is_partial:
            self.stop()
        self._show(answer)
        is_read = any(hit.evidence.similarity is not None for hit in answer.hits)
        if is_read and not answer.is_partial and answer.request.like is None:
            self._runner.mark(Pending(answer.request))

    def stop(self) -> None:
        """Give up the request under way, if there is one."""
        self._wanted = None
        self._runner.cancel()

    def show_start(self) -> None:
        """Show no hits, since there is no query."""
        if self._session.is_open:
            self._shown = None
            self._view.show_start(self._session.collections())

    def _ask(self, request: "SearchRequest") -> None:
        self.stop()
        self._wanted = request
        self._runner.start(Pending(request))

    def _take_marks(self, marked: SearchAnswer) -> None:
        """Show the hits again with better marks, unless anything else is shown or wanted by now."""
        shown = self._shown
        if self._wanted is None and shown is not None and shown.request == marked.request and shown.hits != marked.hits:
            self._show(replace(shown, response=marked.response))

    def _go_on_by_words(self, failed: SearchAnswer) -> None:
        """Keep the hits by words if the search by meaning has failed, or wait for them."""
        self._runner.stop_waiting()
        if self._shown is None or self._shown.request != failed.request:
            self._show(failed)

    def _show(self, answer: SearchAnswer) -> None:
        if answer.collections:
            is_update = self._shown is not None and self._shown.request == answer.request
            self._view.show_answer(answer, is_update=is_update)
        else:
            self._view.show_start(self._session.collections())
        self._shown = answer
