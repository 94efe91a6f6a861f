"""Answers, written in a thread of the pool and handed to an event loop piece by piece."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from searchkit.answer.answerer import DEFAULT_K, Answerer
from searchkit.answer.conversation import Conversation
from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream
from searchkit.answer.models.language_model import LanguageModel, Message
from searchkit.errors import AnswerCutError, LlmError, WindowTooSmallError
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.dialects.chat.requests import collections_of
from searchkit.serve.pool import LibraryPool
from searchkit.serve.references import Reference, references_of
from searchkit.types import Hit


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question, and the turns before it. `model`: names the collection, or all of them, that is to answer."""

    model: str
    question: str
    history: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class ChatResult:
    """The result of a finished answer. `references[i]` opens `sources[i]`, which is cited as [i + 1]."""

    report: AnswerReport
    sources: Sequence[Hit]
    references: Sequence[Reference]
    searched_for: str
    language_model: str
    prompt_tokens: int
    completion_tokens: int


class SharedLanguageModel:
    """The language model of all answers, looked for on first use, and again after it has failed.

    `choose` finds it, or raises LlmNotFoundError.
    """

    def __init__(self, choose: Callable[[], LanguageModel]) -> None:
        self._choose = choose
        self._lock = threading.Lock()
        self._model: LanguageModel | None = None

    @contextmanager
    def use(self) -> Iterator[LanguageModel]:
        """Give the model. If it fails, the next use looks for one again: the server may have another by then."""
        with self._lock:
            if self._model is None:
                self._model = self._choose()
            model = self._model
        try:
            yield model
        except (AnswerCutError, WindowTooSmallError):
            raise
        except LlmError:
            with self._lock:
                if self._model is model:
                    self._model = None
            raise

    def close(self) -> None:
        """Close the model. Nobody may be using it."""
        with self._lock:
            if self._model is not None:
                self._model.close()
            self._model = None


class AnswerInProgress:
    """An answer that is being written. `next` gives its pieces; `stop` ends it early, and must be called at the end.

    Raises PoolBusyError if too many answers are being written or waiting.
    """

    def __init__(self, pool: LibraryPool, language: SharedLanguageModel, request: ChatRequest) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | ChatResult | BaseException] = asyncio.Queue()
        self._lock = threading.Lock()
        self._stream: AnswerStream | None = None
        self.is_stopped = False
        self._future = pool.submit(lambda library: _write(library, language, request, self))

    async def next(self) -> str | ChatResult:
        """Return the next piece, or the result at the end. Raises what `Conversation.ask` and its stream raise."""
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self) -> None:
        """Stop writing (called from the loop)."""
        with self._lock:
            self.is_stopped = True
            if self._stream:
                self._stream.stop()
        self._future.cancel()

    def send(self, item: str | ChatResult | BaseException) -> None:
        """Hand over a piece (called from the thread)."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    def follow(self, stream: AnswerStream) -> AnswerStream:
        """Remember the stream that `stop` is to stop, or stop it now if it was called already (called from the thread)."""
        with self._lock:
            self._stream = stream
            if self.is_stopped:
                stream.stop()
        return stream


def _write(library: Library, language: SharedLanguageModel, request: ChatRequest, line: AnswerInProgress) -> None:
    try:
        if not line.is_stopped:
            line.send(_answered(library, language, request, line))
    except BaseException as error:  # noqa: BLE001 (raised where the pieces are read)
        line.send(error)


def _answered(
    library: Library, language: SharedLanguageModel, request: ChatRequest, line: AnswerInProgress
) -> ChatResult:
    collections = collections_of(request.model, library.collections())
    sources = SearchRequest(k=DEFAULT_K, collections=tuple(collections))
    with language.use() as model:
        answerer = Answerer(library, model)
        conversation = Conversation(answerer, sources, list(request.history))
        stream = line.follow(conversation.ask(request.question))
        try:
            for piece in stream:
                line.send(piece)
        except AnswerCutError:
            if stream.report is None or not stream.report.text:
                raise
        report = stream.report
        assert report is not None
        return ChatResult(
            report,
            stream.sources,
            references_of(library, stream.sources),
            conversation.searched_for,
            model.name,
            stream.context.tokens if stream.context else 0,
            model.count_tokens(report.text) if stream.sources else 0,
        )
