"""OpenAI's /v1/embeddings, and the reranker's /v1/rerank of others, which rests on the same vectors."""

import asyncio
import base64
from typing import Annotated, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from searchkit.serve.http.state import StateDep
from searchkit.serve.vectors import MOST_INPUTS, Embedded, Order, embed

router = APIRouter(prefix="/v1", tags=["openai"])

_MOST_CHARACTERS, _MOST_TOKENS = 2_000_000, 100_000
Token = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=_MOST_TOKENS, fail_fast=True)]
_TEXT = Annotated[str, Field(max_length=_MOST_CHARACTERS)]
_T = TypeVar("_T")
_Several = Annotated[list[_T], Field(min_length=1, max_length=MOST_INPUTS, fail_fast=True)]


def _read_input(given: object, read: ValidatorFunctionWrapHandler) -> object:
    """What is wrong with it in one sentence, where pydantic would tell of each kind of input that it is none of."""
    if given == []:
        raise PydanticCustomError("empty_input", "The input is empty. Send a text, or a list of texts.")
    try:
        return read(given)
    except ValidationError as error:
        raise PydanticCustomError(
            "no_input",
            f"Send a text (up to {_MOST_CHARACTERS:,} characters), token ids (up to {_MOST_TOKENS:,}), or a list of up to"
            f" {MOST_INPUTS:,} texts or lists of token ids.",
        ) from error


class EmbeddingRequest(BaseModel):
    """As OpenAI has it; further fields are ignored."""

    model: str = Field(max_length=200, examples=["embeddinggemma-300m", "embeddinggemma-300m:query"])
    input: Annotated[_TEXT | Tokens | _Several[_TEXT] | _Several[Tokens], WrapValidator(_read_input)] = Field(
        description="A text, several, or token ids of the model's own vocabulary (not of tiktoken's).",
        examples=[["The lease ends on 31 March."]],
    )
    dimensions: int | None = Field(
        default=None, description="Of a Matryoshka prefix, normalised again.", examples=[256]
    )
    encoding_format: Literal["float", "base64"] | None = "float"
    input_type: str | None = Field(
        default="",
        max_length=40,
        description="Which prompt the model sees before the text: query or document. Without it the name of the model says so"
        " (NAME:query, NAME:document); NAME alone embeds documents.",
        examples=["query"],
    )


class EmbeddingEntry(BaseModel):
    """A vector of unit length; in base64, its float32 numbers, little-endian."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens of the inputs, without prompts."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingEntry]
    model: str
    usage: EmbeddingUsage


class RerankRequest(BaseModel):
    """As Jina, Cohere and Open WebUI have it."""

    model: str = Field(max_length=200, examples=["embeddinggemma-300m"])
    query: str = Field(min_length=1, max_length=20_000)
    documents: _Several[_TEXT]
    top_n: int | None = Field(default=None, ge=1)


class RerankEntry(BaseModel):
    """A document's place in the request, and its score."""

    index: int
    relevance_score: float


class RerankList(BaseModel):
    """The documents, best first."""

    model: str
    results: list[RerankEntry]


@router.post("/embeddings", operation_id="create_embeddings", summary="Embed texts", response_model=EmbeddingList)
async def embeddings(request: EmbeddingRequest, state: StateDep) -> Response:
    """Vectors of unit length, whose dot product is their similarity."""
    given = request.input
    is_one = isinstance(given, str) or (bool(given) and isinstance(given[0], int))
    inputs = [given] if is_one else given
    made = await embed(state.pool, Order(request.model, inputs, request.dimensions, request.input_type or ""))  # type: ignore[arg-type]
    body = await asyncio.to_thread(_json, made, request)  # two thousand vectors take a second to write
    return Response(body, media_type="application/json")


def _json(made: Embedded, request: EmbeddingRequest) -> bytes:
    numbers = made.vectors.astype("<f4")
    if request.encoding_format == "base64":
        encoded: list[list[float] | str] = [base64.b64encode(row.tobytes()).decode() for row in numbers]
    else:
        encoded = numbers.tolist()
    entries = [EmbeddingEntry(index=index, embedding=each) for index, each in enumerate(encoded)]
    usage = EmbeddingUsage(prompt_tokens=made.tokens, total_tokens=made.tokens)
    return EmbeddingList(data=entries, model=request.model, usage=usage).model_dump_json().encode()


@router.post("/rerank", operation_id="rerank", summary="Order texts by a query")
async def rerank(request: RerankRequest, state: StateDep) -> RerankList:
    """Orders texts by their similarity to a query: the cosine of their vectors, 0 where it is below that or a text is empty."""
    query = await embed(state.pool, Order(request.model, [request.query], input_type="query"))
    scores = np.zeros(len(request.documents))
    if said := [index for index, text in enumerate(request.documents) if text.strip()]:
        texts = [request.documents[index] for index in said]
        documents = await embed(state.pool, Order(request.model, texts, input_type="document"))
        scores[said] = np.clip(documents.vectors @ query.vectors[0], 0.0, 1.0)
    order = np.argsort(-scores, kind="stable")[: request.top_n]
    results = [RerankEntry(index=int(index), relevance_score=round(float(scores[index]), 6)) for index in order]
    return RerankList(model=request.model, results=results)
