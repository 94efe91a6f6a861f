"""An answer written in one of the engine's threads, and handed over piece by piece to an event loop."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from searchkit.answer.answerer import Answerer, Scope
from searchkit.answer.conversation import Conversation
from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream
from searchkit.answer.models.language_model import Message
from searchkit.errors import AnswerCutError
from searchkit.library import Library
from searchkit.serve.dialects.chat.chat_models import collections_of
from searchkit.serve.dialects.chat.language import SharedLanguageModel
from searchkit.serve.pool import LibraryPool
from searchkit.serve.references import Reference, references_of
from searchkit.types import Hit


@dataclass(frozen=True, slots=True)
class Asked:
    """`model`: the collection, or all, that is to answer."""

    model: str
    question: str
    history: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What is known when an answer has ended. `references[i]` opens `sources[i]`, which [i + 1] stands for."""

    report: AnswerReport
    sources: Sequence[Hit]
    references: Sequence[Reference]
    searched_for: str
    language_model: str
    prompt_tokens: int
    completion_tokens: int


class AnswerInProgress:
    """Begun when it is made. `next` gives its pieces; `stop`, which must come at last, ends it wherever it is.

    Raises PoolBusyError if too many answers are asked for at once.
    """

    def __init__(self, pool: LibraryPool, language: SharedLanguageModel, asked: Asked) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | Answered | BaseException] = asyncio.Queue()
        self._lock = threading.Lock()
        self._stream: AnswerStream | None = None
        self.is_stopped = False
        self._future = pool.submit(lambda library: _write(library, language, asked, self))

    async def next(self) -> str | Answered:
        """The next piece; at the end what is known of the answer. Raises what `Conversation.ask` and its stream raise."""
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self) -> None:
        """From the loop: nobody wants more."""
        with self._lock:
            self.is_stopped = True
            if self._stream:
                self._stream.stop()
        self._future.cancel()

    def send(self, item: str | Answered | BaseException) -> None:
        """From the thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    def follow(self, stream: AnswerStream) -> AnswerStream:
        """From the thread: note what to stop when nobody listens any more; stop it if that is so already."""
        with self._lock:
            self._stream = stream
            if self.is_stopped:
                stream.stop()
        return stream


def _write(library: Library, language: SharedLanguageModel, asked: Asked, line: AnswerInProgress) -> None:
    try:
        if not line.is_stopped:
            line.send(_answered(library, language, asked, line))
    except BaseException as error:  # noqa: BLE001 (raised where the pieces are read)
        line.send(error)


def _answered(library: Library, language: SharedLanguageModel, asked: Asked, line: AnswerInProgress) -> Answered:
    scope = Scope(collections_of(asked.model, library.collections()))
    with language.use() as model:
        answerer = Answerer(library, model)
        conversation = Conversation(answerer, scope, list(asked.history))
        stream = line.follow(conversation.ask(asked.question))
        try:
            for piece in stream:
                line.send(piece)
        except AnswerCutError:
            if stream.report is None or not stream.report.text:
                raise
        report = stream.report
        assert report is not None
        return Answered(
            report,
            stream.sources,
            references_of(library, stream.sources),
            conversation.searched_for,
            model.name,
            stream.context.tokens if stream.context else 0,
            model.count_tokens(report.text) if stream.sources else 0,
        )
