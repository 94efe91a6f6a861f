"""Searches a library for the search screen, one request at a time. Knows no widgets."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import TYPE_CHECKING

from searchkit import Home
from searchkit.errors import SearchkitError
from searchkit.types import Hit, Note, NoteKind, SearchMode
from searchkit_tui.rendering.errors import error_text

if TYPE_CHECKING:  # the engine is loaded when the box is ready to type into
    from searchkit import Library, SearchRequest, SearchResponse
    from searchkit_tui.rendering.document_content import DocumentContent

_MAX_HITS = 20
_FIRST_BY_WORDS_SECONDS = 0.1  # a hybrid search that takes longer is answered by words meanwhile
_MORE_PASSAGES = 24  # of a document, when the user reaches the end of what is shown
_MOST_PASSAGES = 150  # on either side: beyond, laying them out would be felt while typing
_MARKING_SECONDS, _MARKING_TURNS = 0.4, 5
_LISTED = (NoteKind.FILES_BY_NAME, NoteKind.RECENT_FILES)
_LOOK_SECONDS = 0.05  # between two looks whether a waiting request is still wanted: each occupies a thread


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The response to a request, or the error that prevented it ("" if none did).

    `collections`: the ones that were searched. `is_partial`: by words alone; the answer by meaning and words is still to come.
    `is_marked`: the answer again, with the sentences marked that the model has chosen meanwhile.
    """

    request: "SearchRequest"
    response: "SearchResponse"
    elapsed_ms: float
    collections: tuple[str, ...]
    error: str = ""
    is_partial: bool = False
    is_marked: bool = False

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits, best first."""
        return self.response.hits

    @property
    def listed(self) -> Note | None:
        """Which files the hits are, where the query says too little to find passages; None where they are passages."""
        return next((note for note in self.response.notes if note.kind in _LISTED), None)


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """The part of a hit's document that is shown: numbers of passages before and after it."""

    before: int = 6
    after: int = 12

    def widened(self, *, is_above: bool) -> "ContextWindow":
        """Show more passages on one side, up to a limit."""
        if is_above:
            return replace(self, before=min(self.before + _MORE_PASSAGES, _MOST_PASSAGES))
        return replace(self, after=min(self.after + _MORE_PASSAGES, _MOST_PASSAGES))


@dataclass(frozen=True, slots=True)
class Pending:
    """A request under way. `answered` is set when an answer by words is no longer needed."""

    request: "SearchRequest"
    answered: Event = field(default_factory=Event)


class SearchSession:
    """Searches a library for a screen, in whichever thread asks.

    A library can do one search at a time, and a search cannot be interrupted: requests that come meanwhile wait, and those that
    are no longer wanted when their turn comes are dropped. Searches by words have a library of their own, so that they
    never wait for the model.

    `library`: is for its owner to close, when no thread searches any more; None for the one in `home`, which is opened when
    it is first needed. That takes a moment; see `is_open`. `chosen`: the collections to search, none for all. `clock`: seconds.

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
        self._watched: Library | None = None
        self._home = home
        self._clock = clock
        self._one_opens = Lock()
        self._one_at_a_time = Lock()
        self._one_by_words = Lock()
        self._one_watches = Lock()

    @property
    def is_open(self) -> bool:
        """True if the library can be used at once."""
        return self._library is not None

    @property
    def library(self) -> "Library":
        """The library, which is opened if it is not yet."""
        with self._one_opens:
            if self._library is None:
                from searchkit import DaemonLibrary

                self._library = DaemonLibrary(self._home)
                self._own.append(self._library)
            return self._library

    def collections(self) -> tuple[str, ...]:
        """List the names of the collections that are searched."""
        return self.chosen or tuple(self.library.collections())

    def request(self, query: str, mode: SearchMode, like: Hit | None = None) -> "SearchRequest":
        """Make a request of the chosen collections. `like`: for passages similar to this hit, instead of an answer."""
        from searchkit import PassageAt, SearchRequest

        place = PassageAt(like.path, like.page if like.line is None else like.line) if like else None
        return SearchRequest(query, _MAX_HITS, mode, self.chosen, like=place, fold=True, lists_files=True)

    def drop_missing(self) -> tuple[str, ...]:
        """No longer search chosen collections that do not exist. Returns their names."""
        there = self.library.collections()
        missing = tuple(name for name in self.chosen if name not in there)
        self.chosen = tuple(name for name in self.chosen if name in there)
        return missing

    def warm_up(self) -> str:
        """Load the model and what else the first search by meaning needs. Returns the error if that fails, else ""."""
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
        """Answer a request when its turn comes; None if the answer is no longer wanted, before or after the search."""
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

    def marked(self, pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """Answer a request again, with the sentences marked that the model chooses; None if that is no longer wanted.

        It reads for a moment at a time, so that another request is never kept waiting for long, until nothing is left to read.
        """
        request, answer = pending.request, None
        for _ in range(_MARKING_TURNS):
            turn = Pending(replace(request, marking_seconds=_MARKING_SECONDS))
            if (answer := self.answer(turn, is_wanted)) is None or answer.error:
                return None
            if answer.elapsed_ms < _MARKING_SECONDS * 1000:
                break
        return answer and replace(answer, request=request, is_marked=True)

    def first_answer(self, pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """Answer a request by words and by guesses at the meaning of passages that the model has not read.

        None if the whole answer comes sooner or there is nothing to show.
        """
        patience = _FIRST_BY_WORDS_SECONDS if self.is_warm else 0.0
        if pending.answered.wait(patience) or not is_wanted():
            return None
        with self._by_words() as library:
            if pending.answered.is_set() or not is_wanted():
                return None
            answer = self._quick(library, pending.request)
        is_use = is_wanted() and not answer.error and bool(answer.hits)
        return answer if is_use else None

    def recent(self, pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        """List the files that changed last, in answer to a request without a query; None if that is no longer wanted."""
        with self._by_words() as library:
            answer = self._search(library, pending.request, pending.request.mode) if is_wanted() else None
        return answer if is_wanted() else None

    @contextmanager
    def _by_words(self) -> "Iterator[Library]":
        """Lend the library that never waits for the model, to one thread at a time."""
        with self._one_by_words:
            if self._words is None:
                self._words = self.library.sibling()
                self._own.append(self._words)
            yield self._words

    def document(self, hit: Hit, window: ContextWindow | None) -> "DocumentContent":
        """Read a hit in its document, or its passage alone (None), as styled text."""
        from searchkit_tui.rendering.document_content import document_content, passage_content

        if window is None:
            return passage_content(hit)
        try:
            view = self.library.collection(hit.collection).context_of(hit, before=window.before, after=window.after)
            return document_content(hit, view)
        except SearchkitError:  # it is just being deleted or rebuilt
            return passage_content(hit)

    @contextmanager
    def watching(self) -> "Iterator[Library]":
        """Lend the library that is only looked at, to one thread at a time: no look waits for a search."""
        with self._one_watches:
            if self._watched is None:
                self._watched = self.library.sibling()
                self._own.append(self._watched)
            yield self._watched

    def file_types(self) -> dict[str, int]:
        """Count the files of each type in all collections, the most frequent type first."""
        counts: Counter[str] = Counter()
        for name in self.library.collections():
            try:
                formats = self.library.collection(name).status().formats
            except SearchkitError:  # just deleted or damaged; the others have types too
                continue
            counts.update({each.format: each.files for each in formats if each.format})
        return dict(counts.most_common())

    def close(self) -> None:
        """Close the libraries that this session has opened."""
        with self._one_at_a_time, self._one_by_words, self._one_watches:
            for library in self._own:
                library.close()
            self._own.clear()

    def _quick(self, library: "Library", request: "SearchRequest") -> SearchAnswer:
        """Search without what takes long: by words alone, unless the long part is that the model reads passages."""
        names = request.collections or self.collections()
        reads = self.is_warm and not all(_is_covered(library, name) for name in names)
        if reads and request.mode is not SearchMode.LEXICAL:
            answer = self._search(library, replace(request, wait=False), request.mode)
            return replace(answer, request=request, is_partial=True)
        return self._search(library, request, SearchMode.LEXICAL)

    def _search(self, library: "Library", request: "SearchRequest", mode: SearchMode) -> SearchAnswer:
        from searchkit import SearchResponse

        started = self._clock()
        response, error = SearchResponse(()), ""
        try:
            response = library.find(replace(request, mode=mode))
        except SearchkitError as failure:
            error = error_text(failure)
        elapsed_ms = (self._clock() - started) * 1000
        is_partial = request.like is None and mode is not request.mode
        answer = SearchAnswer(
            request, response, elapsed_ms, request.collections or self.collections(), error, is_partial
        )
        return replace(answer, is_partial=False) if answer.listed else answer


def passage_of(hit: Hit) -> Hashable:
    """What two hits have in common that show the same passage of the same file, whatever was found or marked in it."""
    return hit.collection, hit.path, hit.line, hit.page, hit.text


def is_answered_by_words(request: "SearchRequest") -> bool:
    """True if hits by words alone are part of the answer."""
    return request.mode is SearchMode.HYBRID and request.like is None and bool(request.query)


def _is_covered(library: "Library", name: str) -> bool:
    """True if everything in a collection has been embedded, or its database is away."""
    try:
        return library.collection(name).is_covered()
    except SearchkitError:
        return True
