"""One question at a time, for a thread: asks, passes on what comes, and tells how it ended. Knows no widgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit.types import Hit
from searchkit_tui.ask.answerer import Answerer, AnswerStream, OpenAnswerer

SOURCES = 9  # as many as there are keys for


class Audience(Protocol):
    """Who is told of an answer's way; called from the session's thread."""

    def on_answerer(self, name: str) -> None:
        """Which language model answers."""

    def on_sources(self, sources: Sequence[Hit]) -> None:
        """The numbered passages, before any text."""

    def on_text(self, piece: str) -> None:
        """The next piece of the answer."""

    def on_no_answerer(self, reason: str) -> None:
        """There is nothing that answers; `reason`: what is not set up, "" if this searchkit has none at all."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended: by itself, stopped, or by an error."""

    was_stopped: bool = False
    error: str = ""


class Asking:
    """A question being answered; `stop` may be called from any thread."""

    def __init__(self, library: Library, open_answerer: OpenAnswerer) -> None:
        self._library = library
        self._open_answerer = open_answerer
        self._stopped = Event()
        self._stream: AnswerStream | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it has been told to stop."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the stream soon; what has come stays."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.stop()

    def run(self, question: str, collections: Sequence[str], audience: Audience) -> Ending:
        """Answer, or show the passages alone where nothing answers; to its end."""
        try:
            with self._library.sibling() as library:
                try:
                    answerer = self._open_answerer(library)
                except SearchkitError as error:
                    audience.on_no_answerer(str(error))
                    audience.on_sources(library.search(question, k=SOURCES, collections=collections))
                    return Ending()
                return self._follow(answerer, question, collections, audience)
        except SearchkitError as error:
            return Ending(error=str(error))
        except Exception as error:  # noqa: BLE001 (whatever a language model throws costs this answer only)
            return Ending(error=f"{type(error).__name__}: {error}")

    def _follow(self, answerer: Answerer, question: str, collections: Sequence[str], audience: Audience) -> Ending:
        audience.on_answerer(answerer.name)
        try:
            stream = self._stream = answerer.answer(question, collections)
            audience.on_sources(stream.sources)
            if self._stopped.is_set():
                stream.stop()
            for piece in stream:
                audience.on_text(piece)
                if self._stopped.is_set():
                    break
            return Ending(was_stopped=self._stopped.is_set())
        finally:
            answerer.close()
