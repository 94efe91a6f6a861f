"""Ollama's lists of models: the collections, which chat, and the embedding models."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from searchkit import __version__
from searchkit.files import folder_size_bytes
from searchkit.library import Library
from searchkit.serve.dialects.chat.requests import chat_models
from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.model_names import chat_model, installed_name, name_and_kind, unaliased

router = APIRouter(prefix="/api", tags=["ollama"])
_OLLAMA_VERSION = "0.12.0"  # whose API this is; clients ask for it
_CHAT_WINDOW = 32_768  # tokens; what clients may send, of which the last question is read


class TaggedModel(BaseModel):
    """A model as Ollama lists it."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: dict[str, Any]


class Tags(BaseModel):
    """Models: `searchkit` and the collections, which chat, and the embedding models."""

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

    capabilities: list[Literal["embedding", "completion"]]
    details: dict[str, Any]
    model_info: dict[str, Any]


@router.get("/tags", operation_id="ollama_tags", summary="List models (Ollama)")
async def tags(state: StateDep) -> Tags:
    """List the collections as chat models, and the embedding models."""
    return Tags(models=await state.list_pool.run(lambda library: [*_chatting(library), *_embedding(library)]))


@router.get("/ps", operation_id="ollama_ps", summary="List loaded embedding models (Ollama)")
async def running(state: StateDep) -> Tags:
    """List all embedding models: each is loaded on first use, and stays loaded."""
    return Tags(models=await state.list_pool.run(_embedding))


@router.post("/show", operation_id="ollama_show", summary="Look at a model (Ollama)")
async def show(request: ShowRequest, state: StateDep) -> Shown:
    """Show what a model can do: the dimension of an embedding model and its longest input, or that it chats."""
    name = unaliased(request.model or request.name, state.options.aliases)
    return await state.list_pool.run(lambda library: _shown(library, name))


@router.get("/version", operation_id="ollama_version", summary="Version (Ollama)")
async def version() -> Version:
    """Show the version of the API."""
    return Version()


def _shown(library: Library, name: str) -> Shown:
    names = library.open_models.names()
    installed = installed_name(name_and_kind(name)[0], names)
    if installed in names:
        info = library.open_models.named(installed).info
        return _facts("embedding", info.max_tokens, embedding_length=info.dimension)
    chat_model(name, library.collections(), names)
    return _facts("completion", _CHAT_WINDOW)


def _facts(what: Literal["embedding", "completion"], window_tokens: int, **more: int) -> Shown:
    numbers = {f"searchkit.{name}": value for name, value in {"context_length": window_tokens, **more}.items()}
    return Shown(
        capabilities=[what], details=_details(what), model_info={"general.architecture": "searchkit", **numbers}
    )


def _chatting(library: Library) -> list[TaggedModel]:
    names = library.open_models.names()
    return [_tagged(name, Path(), "completion") for name in chat_models(library.collections(), names)]


def _embedding(library: Library) -> list[TaggedModel]:
    return [_tagged(name, library.home.models / name, "embedding") for name in library.open_models.names()]


def _tagged(name: str, folder: Path, family: str) -> TaggedModel:
    """Return a model's entry. `folder`: where its files are; a collection is no file, and has no size."""
    is_file = folder.name == name and folder.is_dir()
    moment = folder.stat().st_mtime if is_file else 0.0
    changed = datetime.fromtimestamp(moment, UTC).isoformat()
    return TaggedModel(
        name=name,
        model=name,
        modified_at=changed,
        size=folder_size_bytes(folder) if is_file else 0,
        digest=hashlib.sha256(f"{name} {changed}".encode()).hexdigest(),
        details=_details(family),
    )


def _details(family: str) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "onnx" if family == "embedding" else "searchkit",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }
