"""OpenAI's /v1/chat/completions and /v1/completions: a collection is a model that answers from its documents, with citations."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from searchkit.answer.models.language_model import Message
from searchkit.display import on_one_line
from searchkit.errors import UsageError
from searchkit.serve.dialects.chat import answering
from searchkit.serve.dialects.chat.completions import ChatCompletion, TextCompletion
from searchkit.serve.dialects.chat.delivery import deliver
from searchkit.serve.dialects.chat.requests import question_and_history
from searchkit.serve.dialects.chat.structured import form_of
from searchkit.serve.http.lifespan import StateDep

router = APIRouter(prefix="/v1", tags=["openai"])
_Text = Annotated[str, Field(max_length=1_000_000)]


class ContentPart(BaseModel):
    """A part of a message; only text is read."""

    type: str = Field(max_length=40)
    text: str = Field(default="", max_length=1_000_000)


class ChatMessage(BaseModel):
    """A turn of the conversation. Instructions (system, developer) and results of tools are ignored."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: _Text | Annotated[list[ContentPart], Field(max_length=1000, fail_fast=True)] | None = None

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


class _AnyRequest(BaseModel):
    model: str = Field(max_length=300, description="`searchkit` for all collections, or a collection's name.")
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, description="Must be 1: one answer is written.")

    @property
    def wants_usage(self) -> bool:
        """True if a stream is to end with the numbers of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatRequest(_AnyRequest):
    """OpenAI's request. Temperature, token limits, tools and the like are accepted but ignored."""

    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=1000,
        fail_fast=True,
        examples=[[{"role": "user", "content": "When does the lease end?"}]],
    )
    response_format: dict[str, Any] | None = Field(
        default=None,
        description="`json_object` or `json_schema`: handed to the language model's server, refused where there is none.",
    )


class CompletionRequest(_AnyRequest):
    """OpenAI's older request. What steers a model that continues a text, such as `suffix` and `echo`, is ignored."""

    prompt: _Text | Annotated[list[_Text], Field(max_length=100, fail_fast=True)] = Field(
        examples=["When does the lease end?"]
    )


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
    shape = ChatCompletion(request.model, with_usage=request.wants_usage)
    asked = answering.ChatRequest(request.model, question, history, form_of(request.response_format))
    return await deliver(state, asked, shape, http, is_stream=bool(request.stream))


@router.post(
    "/completions",
    operation_id="create_completion",
    summary="Answer a prompt from a collection",
    responses={200: {"description": "A completion, or its chunks as server-sent events."}},
)
async def completions(request: CompletionRequest, http: Request, state: StateDep) -> Response:
    """Answer a question that is sent as a prompt, for clients of the API before chats. It knows no conversation."""
    if request.n not in (None, 1):
        raise UsageError("n must be 1: one answer is written.")
    prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    if len(prompts) != 1:
        raise UsageError("Several prompts at once are not answered.", remedy="Send one after the other.")
    question, history = question_and_history([("user", prompts[0])])
    shape = TextCompletion(request.model, with_usage=request.wants_usage)
    asked = answering.ChatRequest(request.model, question, history)
    return await deliver(state, asked, shape, http, is_stream=bool(request.stream))


def _question_and_history(request: ChatRequest) -> tuple[str, list[Message]]:
    return question_and_history([(each.role, each.as_text()) for each in request.messages])
