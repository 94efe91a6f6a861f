"""The embedding part of Ollama's API, so that programs which embed through Ollama can embed here."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from searchkit import __version__
from searchkit.files import folder_size_bytes
from searchkit.library import Library
from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.vectors import MAX_INPUTS, EmbeddingRequest, EmbeddingResult, embed, name_and_kind, names_of

router = APIRouter(prefix="/api", tags=["ollama"])
_Text = Annotated[str, Field(max_length=2_000_000)]
_NOTHING = EmbeddingResult(np.empty((0, 0), np.float32), 0)
_OLLAMA_VERSION = "0.12.0"  # whose API this is; clients ask for it


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


class TaggedModel(BaseModel):
    """A model as Ollama lists it."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: dict[str, Any]


class Tags(BaseModel):
    """The embedding models."""

    models: list[TaggedModel]


class Version(BaseModel):
    """`version`: the Ollama version whose API this is; `searchkit`: searchkit's own version."""

    version: str = _OLLAMA_VERSION
    searchkit: str = __version__


class ShowRequest(BaseModel):
    """The model to look at."""

    model: str = Field(default="", max_length=200)
    name: str = Field(default="", max_length=200)


class Shown(BaseModel):
    """A model's facts, in Ollama's shape."""

    capabilities: list[Literal["embedding"]] = ["embedding"]
    details: dict[str, Any]
    model_info: dict[str, Any]


@router.post("/embed", operation_id="ollama_embed", summary="Embed texts (Ollama)", response_model=EmbedAnswer)
async def embed_texts(request: EmbedRequest, state: StateDep) -> Response:
    """Embed documents; NAME:query embeds queries."""
    start = time.perf_counter_ns()
    inputs = [request.input] if isinstance(request.input, str) else request.input
    result = (
        await embed(state.pool, EmbeddingRequest(request.model, inputs, request.dimensions)) if inputs else _NOTHING
    )

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
    result = await embed(state.pool, EmbeddingRequest(request.model, [request.prompt]))
    return OldEmbedAnswer(embedding=result.vectors[0].tolist())


@router.get("/tags", operation_id="ollama_tags", summary="List embedding models (Ollama)")
async def tags(state: StateDep) -> Tags:
    """List the embedding models, each under a name for every prompt."""
    return Tags(models=await state.pool.run(_tagged))


@router.get("/ps", operation_id="ollama_ps", summary="List loaded embedding models (Ollama)")
async def running(state: StateDep) -> Tags:
    """List all embedding models: each is loaded on first use, and stays loaded."""
    return Tags(models=await state.pool.run(_tagged))


@router.post("/show", operation_id="ollama_show", summary="Look at an embedding model (Ollama)")
async def show(request: ShowRequest, state: StateDep) -> Shown:
    """Show the dimension of a model and its longest input."""

    def work(library: Library) -> Shown:
        embedder = library.open_models.named(name_and_kind(request.model or request.name)[0])
        facts = {"embedding_length": embedder.info.dimension, "context_length": embedder.info.max_tokens}
        return Shown(details=_DETAILS, model_info={f"searchkit.{name}": value for name, value in facts.items()})

    return await state.pool.run(work)


@router.get("/version", operation_id="ollama_version", summary="Version (Ollama)")
async def version() -> Version:
    """Show the version of the API."""
    return Version()


_DETAILS = {
    "format": "onnx",
    "family": "embedding",
    "families": ["embedding"],
    "parameter_size": "",
    "quantization_level": "",
}


def _tagged(library: Library) -> list[TaggedModel]:
    found = []
    for model in library.open_models.names():
        folder = library.home.models / model
        moment, size = 0.0, 0
        if folder.is_dir():
            moment, size = folder.stat().st_mtime, folder_size_bytes(folder)
        changed = datetime.fromtimestamp(moment, UTC).isoformat()
        found += [
            TaggedModel(name=name, model=name, modified_at=changed, size=size, digest="", details=_DETAILS)
            for name in names_of(model)
        ]
    return found
