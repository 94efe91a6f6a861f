"""OpenAI's /v1/models: embedding models, and collections, which are offered as chat models."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from searchkit.errors import ModelNotFoundError
from searchkit.library import Library
from searchkit.serve.dialects.chat.chat_models import chat_models
from searchkit.serve.http.state import StateDep
from searchkit.serve.vectors import names_of

router = APIRouter(prefix="/v1", tags=["openai"])


class Model(BaseModel):
    """A model. `owned_by` is how searchkit itself knows that one is no language model to ask."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["searchkit"] = "searchkit"
    kind: Literal["chat", "embedding"] = Field(description="What it can be used for: chat completions or embeddings.")


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models", operation_id="list_models", summary="List models")
async def models(state: StateDep) -> ModelList:
    """`searchkit` answers from all collections, a collection's name from that one; the others embed."""
    return ModelList(data=await state.pool.run(_models))


@router.get("/models/{model:path}", operation_id="retrieve_model", summary="Look at a model")
async def model(state: StateDep, model: Annotated[str, Path(max_length=300)]) -> Model:
    """One model, by its id."""
    found = [each for each in await state.pool.run(_models) if each.id == model]
    if not found:
        raise ModelNotFoundError(f"There is no model '{model[:80]}'.", remedy="See which there are: GET /v1/models.")
    return found[0]


def _models(library: Library) -> list[Model]:
    embedding = [name for each in library.open_models.names() for name in names_of(each)]
    chat = chat_models(library.collections(), embedding)
    return [Model(id=name, kind="chat") for name in chat] + [Model(id=name, kind="embedding") for name in embedding]
