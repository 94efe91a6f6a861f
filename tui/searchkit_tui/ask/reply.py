"""A question and its answer so far: asked in a thread, read by the screen. Knows no widgets."""

import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from threading import Event
from typing import Protocol

from searchkit import Library
from searchkit.errors import SearchkitError
from searchkit.types import Hit
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.settings.keys import SOURCES


class AnswerStream(Protocol):
    """An answer on its way. It can be iterated once, and yields the text piece by piece.

    `sources`: the passages that it is based on, complete before the first piece; the text calls the first one [1]. At the end they
    have the pages of what cites them. `findings`: then what checks found wrong with it, a sentence each.
    """

    @property
    def sources(self) -> Sequence[Hit]:
        """See the class."""

    @property
    def findings(self) -> Sequence[str]:
        """See the class."""

    def __iter__(self) -> Iterator[str]:
        """Yield the pieces. Raises SearchkitError if the model fails."""

    def stop(self) -> None:
        """Have the iteration end soon. May be called from any thread, more than once, and after the end."""


class Answerer(Protocol):
    """Answers questions from a library's passages, on this machine. `name`: the language model's; "" if passages are quoted.

    `advice`: then what would answer in words of its own, on one line.
    """

    @property
    def name(self) -> str:
        """See the class."""

    @property
    def advice(self) -> str:
        """See the class."""

    def answer(self, question: str, collections: Sequence[str]) -> AnswerStream:
        """Find the passages, in all collections unless some are named, and begin to answer. Raises SearchkitError."""

    def close(self) -> None:
        """Unload the model."""


OpenAnswerer = Callable[[Library], Answerer]


def find_answerer(library: Library) -> Answerer:
    """Open the engine's answerer. Raises SearchkitError, with what to do, if the language model that is set up cannot be used."""
    from searchkit.answer import open_answerer

    return open_answerer(library)


class ReplyState(StrEnum):
    """The stages of a reply."""

    SEARCHING = "searching"
    ANSWERING = "answering"
    DONE = "done"


class Reply:
    """A question and its answer so far. Attributes are replaced or appended to as a whole, so that any thread may read them.

    `name`, `advice`: see Answerer; `findings`: see AnswerStream. `missing`: why nothing answers, None while something does;
    `error`: how the answer failed, "" if it did not.
    """

    def __init__(self, library: Library, open_answerer: OpenAnswerer) -> None:
        self.state = ReplyState.SEARCHING
        self.name = ""
        self.advice = ""
        self.sources: tuple[Hit, ...] = ()
        self.pieces: list[str] = []
        self.findings: tuple[str, ...] = ()
        self.missing: str | None = None
        self.error = ""
        self.elapsed_seconds = 0.0
        self._library = library
        self._open_answerer = open_answerer
        self._stopped = Event()
        self._stream: AnswerStream | None = None
        self._started = time.monotonic()

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self.pieces)

    @property
    def is_coming(self) -> bool:
        """True while there may be more."""
        return self.state is not ReplyState.DONE

    @property
    def is_stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Make the answer end soon, from any thread; its text so far stays."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.stop()

    def run(self, question: str, collections: Sequence[str]) -> None:
        """Answer to the end, or find only the passages where nothing answers. For a thread of its own."""
        try:
            with self._library.sibling() as library:
                self._answer(library, question, collections)
        except SearchkitError as error:
            self.error = error_text(error)
        except Exception as error:  # noqa: BLE001 (whatever a language model raises costs this answer only)
            self.error = f"{type(error).__name__}: {error}"
        self.elapsed_seconds = time.monotonic() - self._started
        self.state = ReplyState.DONE

    def _answer(self, library: Library, question: str, collections: Sequence[str]) -> None:
        try:
            answerer = self._open_answerer(library)
        except SearchkitError as error:
            self.missing = error_text(error)
            self._take_sources(library.search(question, k=SOURCES, collections=collections))
            return
        self.name, self.advice = answerer.name, answerer.advice
        try:
            self._follow(answerer.answer(question, collections))
        finally:
            answerer.close()

    def _follow(self, stream: AnswerStream) -> None:
        self._stream = stream
        self._take_sources(stream.sources)
        if self.is_stopped:
            stream.stop()
        for piece in stream:
            self.pieces.append(piece)
            if self.is_stopped:
                return
        self.findings = tuple(stream.findings)
        self._take_sources(stream.sources)

    def _take_sources(self, sources: Sequence[Hit]) -> None:
        self.sources = tuple(sources)
        self.state = ReplyState.ANSWERING
