"""OpenAI's /v1/models and /v1/embeddings.

Listed as models are the embedding models, and the collections, which answer as chat models.
"""

import asyncio
import base64
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from searchkit.errors import ModelNotFoundError
from searchkit.library import Library
from searchkit.serve import vectors
from searchkit.serve.dialects.chat.requests import chat_models
from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.model_names import chat_model, installed_name, name_and_kind, unaliased
from searchkit.serve.vectors import MAX_INPUTS, EmbeddingResult, embed

router = APIRouter(prefix="/v1", tags=["openai"])

_MAX_CHARACTERS, _MAX_TOKENS = 2_000_000, 100_000
Token = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=_MAX_TOKENS, fail_fast=True)]
_TEXT = Annotated[str, Field(max_length=_MAX_CHARACTERS)]
_T = TypeVar("_T")
_Several = Annotated[list[_T], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]


def _read_input(given: object, read: ValidatorFunctionWrapHandler) -> object:
    """Say what is wrong in one sentence; pydantic would list an error for each kind of input."""
    if given == []:
        raise PydanticCustomError("empty_input", "The input is empty. Send a text, or a list of texts.")
    try:
        return read(given)
    except ValidationError as error:
        raise PydanticCustomError(
            "no_input",
            f"Send a text (up to {_MAX_CHARACTERS:,} characters), token ids (up to {_MAX_TOKENS:,}), or a list of up to"
            f" {MAX_INPUTS:,} texts or lists of token ids.",
        ) from error


class Model(BaseModel):
    """A model. By `owned_by`, searchkit recognises its own entries, which are no language models to ask."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["searchkit"] = "searchkit"
    kind: Literal["chat", "embedding"] = Field(description="What it is for: chat completions or embeddings.")


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class EmbeddingRequest(BaseModel):
    """OpenAI's request; other fields are ignored."""

    model: str = Field(max_length=200, examples=["embeddinggemma-300m", "embeddinggemma-300m:query"])
    input: Annotated[_TEXT | Tokens | _Several[_TEXT] | _Several[Tokens], WrapValidator(_read_input)] = Field(
        description="A text, a list of texts, or token ids of the model's own vocabulary (not tiktoken's).",
        examples=[["The lease ends on 31 March."]],
    )
    dimensions: int | None = Field(
        default=None, description="Length of the Matryoshka prefix, which is normalised again.", examples=[256]
    )
    encoding_format: Literal["float", "base64"] | None = "float"
    input_type: str | None = Field(
        default="",
        max_length=40,
        description="Which prompt the model sees before the text: query or document. Without it, the model's name decides"
        " (NAME:query, NAME:document); NAME alone embeds documents.",
        examples=["query"],
    )


class EmbeddingEntry(BaseModel):
    """A vector of unit length; with base64, its little-endian float32 numbers."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """The number of tokens in the inputs, without prompts."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingEntry]
    model: str
    usage: EmbeddingUsage


@router.get("/models", operation_id="list_models", summary="List models")
async def models(state: StateDep) -> ModelList:
    """List the models: `searchkit` answers from all collections, a collection's name from that one; the others embed."""
    return ModelList(data=await state.list_pool.run(_models))


@router.get("/models/{model:path}", operation_id="retrieve_model", summary="Look at a model")
async def model(state: StateDep, model: Annotated[str, Path(max_length=300)]) -> Model:
    """Show one model, by any name that requests may give it."""
    meant = unaliased(model, state.options.aliases)
    return await state.list_pool.run(lambda library: _model(library, model, meant))


def _model(library: Library, asked: str, meant: str) -> Model:
    embedding = library.open_models.names()
    if installed_name(name_and_kind(meant)[0], embedding) in embedding:
        return Model(id=asked, kind="embedding")
    try:
        chat_model(meant, library.collections(), embedding)
    except ModelNotFoundError:
        raise ModelNotFoundError(f"There is no model '{asked[:80]}'.", remedy="List them: GET /v1/models.") from None
    return Model(id=asked, kind="chat")


def _models(library: Library) -> list[Model]:
    embedding = library.open_models.names()
    chat = chat_models(library.collections(), embedding)
    return [Model(id=name, kind="chat") for name in chat] + [Model(id=name, kind="embedding") for name in embedding]


@router.post("/embeddings", operation_id="create_embeddings", summary="Embed texts", response_model=EmbeddingList)
async def embeddings(request: EmbeddingRequest, state: StateDep) -> Response:
    """Embed texts. The vectors have unit length, so their dot product is their similarity."""
    given = request.input
    is_one = isinstance(given, str) or (bool(given) and isinstance(given[0], int))
    inputs = [given] if is_one else given
    model = unaliased(request.model, state.options.aliases)
    order = vectors.EmbeddingRequest(model, inputs, request.dimensions, request.input_type or "")  # type: ignore[arg-type]
    result = await embed(state.pool, order)
    body = await asyncio.to_thread(_json, result, request)  # two thousand vectors take a second to write
    return Response(body, media_type="application/json")


def _json(result: EmbeddingResult, request: EmbeddingRequest) -> bytes:
    numbers = result.vectors.astype("<f4")
    if request.encoding_format == "base64":
        encoded: list[list[float] | str] = [base64.b64encode(row.tobytes()).decode() for row in numbers]
    else:
        encoded = numbers.tolist()
    entries = [EmbeddingEntry(index=index, embedding=each) for index, each in enumerate(encoded)]
    usage = EmbeddingUsage(prompt_tokens=result.tokens, total_tokens=result.tokens)
    return EmbeddingList(data=entries, model=request.model, usage=usage).model_dump_json().encode()
