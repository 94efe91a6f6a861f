"""Ollama's /api/chat and /api/generate: a collection is a model that answers from its documents, with citations."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from searchkit.display import json_text
from searchkit.errors import UsageError
from searchkit.serve.dialects.chat.answering import ChatRequest, ChatResult
from searchkit.serve.dialects.chat.completions import extra_of, finish_of
from searchkit.serve.dialects.chat.delivery import deliver, served_chat_model
from searchkit.serve.dialects.chat.requests import question_and_history
from searchkit.serve.dialects.chat.structured import Form, form_of
from searchkit.serve.http.error_responses import ErrorResponse, body_of
from searchkit.serve.http.lifespan import AppState, StateDep

router = APIRouter(prefix="/api", tags=["ollama"])
_PATH = "/api/chat"
_Text = Annotated[str, Field(max_length=1_000_000)]
_Images = Annotated[list[Any], Field(max_length=100)]
_ANSWER: dict[int | str, dict[str, Any]] = {200: {"description": "An answer, or its parts, one JSON object in a line."}}


class OllamaMessage(BaseModel):
    """A turn of the conversation. Instructions (system) and results of tools are ignored."""

    role: Literal["system", "user", "assistant", "tool"]
    content: _Text | None = ""
    images: _Images | None = None


class _AnyRequest(BaseModel):
    model: str = Field(max_length=300, description="`searchkit` for all collections, or a collection's name.")
    stream: bool | None = True
    format: Literal["", "json"] | dict[str, Any] | None = Field(
        default=None,
        description="`json`, or a JSON schema: handed to the language model's server, refused where there is none.",
    )

    def form(self) -> Form | None:
        """Return the form in OpenAI's shape, None for text."""
        if isinstance(self.format, dict):
            return form_of({"type": "json_schema", "json_schema": {"schema": self.format}})
        return form_of({"type": "json_object"}) if self.format else None


class OllamaChatRequest(_AnyRequest):
    """Ollama's request. Options, tools and keep_alive are accepted but ignored."""

    messages: list[OllamaMessage] = Field(
        default_factory=list,
        max_length=1000,
        fail_fast=True,
        examples=[[{"role": "user", "content": "When does the lease end?"}]],
    )


class OllamaGenerateRequest(_AnyRequest):
    """Ollama's request. Options, system and template are accepted but ignored."""

    prompt: _Text | None = Field(default="", examples=["When does the lease end?"])
    images: _Images | None = None


class OllamaAnswer:
    """Shapes an answer as Ollama's, one JSON object in a line; see AnswerShape. `is_chat`: as a message, not as a response."""

    media_type = "application/x-ndjson"

    def __init__(self, model: str, *, is_chat: bool) -> None:
        self._model = model
        self._is_chat = is_chat
        self._start = time.perf_counter_ns()

    def whole(self, text: str, result: ChatResult) -> dict[str, Any]:
        """See AnswerShape."""
        return {**self._part(text, is_done=True), **self._numbers(result)}

    def begin(self) -> list[bytes]:
        """See AnswerShape."""
        return []

    def piece(self, text: str) -> bytes:
        """See AnswerShape."""
        return _line(self._part(text, is_done=False))

    def end(self, text: str, result: ChatResult) -> list[bytes]:  # noqa: ARG002 (the protocol's signature)
        """See AnswerShape."""
        return [_line(self.whole("", result))]

    def broken(self, error: ErrorResponse) -> list[bytes]:
        """See AnswerShape."""
        return [body_of(error, _PATH) + b"\n"]

    def sign_of_life(self) -> bytes:
        """See AnswerShape."""
        return self.piece("")

    def loaded(self) -> dict[str, Any]:
        """Return the answer to a request without a question, which loads a model in Ollama."""
        return {**self._part("", is_done=True), "done_reason": "load"}

    def _part(self, text: str, *, is_done: bool) -> dict[str, Any]:
        said: dict[str, Any] = (
            {"message": {"role": "assistant", "content": text}} if self._is_chat else {"response": text}
        )
        return {"model": self._model, "created_at": datetime.now(UTC).isoformat(), **said, "done": is_done}

    def _numbers(self, result: ChatResult) -> dict[str, Any]:
        """Return what ends an answer; times are in nanoseconds."""
        taken = time.perf_counter_ns() - self._start
        return {
            "done_reason": finish_of(result),
            "total_duration": taken,
            "load_duration": 0,
            "prompt_eval_count": result.prompt_tokens,
            "prompt_eval_duration": 0,
            "eval_count": result.completion_tokens,
            "eval_duration": taken,
            "searchkit": extra_of(result),
        }


@router.post("/chat", operation_id="ollama_chat", summary="Answer from a collection (Ollama)", responses=_ANSWER)
async def chat(request: OllamaChatRequest, http: Request, state: StateDep) -> Response:
    """Answer the last question from what a collection says about it, with checked citations and the list of sources."""
    shape = OllamaAnswer(request.model, is_chat=True)
    if not request.messages:
        return await _loaded(state, request.model, shape)
    question, history = await asyncio.to_thread(_question_and_history, request)
    asked = ChatRequest(request.model, question, history, request.form())
    return await deliver(state, asked, shape, http, is_stream=request.stream is not False)


@router.post("/generate", operation_id="ollama_generate", summary="Answer a prompt (Ollama)", responses=_ANSWER)
async def generate(request: OllamaGenerateRequest, http: Request, state: StateDep) -> Response:
    """Answer a question that is sent as a prompt. It knows no conversation."""
    shape = OllamaAnswer(request.model, is_chat=False)
    _refuse_images(request.images)
    if not (request.prompt or "").strip():
        return await _loaded(state, request.model, shape)
    question, history = question_and_history([("user", request.prompt or "")])
    asked = ChatRequest(request.model, question, history, request.form())
    return await deliver(state, asked, shape, http, is_stream=request.stream is not False)


async def _loaded(state: AppState, model: str, shape: OllamaAnswer) -> Response:
    await served_chat_model(state, model)
    return JSONResponse(shape.loaded())


def _question_and_history(request: OllamaChatRequest) -> tuple[str, list[Any]]:
    for message in request.messages:
        _refuse_images(message.images)
    return question_and_history([(each.role, each.content or "") for each in request.messages])


def _refuse_images(images: list[Any] | None) -> None:
    if images:
        raise UsageError("A message contains images; only text is accepted.")


def _line(value: dict[str, Any]) -> bytes:
    return f"{json_text(value)}\n".encode()
