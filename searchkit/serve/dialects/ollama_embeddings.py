"""The embedding part of Ollama's API, so that programs which embed through Ollama can embed here."""

import asyncio
import time
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.model_names import unaliased
from searchkit.serve.vectors import MAX_INPUTS, EmbeddingRequest, EmbeddingResult, embed

router = APIRouter(prefix="/api", tags=["ollama"])
_Text = Annotated[str, Field(max_length=2_000_000)]
_NOTHING = EmbeddingResult(np.empty((0, 0), np.float32), 0)


class EmbedRequest(BaseModel):
    """Ollama's request; options, keep_alive and truncate are accepted but ignored (long texts are cut)."""

    model: str = Field(max_length=200, examples=["embeddinggemma-300m"])
    input: _Text | Annotated[list[_Text], Field(max_length=MAX_INPUTS, fail_fast=True)] = Field(
        examples=[["The lease ends on 31 March."]]
    )
    dimensions: int | None = None


class EmbedAnswer(BaseModel):
    """Vectors of unit length, in the order of the inputs. Times are in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int = 0
    prompt_eval_count: int


class OldEmbedRequest(BaseModel):
    """The request of older Ollama clients."""

    model: str = Field(max_length=200, examples=["embeddinggemma-300m"])
    prompt: _Text = ""


class OldEmbedAnswer(BaseModel):
    """A vector of unit length."""

    embedding: list[float]


@router.post("/embed", operation_id="ollama_embed", summary="Embed texts (Ollama)", response_model=EmbedAnswer)
async def embed_texts(request: EmbedRequest, state: StateDep) -> Response:
    """Embed documents; NAME:query embeds queries."""
    start = time.perf_counter_ns()
    inputs = [request.input] if isinstance(request.input, str) else request.input
    model = unaliased(request.model, state.options.aliases)
    result = await embed(state.pool, EmbeddingRequest(model, inputs, request.dimensions)) if inputs else _NOTHING

    def as_json() -> str:
        return EmbedAnswer(
            model=request.model,
            embeddings=result.vectors.tolist(),
            total_duration=time.perf_counter_ns() - start,
            prompt_eval_count=result.tokens,
        ).model_dump_json()

    return Response(await asyncio.to_thread(as_json), media_type="application/json")


@router.post("/embeddings", operation_id="ollama_embeddings", summary="Embed a text (Ollama, older clients)")
async def embed_text(request: OldEmbedRequest, state: StateDep) -> OldEmbedAnswer:
    """Embed one text; an empty one gives an empty vector."""
    if not request.prompt.strip():
        return OldEmbedAnswer(embedding=[])
    model = unaliased(request.model, state.options.aliases)
    result = await embed(state.pool, EmbeddingRequest(model, [request.prompt]))
    return OldEmbedAnswer(embedding=result.vectors[0].tolist())
