"""OpenAI's /v1/responses: questions to a collection, each of which may go on from an earlier response of this process."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from searchkit.display import on_one_line
from searchkit.errors import ReferenceGoneError, UsageError
from searchkit.serve.dialects.chat.answering import ChatRequest
from searchkit.serve.dialects.chat.delivery import deliver
from searchkit.serve.dialects.chat.requests import question_and_history
from searchkit.serve.dialects.chat.responses import ResponseAnswer, ResponseStore, StoredResponse, Turn
from searchkit.serve.dialects.chat.structured import form_of
from searchkit.serve.http.lifespan import StateDep

router = APIRouter(prefix="/v1/responses", tags=["openai"])
_Text = Annotated[str, Field(max_length=1_000_000)]
ResponseId = Annotated[str, Path(description="The id of a response.", max_length=200)]
_TEXT_PARTS = ("input_text", "output_text", "text")
_REPEATED = ("instructions", "metadata", "max_output_tokens", "temperature", "top_p", "user", "previous_response_id")


class InputPart(BaseModel):
    """A part of a message; only text is read."""

    type: str = Field(max_length=60)
    text: _Text | None = ""


class InputItem(BaseModel):
    """A message of the conversation, or another item, such as a tool's result, which is ignored."""

    type: str | None = Field(default="message", max_length=60)
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: _Text | Annotated[list[InputPart], Field(max_length=1000, fail_fast=True)] | None = None

    def turn(self) -> Turn | None:
        """Return role and text, None for anything but a message. Raises UsageError for parts that are not text."""
        if self.type not in (None, "message") or self.role is None:
            return None
        if not isinstance(self.content, list):
            return self.role, self.content or ""
        if other := [part.type for part in self.content if part.type not in (*_TEXT_PARTS, "refusal")]:
            raise UsageError(f"A message contains {on_one_line(other[0])}; only text is accepted.")
        return self.role, "\n".join(part.text or "" for part in self.content)


class TextOptions(BaseModel):
    """`format`: text, `json_object` or `json_schema`."""

    format: dict[str, Any] | None = None


class ResponseRequest(BaseModel):
    """OpenAI's request. Instructions, temperature, token limits, tools and the like are accepted but ignored."""

    model: str = Field(max_length=300, description="`searchkit` for all collections, or a collection's name.")
    input: _Text | Annotated[list[InputItem], Field(min_length=1, max_length=1000, fail_fast=True)] = Field(
        description="A question, or the items of a conversation whose last message is the user's.",
        examples=["When does the lease end?"],
    )
    previous_response_id: str | None = Field(
        default=None, max_length=200, description="A response of this server since its start, to go on from."
    )
    stream: bool | None = False
    store: bool | None = Field(default=True, description="`false`: it cannot be gone on from.")
    text: TextOptions | None = None
    instructions: Any = None
    metadata: dict[str, str] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    user: str | None = Field(default=None, max_length=1000)
    background: bool | None = None
    conversation: Any = None


@router.post(
    "",
    operation_id="create_response",
    summary="Answer from a collection (Responses)",
    responses={200: {"description": "A response, or its events as server-sent events."}},
)
async def create(request: ResponseRequest, http: Request, state: StateDep) -> Response:
    """Answer the last message from what a collection says about it, with checked citations.

    Every source is an annotation of the text: `url_citation` in the order of the numbers, and `file_citation` for those that
    are cited. The last 200 responses are remembered until the server stops, for `previous_response_id`.
    """
    if request.background or request.conversation is not None:
        what = "background" if request.background else "conversation"
        raise UsageError(
            f"{what} is not offered here.", remedy="Leave it out; previous_response_id goes on from a response."
        )
    turns = [*_turns_before(state.responses, request.previous_response_id), *await asyncio.to_thread(_turns, request)]
    question, history = await asyncio.to_thread(question_and_history, turns)
    settings = {name: getattr(request, name) for name in _REPEATED}
    if request.text and request.text.format:
        settings["text"] = {"format": request.text.format}
    kept = state.responses if request.store is not False else None
    said = [*((each.role, each.content) for each in history), ("user", question)]
    shape = ResponseAnswer({**settings, "model": request.model}, said, kept)
    form = form_of(request.text.format if request.text else None)
    asked = ChatRequest(request.model, question, history, form)
    return await deliver(state, asked, shape, http, is_stream=bool(request.stream))


@router.get("/{response_id}", operation_id="retrieve_response", summary="Look at a response again")
async def retrieve(response_id: ResponseId, state: StateDep) -> dict[str, Any]:
    """Show a response that is still remembered."""
    return dict(_stored(state.responses, response_id).response)


@router.delete("/{response_id}", operation_id="delete_response", summary="Forget a response")
async def delete(response_id: ResponseId, state: StateDep) -> dict[str, Any]:
    """Forget a response."""
    _stored(state.responses, response_id)
    state.responses.forget(response_id)
    return {"id": response_id, "object": "response", "deleted": True}


def _turns_before(store: ResponseStore, previous: str | None) -> tuple[Turn, ...]:
    if not previous:
        return ()
    stored = store.get(previous)
    if stored is None:
        raise UsageError(
            f"The previous response '{on_one_line(previous)[:80]}' is not remembered.",
            remedy="Send the conversation as the input: responses are forgotten when the server stops, and after 200 others.",
        )
    return stored.turns


def _turns(request: ResponseRequest) -> list[Turn]:
    if isinstance(request.input, str):
        return [("user", request.input)]
    return [turn for item in request.input if (turn := item.turn())]


def _stored(store: ResponseStore, response_id: str) -> StoredResponse:
    stored = store.get(response_id)
    if stored is None:
        raise ReferenceGoneError(f"There is no response '{on_one_line(response_id)[:80]}'.", remedy="Ask again.")
    return stored
