"""Requests to the library and their answers, one at a time; knows no widgets."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit.types import Hit, SearchMode

MAX_HITS = 20


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the user asks for. Two with the same query and mode are the same request."""

    query: str
    mode: SearchMode


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits for a request, best first, or the error that stands in for them ("" if there is none).

    `collections` are those that were searched, as they were at that moment.
    """

    request: SearchRequest
    hits: tuple[Hit, ...]
    elapsed_ms: float
    collections: tuple[str, ...]
    error: str = ""


class SearchSession:
    """Searches a library on behalf of a screen, from whichever thread asks.

    A library bears one search at a time, and a search cannot be interrupted: requests that come meanwhile wait, and
    those that nobody wants any more when their turn comes are dropped unsearched. The library stays its owner's, to
    be closed when no thread searches any more. `chosen`: the collections to search; none for all.
    """

    def __init__(self, library: Library, chosen: Sequence[str] = ()) -> None:
        self._library = library
        self._chosen = tuple(chosen)
        self._one_at_a_time = Lock()

    def collections(self) -> tuple[str, ...]:
        """Names of the collections that are searched."""
        return self._chosen or tuple(self._library.collections())

    def answer(self, request: SearchRequest, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """The answer, None if it is not wanted any more, before or after the search. Blocks until it is its turn."""
        with self._one_at_a_time:
            if not is_wanted():
                return None
            answer = self._search(request)
        return answer if is_wanted() else None

    def _search(self, request: SearchRequest) -> SearchAnswer:
        started = time.perf_counter()
        hits: list[Hit] = []
        error = ""
        try:
            hits = self._library.search(request.query, k=MAX_HITS, collections=self._chosen, mode=request.mode)
        except SearchkitError as failure:
            error = str(failure)
        elapsed_ms = (time.perf_counter() - started) * 1000
        return SearchAnswer(request, tuple(hits), elapsed_ms, self.collections(), error)
