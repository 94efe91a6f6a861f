"""Open WebUI's external web search: POST /open-webui/search."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from searchkit.library import Library
from searchkit.serve.http.state import StateDep
from searchkit.serve.search import Wanted, find

router = APIRouter(prefix="/open-webui", tags=["open-webui"])


class WebSearch(BaseModel):
    """Open WebUI's request."""

    query: str = Field(min_length=1, max_length=20_000, examples=["when does the lease end"])
    count: int = Field(default=5, ge=1, le=50)


class WebResult(BaseModel):
    """`link` is the URL of the file on this machine, `snippet` the whole passage."""

    link: str
    title: str
    snippet: str


@router.post("/search", operation_id="open_webui_search", summary="Search (Open WebUI's external web search)")
async def search(request: WebSearch, state: StateDep) -> list[WebResult]:
    """Find the passages of all collections that are clearly about the query; weak matches are left out."""

    def work(library: Library) -> list[WebResult]:
        found = [each for each in find(library, Wanted(request.query, request.count)) if not each.hit.is_weak]
        return [WebResult(link=each.hit.path.as_uri(), title=each.title, snippet=each.text) for each in found]

    return await state.pool.run(work)
