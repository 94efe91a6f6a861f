"""Answers, written in a thread of the pool and handed to an event loop piece by piece."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from searchkit.answer.answerer import DEFAULT_K, Answerer
from searchkit.answer.conversation import Conversation
from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream
from searchkit.answer.models.language_model import LanguageModel, Message
from searchkit.answer.plain_text import visible_text
from searchkit.answer.prompt import without_turn_marks
from searchkit.errors import AnswerCutError, LlmError, LlmNotFoundError, WindowTooSmallError
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.dialects.chat.chores import CHORE_TOKENS, is_chore, without_model
from searchkit.serve.dialects.chat.requests import collections_of
from searchkit.serve.dialects.chat.structured import Form, answer_in_form
from searchkit.serve.pool import LibraryPool
from searchkit.serve.references import Reference, references_of
from searchkit.types import Hit

_LOOK_SECONDS = 15.0  # between two looks for a language model while there is none


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question, and the turns before it. `model`: names the collection, or all of them, that is to answer.

    `form`: the `response_format` that the answer is to have, None for text.
    """

    model: str
    question: str
    history: Sequence[Message] = ()
    form: Form | None = None


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
    """The language model of all answers, looked for on first use, again after it has failed, and now and then while there is none.

    `choose` finds it, or says why the one that is set up is not there, or raises LlmNotFoundError.
    """

    def __init__(self, choose: Callable[[], tuple[LanguageModel | None, LlmNotFoundError | None]]) -> None:
        self._choose = choose
        self._lock = threading.Lock()
        self._model: LanguageModel | None = None
        self._missing: LlmNotFoundError | None = None
        self._look_again = 0.0

    @contextmanager
    def use(self, library: Library) -> Iterator[Answerer]:
        """Give an answerer with the model. If that fails, the next use looks for one again: the server may have another by then."""
        with self._lock:
            if self._model is None and time.monotonic() >= self._look_again:
                self._model, self._missing = self._choose()
                self._look_again = time.monotonic() + _LOOK_SECONDS
            model = self._model
        try:
            yield Answerer(library, model, self._missing)
        except (AnswerCutError, WindowTooSmallError):
            raise
        except LlmError:
            with self._lock:
                if self._model is model:
                    self._model, self._look_again = None, 0.0
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
    with language.use(library) as answerer:
        conversation = Conversation(answerer, sources, list(request.history))
        if request.form is not None:
            return _in_form(library, conversation, request, request.form, line)
        if is_chore(request.question):
            return _done(request, answerer.model, line)
        stream = line.follow(conversation.ask(request.question))
        try:
            for piece in stream:
                line.send(piece)
        except AnswerCutError:
            if stream.report is None or not stream.report.answer:
                raise
        report = stream.report
        assert report is not None
        if stream.sources and answerer.advice and not request.history:
            line.send(f"\n\n{answerer.advice}")
        return ChatResult(
            report,
            stream.sources,
            references_of(library, stream.sources),
            conversation.searched_for,
            answerer.name,
            stream.context.tokens if stream.context else 0,
            answerer.window.count(report.answer) if stream.sources else 0,
        )


def _in_form(
    library: Library, conversation: Conversation, request: ChatRequest, form: Form, line: AnswerInProgress
) -> ChatResult:
    """Answer in the form that the client demands; the sources are beside the text."""
    text, context = answer_in_form(library, conversation, request.question, form, lambda: line.is_stopped)
    line.send(text)
    answerer = conversation.answerer
    return ChatResult(
        AnswerReport(text, (), (), (), "complete"),
        context.sources,
        references_of(library, context.sources),
        conversation.searched_for,
        answerer.name,
        context.tokens,
        answerer.window.count(text),
    )


def _done(request: ChatRequest, model: LanguageModel | None, line: AnswerInProgress) -> ChatResult:
    """Do what a chat program asks for its own ends, as it asks for it."""
    if model is None:
        text = without_model(request.question)
        line.send(text)
    else:
        reply = model.reply([Message("user", without_turn_marks(request.question))], CHORE_TOKENS)
        pieces = []
        try:
            for piece in reply:
                if line.is_stopped:
                    break
                pieces.append(visible_text(piece))
                line.send(pieces[-1])
        finally:
            reply.stop()
        text = "".join(pieces)
    report = AnswerReport(text, (), (), (), "complete")
    return ChatResult(report, (), (), "", model.name if model else "", 0, 0)
