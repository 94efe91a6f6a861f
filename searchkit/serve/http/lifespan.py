"""The life of a server: its state is made when it starts, and closed when the last request has been answered.

Beside the HTTP routes live the daemon, which answers the command and the terminal UI, and the sessions of MCP.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from searchkit.answer.models.choose import ModelChoice, model_or_reason
from searchkit.answer.models.language_model import LanguageModel
from searchkit.config import load_settings
from searchkit.daemon.server import DaemonSocket
from searchkit.embedding.onnx_embedder import usable_cores
from searchkit.errors import LlmNotFoundError
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.serve.dialects.chat.answering import SharedLanguageModel
from searchkit.serve.dialects.chat.responses import ResponseStore
from searchkit.serve.http.indexing import Indexing
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.mcp.http import McpOverHttp
from searchkit.serve.pool import LibraryPool

_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True)
class AppState:
    """The state of a running server.

    `pool` searches and embeds; `list_pool` lists models and collections, for which nobody shall wait behind a search;
    `answer_pool` writes answers, a few at a time, with the `language` model. `indexing` is None unless the server may write.
    `responses` are those that a client may go on from.
    """

    home: Home
    options: ServeOptions
    pool: LibraryPool
    list_pool: LibraryPool
    answer_pool: LibraryPool
    language: SharedLanguageModel
    responses: ResponseStore
    indexing: Indexing | None


async def app_state(request: Request) -> AppState:
    """Return the state, for a route. A coroutine, since FastAPI would call a function in a thread."""
    return cast("AppState", request.app.state.app_state)


StateDep = Annotated[AppState, Depends(app_state)]


class StrictModel(BaseModel):
    """A request in which an unknown field is an error: ignoring a misspelt filter would find too much."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, given: object) -> object:
        """Refuse a great number of fields at once: pydantic would list an error for each."""
        if isinstance(given, dict) and len(given) > _MAX_FIELDS:
            raise PydanticCustomError("too_many_fields", "There are too many fields. The schema is at /openapi.json")
        return given


# Local model servers answer one to four requests at a time; a ninth in the queue would wait for minutes.
_ANSWERS_AT_ONCE, _ANSWERS_WAITING = 2, 8
_LISTS_AT_ONCE = 2  # one may wait for a database

_log = logging.getLogger(__name__)


def open_state(library: Library, options: ServeOptions) -> AppState:
    """Start the threads that work for a server; they load models and indexes at once. `library` stays the caller's."""

    def choose() -> tuple[LanguageModel | None, LlmNotFoundError | None]:
        try:
            return model_or_reason(load_settings(library.home).llm, ModelChoice(options.llm, options.llm_model))
        except LlmNotFoundError as error:  # it may be started later than this server; sources are quoted until then
            return None, error

    pool = LibraryPool(library, options.workers or usable_cores())
    pool.warm_up()
    return AppState(
        home=library.home,
        options=options,
        pool=pool,
        list_pool=LibraryPool(library, _LISTS_AT_ONCE),
        answer_pool=LibraryPool(library, _ANSWERS_AT_ONCE, waiting=_ANSWERS_WAITING),
        language=SharedLanguageModel(choose),
        responses=ResponseStore(),
        indexing=Indexing(library) if options.allows_indexing else None,
    )


def state_for(library: Library, of: AppState) -> AppState:
    """Start the threads that work for a caller who sees a part: nothing is shared but models. `library`: as the caller sees it."""
    pool = LibraryPool(library, of.options.workers or usable_cores())
    return replace(
        of,
        home=library.home,
        pool=pool,
        list_pool=LibraryPool(library, _LISTS_AT_ONCE),
        answer_pool=LibraryPool(library, _ANSWERS_AT_ONCE, waiting=_ANSWERS_WAITING),
        responses=ResponseStore(),
        indexing=None,
    )


def close_state(state: AppState, timeout_seconds: float) -> bool:
    """Stop indexing and the threads; return True if all of them ended in time."""
    has_indexed = state.indexing is None or state.indexing.close(timeout_seconds)
    pools = (state.pool, state.list_pool, state.answer_pool)
    is_done = all([has_indexed, *(pool.close(timeout_seconds) for pool in pools)])
    if is_done and state.home.view is None:  # the others share it
        state.language.close()
    return is_done


@asynccontextmanager
async def lifespan(state: AppState, *served: McpOverHttp) -> AsyncIterator[None]:
    """Run what lives beside the routes, for as long as they are served."""
    async with _daemon(state), AsyncExitStack() as stack:
        for mcp in served:
            await stack.enter_async_context(mcp.running())
        yield


@asynccontextmanager
async def _daemon(state: AppState) -> AsyncIterator[None]:
    """Answer the command and the terminal UI over a socket. Without it they search in their own process."""

    async def find(request: SearchRequest) -> SearchResponse:
        return await state.pool.run(lambda library: library.find(request))

    socket = DaemonSocket(state.home, find)
    try:
        await socket.open()
    except OSError as error:
        _log.warning("the command's searches are not answered here: %s", error)
    try:
        yield
    finally:
        await socket.close()
