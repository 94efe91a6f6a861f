"""Routes about the server itself: / and /health; and /index, if it may write."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from searchkit import __version__
from searchkit.display.fields import fields_of
from searchkit.errors import Action, ReadOnlyError, Remedy
from searchkit.serve.http.indexing import Indexing, RunStatus
from searchkit.serve.http.lifespan import AppState, StateDep, StrictModel

router = APIRouter(tags=["server"])


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Welcome(BaseModel):
    """The name of the program, and where it is described."""

    name: str = "searchkit"
    version: str = __version__
    openapi: str = "/openapi.json"
    openapi_for_chat_tools: str = "/tools/openapi.json"


class IndexRequest(StrictModel):
    """The collection to update."""

    collection: str = Field(max_length=200, examples=["docs"])


class IndexProgress(BaseModel):
    """The progress of the last run."""

    state: Literal["idle", "running", "done", "failed", "stopped"]
    collection: str
    stage: str
    done: int
    total: int | None
    error: str
    report: dict[str, object] | None = Field(
        description="What a finished run did, in the fields of the report that the command prints as JSON."
    )


@router.head("/", include_in_schema=False)
@router.get("/", operation_id="welcome", summary="What this is")
async def welcome() -> Welcome:
    """Name the program and its descriptions."""
    return Welcome()


@router.head("/health", include_in_schema=False)
@router.get("/health", operation_id="health", summary="Check that it answers")
async def health() -> Health:
    """Answer without the token, and without saying anything about what is indexed."""
    return Health()


@router.post("/index", operation_id="start_indexing", summary="Update a collection", status_code=202)
async def start(request: IndexRequest, state: StateDep) -> IndexProgress:
    """Bring a collection up to date: read its folders again. Returns at once.

    Refused unless the server was started with --allow-indexing. Other folders cannot be named.
    """
    indexing = _indexing(state)
    return _progress(await state.pool.run(lambda _: indexing.start(request.collection)))


@router.get("/index", operation_id="indexing_status", summary="Show the progress of indexing")
async def progress(state: StateDep) -> IndexProgress:
    """Show the last run that was started here."""
    return _progress(_indexing(state).status)


def _indexing(state: AppState) -> Indexing:
    if state.indexing is None:
        raise ReadOnlyError("This server only reads.", remedy=Remedy(Action.ALLOW_INDEXING))
    return state.indexing


def _progress(status: RunStatus) -> IndexProgress:
    report = fields_of(status.report) if status.report else {}
    report.pop("problems", None)  # paths that not every caller may see
    return IndexProgress(
        state=status.state,
        collection=status.collection,
        stage=status.stage,
        done=status.done,
        total=status.total,
        error=status.error,
        report=report or None,
    )
