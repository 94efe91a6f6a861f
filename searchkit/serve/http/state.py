"""The state of the running server, which the routes share, and the base of requests that refuse unknown fields."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from searchkit.home import Home
from searchkit.serve.dialects.chat.answering import SharedLanguageModel
from searchkit.serve.http.indexing import Indexing
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.pool import LibraryPool

_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True)
class AppState:
    """The state of a running server.

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
