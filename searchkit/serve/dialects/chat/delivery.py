"""Delivers an answer over HTTP, whole or as a stream, in the shape of any dialect.

A stream stops when its client goes, a failure within the first seconds becomes the status of the response, and a sign of
life is sent while a model reads.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from searchkit.errors import SearchkitError
from searchkit.serve.dialects.chat.answering import AnswerInProgress, ChatRequest, ChatResult
from searchkit.serve.dialects.chat.completions import source_list
from searchkit.serve.http.error_responses import ErrorResponse, error_response, internal_error
from searchkit.serve.http.lifespan import AppState
from searchkit.serve.http.middleware.asgi import error_summary, log
from searchkit.serve.model_names import chat_model, unaliased

_PATIENCE_SECONDS = 5.0  # within which a failure still becomes the status of the response
_SIGN_OF_LIFE_SECONDS = 10.0


class AnswerShape(Protocol):
    """How a dialect writes an answer. One is made for each request. `media_type`: of a stream."""

    media_type: str

    def whole(self, text: str, result: ChatResult) -> Mapping[str, Any]:
        """Return the whole answer; `text` ends with the list of sources."""
        ...

    def begin(self) -> Sequence[bytes]:
        """Return what a stream begins with."""
        ...

    def piece(self, text: str) -> bytes:
        """Return the next piece of the text."""
        ...

    def end(self, text: str, result: ChatResult) -> Sequence[bytes]:
        """Return what ends a stream, given the whole text."""
        ...

    def broken(self, error: ErrorResponse) -> Sequence[bytes]:
        """Return what ends a stream that failed."""
        ...

    def sign_of_life(self) -> bytes:
        """Return what clients ignore, to be sent while nothing else is."""
        ...


async def deliver(
    state: AppState, asked: ChatRequest, shape: AnswerShape, http: Request, *, is_stream: bool
) -> Response:
    """Answer a question. `asked.model` may be any name that means a chat model.

    Raises ModelNotFoundError for another name, PoolBusyError if too many answers are written already, and what writing one
    raises.
    """
    asked = replace(asked, model=await served_chat_model(state, asked.model))
    return await (_streamed(state, asked, shape) if is_stream else _whole(state, asked, shape, http))


async def served_chat_model(state: AppState, name: str) -> str:
    """Return the chat model that a client's name means. Raises ModelNotFoundError, and UsageError for an embedding model."""
    meant = unaliased(name, state.options.aliases)
    return await state.list_pool.run(
        lambda library: chat_model(meant, library.collections(), library.open_models.names())
    )


async def _whole(state: AppState, asked: ChatRequest, shape: AnswerShape, http: Request) -> Response:
    gone = asyncio.ensure_future(_disconnected(http))
    answer = asyncio.ensure_future(whole_answer(AnswerInProgress(state.answer_pool, state.language, asked)))
    try:
        await asyncio.wait({gone, answer}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return Response(status_code=499)  # the client has disconnected
        text, end = answer.result()
        text += source_list(end)
        return JSONResponse(shape.whole(text, end))
    finally:
        gone.cancel()
        answer.cancel()


async def _disconnected(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


async def whole_answer(running: AnswerInProgress) -> tuple[str, ChatResult]:
    """Wait for an answer to end; return its text and the result."""
    text = ""
    try:
        while isinstance(piece := await running.next(), str):
            text += piece
    finally:
        running.stop()
    return text, piece


async def _streamed(state: AppState, asked: ChatRequest, shape: AnswerShape) -> Response:
    """Stream the answer. An early failure becomes the status of the response, a later one is written in the stream."""
    running = AnswerInProgress(state.answer_pool, state.language, asked)
    first = asyncio.ensure_future(running.next())
    try:
        await asyncio.wait({first}, timeout=_PATIENCE_SECONDS)
        if first.done() and (error := first.exception()):
            raise error
    except BaseException:
        running.stop()
        raise
    return AnswerResponse(running, _events(running, first, shape), shape.media_type)


class AnswerResponse(StreamingResponse):
    """An answer as it is written, which is stopped however the response ends, even if it never began."""

    def __init__(
        self,
        running: AnswerInProgress,
        parts: AsyncIterator[bytes],
        media_type: str,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(parts, media_type=media_type, headers={**headers, "cache-control": "no-store"})
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._running.stop()


async def written(
    running: AnswerInProgress, first: "asyncio.Future[str | ChatResult] | None" = None
) -> AsyncGenerator[str | ChatResult | None]:
    """The pieces of an answer and its result, the last; None where there has been nothing for a while, to send a sign of life.

    `first`: what is waited for already.
    """
    coming = first or asyncio.ensure_future(running.next())
    try:
        while True:
            await asyncio.wait({coming}, timeout=_SIGN_OF_LIFE_SECONDS)
            if not coming.done():
                yield None
                continue
            piece = coming.result()
            yield piece
            if isinstance(piece, ChatResult):
                return
            coming = asyncio.ensure_future(running.next())
    finally:
        coming.cancel()


async def _events(
    running: AnswerInProgress, first: "asyncio.Future[str | ChatResult]", shape: AnswerShape
) -> AsyncIterator[bytes]:
    text = ""
    try:
        for part in shape.begin():
            yield part
        async with aclosing(written(running, first)) as pieces:
            async for piece in pieces:
                if piece is None:
                    yield shape.sign_of_life()
                elif isinstance(piece, str):
                    text += piece
                    yield shape.piece(piece)
                else:
                    if listed := source_list(piece):
                        yield shape.piece(listed)
                    for part in shape.end(text + listed, piece):
                        yield part
    except SearchkitError as error:
        for part in shape.broken(error_response(error)):
            yield part
    except Exception as error:  # noqa: BLE001 (the status has been sent)
        log.error("an answer broke off: %s", error_summary(error))
        for part in shape.broken(internal_error()):
            yield part
