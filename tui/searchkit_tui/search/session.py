"""Requests to the library and their answers, one at a time; knows no widgets."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import TYPE_CHECKING

from searchkit.display import error_text
from searchkit.errors import CollectionNotFoundError, SearchkitError
from searchkit.home import Home
from searchkit.types import Hit, SearchMode

if TYPE_CHECKING:  # the engine is loaded when the box is there to type into
    from searchkit.catalog.coverage import Coverage
    from searchkit.library import Library
    from searchkit_tui.rendering.document_content import DocumentContent

MAX_HITS = 20
FIRST_BY_WORDS_SECONDS = 0.1  # a hybrid search that takes longer is answered by words meanwhile
_MORE_PASSAGES = 24  # of a document, where its end on the screen is reached
_MOST_PASSAGES = 150  # on either side: beyond, laying them out would be felt while typing
_LOOK_SECONDS = 0.05  # between two looks whether a request that waits is wanted still: each holds a thread


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the user asks for. Two that are equal are the same request.

    `like`: passages similar to this hit are asked for, not an answer to the query.
    """

    query: str
    mode: SearchMode
    collections: tuple[str, ...] = ()
    like: Hit | None = None

    @property
    def is_answered_by_words(self) -> bool:
        """Whether hits by words alone are a part of the answer."""
        return self.mode is SearchMode.HYBRID and self.like is None


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The hits for a request, best first, or the error that stands in for them ("" if there is none).

    `collections` are those that were searched, as they were at that moment. `is_partial`: by words alone; the answer by
    meaning and words is still to come.
    """

    request: SearchRequest
    hits: tuple[Hit, ...]
    elapsed_ms: float
    collections: tuple[str, ...]
    error: str = ""
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """How much of a hit's document is shown: passages before and behind it."""

    before: int = 6
    after: int = 12

    def more(self, *, is_above: bool) -> "Around":
        """The same with more of them on one side, as far as there may be."""
        if is_above:
            return replace(self, before=min(self.before + _MORE_PASSAGES, _MOST_PASSAGES))
        return replace(self, after=min(self.after + _MORE_PASSAGES, _MOST_PASSAGES))


@dataclass(frozen=True, slots=True)
class Pending:
    """A request under way. `answered` is set once nobody needs an answer by words any more."""

    request: SearchRequest
    answered: Event = field(default_factory=Event)


class SearchSession:
    """Searches a library on behalf of a screen, from whichever thread asks.

    A library bears one search at a time, and a search cannot be interrupted: requests that come meanwhile wait, and
    those that nobody wants any more when their turn comes are dropped unsearched. Searches by words have a library of
    their own, so that they never wait for the model.

    `library`: stays its owner's, to be closed when no thread searches any more; None for that of `home`, which is opened
    when it is first needed: that takes a moment, which is why `is_open` tells. `chosen`: the collections to search; none
    for all. `clock`: seconds.
    """

    def __init__(
        self,
        library: "Library | None",
        chosen: Sequence[str] = (),
        *,
        home: Home | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.chosen = tuple(chosen)
        self.is_warm = False
        self._library = library
        self._own: list[Library] = []
        self._words: Library | None = None
        self._home = home
        self._clock = clock
        self._one_opens = Lock()
        self._one_at_a_time = Lock()
        self._one_by_words = Lock()

    @property
    def is_open(self) -> bool:
        """Whether the library can be used at once."""
        return self._library is not None

    @property
    def library(self) -> "Library":
        """The library, opened if it is not yet."""
        with self._one_opens:
            if self._library is None:
                from searchkit.daemon.library import DaemonLibrary

                self._library = DaemonLibrary(self._home)
                self._own.append(self._library)
            return self._library

    def collections(self) -> tuple[str, ...]:
        """Names of the collections that are searched."""
        return self.chosen or tuple(self.library.collections())

    def drop_missing(self) -> tuple[str, ...]:
        """Search those chosen collections no more that are not there (any more); their names."""
        there = self.library.collections()
        missing = tuple(name for name in self.chosen if name not in there)
        self.chosen = tuple(name for name in self.chosen if name in there)
        return missing

    def warm_up(self) -> str:
        """Load the model and what else the first search by meaning needs: the error if that fails, else ""."""
        with self._one_at_a_time:
            try:
                if self.collections():
                    self.library.warm_up(self.chosen)
            except SearchkitError as error:
                return error_text(error)
            finally:
                self.is_warm = True
        return ""

    def answer(self, pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """The answer, None if it is not wanted any more, before or after the search. Blocks until it is its turn."""
        while not self._one_at_a_time.acquire(timeout=_LOOK_SECONDS):
            if not is_wanted():
                return None
        try:
            if not is_wanted():
                return None
            answer = self._search(self.library, pending.request, pending.request.mode)
            self.is_warm = True
        finally:
            self._one_at_a_time.release()
        if not answer.error:
            pending.answered.set()
        return answer if is_wanted() else None

    def first_answer(self, pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """The answer by words, unless the whole answer is there sooner."""
        patience = FIRST_BY_WORDS_SECONDS if self.is_warm else 0.0
        if pending.answered.wait(patience) or not is_wanted():
            return None
        with self._one_by_words:
            if pending.answered.is_set() or not is_wanted():
                return None
            if self._words is None:
                self._words = self.library.sibling()
                self._own.append(self._words)
            answer = self._search(self._words, pending.request, SearchMode.LEXICAL)
        is_use = is_wanted() and not answer.error and bool(answer.hits)
        return answer if is_use else None

    def document(self, hit: Hit, around: Around | None) -> "DocumentContent":
        """A hit in its document, or its passage alone (None), as styled text."""
        from searchkit_tui.rendering.document_content import document_content, passage_content

        if around is None:
            return passage_content(hit)
        try:
            view = self.library.collection(hit.collection).context_of(hit, before=around.before, after=around.after)
            return document_content(hit, view)
        except SearchkitError:  # it is being forgotten or rebuilt just now
            return passage_content(hit)

    def coverages(self) -> "tuple[Coverage, ...]":
        """How much of each collection can be found, and by which model."""
        found = []
        for name in self.collections():
            try:
                found.append(self.library.collection(name).coverage())
            except CollectionNotFoundError:
                continue
        return tuple(found)

    def close(self) -> None:
        """Let go of what this session has opened by itself."""
        with self._one_at_a_time, self._one_by_words:
            for library in self._own:
                library.close()
            self._own.clear()

    def _search(self, library: "Library", request: SearchRequest, mode: SearchMode) -> SearchAnswer:
        started = self._clock()
        hits: list[Hit] = []
        error = ""
        try:
            hits = _found(library, request, mode)
        except SearchkitError as failure:
            error = error_text(failure)
        elapsed_ms = (self._clock() - started) * 1000
        is_partial = request.like is None and mode is not request.mode
        searched = request.collections or self.collections()
        return SearchAnswer(request, tuple(hits), elapsed_ms, searched, error, is_partial)


def _found(library: "Library", request: SearchRequest, mode: SearchMode) -> list[Hit]:
    if request.like is None:
        return library.search(request.query, k=MAX_HITS, collections=request.collections, mode=mode)
    line = request.like.line if request.like.line is not None else request.like.page
    return library.similar(request.like.path, line, k=MAX_HITS, collections=request.collections)
