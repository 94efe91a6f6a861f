"""OpenAI's /v1/chat/completions: a collection is a model that answers from its documents, with citations."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from searchkit.answer.models.language_model import Message
from searchkit.display import on_one_line
from searchkit.errors import SearchkitError, UsageError
from searchkit.serve.dialects.chat import answering
from searchkit.serve.dialects.chat.answering import AnswerInProgress, ChatResult
from searchkit.serve.dialects.chat.completions import Completion, source_list
from searchkit.serve.dialects.chat.requests import question_and_history
from searchkit.serve.http.error_responses import body_of, error_response, internal_error
from searchkit.serve.http.lifespan import AppState, StateDep
from searchkit.serve.http.middleware.asgi import error_summary, log

router = APIRouter(prefix="/v1", tags=["openai"])
_PATH = "/v1/chat/completions"
_PATIENCE_SECONDS = 5.0  # within which a failure still becomes the status of the response
_SIGN_OF_LIFE_SECONDS = 10.0


class ContentPart(BaseModel):
    """A part of a message; only text is read."""

    type: str = Field(max_length=40)
    text: str = Field(default="", max_length=1_000_000)


class ChatMessage(BaseModel):
    """A turn of the conversation. Instructions (system, developer) and results of tools are ignored."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: (
        Annotated[str, Field(max_length=1_000_000)]
        | Annotated[list[ContentPart], Field(max_length=1000, fail_fast=True)]
        | None
    ) = None

    def as_text(self) -> str:
        """Return the text. Raises UsageError for parts that are not text."""
        if not isinstance(self.content, list):
            return self.content or ""
        if other := [part.type for part in self.content if part.type not in ("text", "input_text")]:
            raise UsageError(f"A message contains {on_one_line(other[0])}; only text is accepted.")
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """`include_usage`: the stream ends with the numbers of tokens."""

    include_usage: bool | None = False


class ChatRequest(BaseModel):
    """OpenAI's request. Temperature, token limits, tools and the like are accepted but ignored."""

    model: str = Field(max_length=300, description="`searchkit` for all collections, or a collection's name.")
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=1000,
        fail_fast=True,
        examples=[[{"role": "user", "content": "When does the lease end?"}]],
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, description="Must be 1: one answer is written.")


@router.post(
    "/chat/completions",
    operation_id="create_chat_completion",
    summary="Answer from a collection",
    responses={200: {"description": "A chat completion, or its chunks as server-sent events."}},
)
async def chat_completions(request: ChatRequest, http: Request, state: StateDep) -> Response:
    """Answer the last question from what a collection says about it, with the language model.

    Every citation in the text ([1]) and every sentence is checked; the list of sources follows the text. The field
    `searchkit` has the sources and the results of the checks, `annotations` the cited files, for clients that show them.
    Earlier turns are used to understand the question.
    """
    if request.n not in (None, 1):
        raise UsageError("n must be 1: one answer is written.")
    question, history = await asyncio.to_thread(_question_and_history, request)
    completion = Completion(request.model, bool(request.stream_options and request.stream_options.include_usage))
    asked = answering.ChatRequest(request.model, question, history)
    if request.stream:
        return await _streamed(state, asked, completion)
    return await _whole(state, asked, completion, http)


def _question_and_history(request: ChatRequest) -> tuple[str, list[Message]]:
    return question_and_history([(each.role, each.as_text()) for each in request.messages])


async def _whole(state: AppState, asked: answering.ChatRequest, completion: Completion, http: Request) -> Response:
    gone = asyncio.ensure_future(_disconnected(http))
    written = asyncio.ensure_future(_written(state, asked))
    try:
        await asyncio.wait({gone, written}, return_when=asyncio.FIRST_COMPLETED)
        if not written.done():
            return Response(status_code=499)  # the client has disconnected
        text, end = written.result()
        return JSONResponse(completion.whole(text, end))
    finally:
        gone.cancel()
        written.cancel()


async def _disconnected(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


async def _written(state: AppState, asked: answering.ChatRequest) -> tuple[str, ChatResult]:
    text = ""
    running = AnswerInProgress(state.answer_pool, state.language, asked)
    try:
        while isinstance(piece := await running.next(), str):
            text += piece
    finally:
        running.stop()
    return text + source_list(piece), piece


async def _streamed(state: AppState, asked: answering.ChatRequest, completion: Completion) -> Response:
    """Stream the answer. An early failure becomes the status of the response, a later one an event."""
    running = AnswerInProgress(state.answer_pool, state.language, asked)
    first = asyncio.ensure_future(running.next())
    try:
        await asyncio.wait({first}, timeout=_PATIENCE_SECONDS)
        if first.done() and (error := first.exception()):
            raise error
    except BaseException:
        running.stop()
        raise
    return _Stream(running, _events(running, first, completion))


class _Stream(StreamingResponse):
    """The events of an answer, which is stopped however the response ends, even if it never began."""

    def __init__(self, running: AnswerInProgress, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._running.stop()


async def _events(
    running: AnswerInProgress, coming: "asyncio.Future[str | ChatResult]", completion: Completion
) -> AsyncIterator[bytes]:
    text = ""
    try:
        yield completion.chunk({"role": "assistant", "content": ""})
        while True:
            await asyncio.wait({coming}, timeout=_SIGN_OF_LIFE_SECONDS)
            if not coming.done():
                yield b": still reading\n\n"
                continue
            piece = coming.result()
            if isinstance(piece, ChatResult):
                break
            text += piece
            yield completion.chunk({"content": piece})
            coming = asyncio.ensure_future(running.next())
        if listed := source_list(piece):
            yield completion.chunk({"content": listed})
        for event in completion.last(piece, text + listed):
            yield event
    except SearchkitError as error:
        yield b"data: " + body_of(error_response(error), _PATH) + b"\n\n"
    except Exception as error:  # noqa: BLE001 (the status has been sent)
        log.error("an answer broke off: %s", error_summary(error))
        yield b"data: " + body_of(internal_error(), _PATH) + b"\n\n"
    finally:
        coming.cancel()
