"""The state of a running server, as the routes use it."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from searchkit.home import Home
from searchkit.serve.dialects.chat.language import SharedLanguageModel
from searchkit.serve.http.indexing import Indexing
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.pool import LibraryPool


@dataclass(frozen=True, slots=True)
class AppState:
    """What the routes work with.

    `pool` searches and embeds; `answer_pool` writes answers, a few at a time, with the `language` model. `indexing` is
    None unless the server may write.
    """

    home: Home
    options: ServeOptions
    pool: LibraryPool
    answer_pool: LibraryPool
    language: SharedLanguageModel
    indexing: Indexing | None


async def app_state(request: Request) -> AppState:
    """Return the state, for a route. A coroutine, since FastAPI would call a function in a thread."""
    return cast("AppState", request.app.state.app_state)


StateDep = Annotated[AppState, Depends(app_state)]
