"""The routes of the page: search, documents, pages as pictures, collections, and what the pages load."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from searchkit.display import note_text, plural, printable
from searchkit.errors import PoolBusyError, ReferenceGoneError, UnreadableFileError
from searchkit.ingest.sandbox.page_picture import PagePicture, PageRequest, picture_of_page
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.dialects import native_shapes
from searchkit.serve.dialects.native import search_request_of
from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.page.collection_views import collection_views, start
from searchkit.serve.page.content import Marks, document_view, hit_view, read_marks
from searchkit.serve.page.door import HOME, cookie_name
from searchkit.serve.page.page_route import PageRoute, is_part
from searchkit.serve.page.rendering import HEADERS, page, static_response
from searchkit.serve.reference_ids import DocumentId
from searchkit.serve.references import open_passage
from searchkit.serve.search import MAX_HITS, find
from searchkit.types import GroupBy, NoteKind, SearchMode

_PAGE_HITS = 20
_MARKING_SECONDS = 0.4  # of a search at which nobody types any more, as in the terminal UI
_TYPES = "pdf mail markdown text html docx spreadsheet presentation epub code picture".split()
_MODES = {
    SearchMode.HYBRID: "meaning and words",
    SearchMode.SEMANTIC: "meaning",
    SearchMode.LEXICAL: "words",
}
_DRAWN_AT_ONCE, _DRAWN_WAITING = 2, 12  # pages of PDFs: each occupies a core for some tenths of a second
_KEPT_SECONDS = 600  # a picture, by the browser: its address changes with the passage

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Reference = Annotated[str, Path(max_length=1000)]
MarksText = Annotated[str, Query(max_length=1200)]
QueryText = Annotated[str, Query(max_length=native_shapes.MAX_QUERY)]
_Short = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The fields of the form of a search, as they stand in the address of its page. `quick`: somebody types, so that no model
    reads anything now.
    """

    q: QueryText = ""
    collection: _Short = ""
    type: _Short = ""
    folder: _Short = ""
    since: Annotated[str, Query(max_length=20)] = ""
    until: Annotated[str, Query(max_length=20)] = ""
    mode: SearchMode = SearchMode.HYBRID
    by_file: bool = False
    k: Annotated[int, Query(ge=1, le=MAX_HITS)] = _PAGE_HITS
    quick: bool = False

    @property
    def is_empty(self) -> bool:
        """True if nothing is searched for."""
        return not (self.q.strip() or self.type or self.folder or self.since or self.until)

    @property
    def more(self) -> str:
        """The address of the page with more hits, "" if there are no more at once."""
        if self.k >= MAX_HITS:
            return ""
        given = {name: value for name, value in asdict(replace(self, k=MAX_HITS, quick=False)).items() if value}
        return f"/?{urlencode(given, errors='replace')}"

    def request(self) -> SearchRequest:
        """Return the search. Raises UsageError for impossible filters."""
        shape = native_shapes.SearchRequest(
            query=self.q,
            k=self.k,
            mode=self.mode,
            collections=[self.collection] if self.collection else [],
            group_by=GroupBy.FILE if self.by_file else GroupBy.PASSAGE,
            types=[self.type] if self.type else [],
            folders=[self.folder] if self.folder else [],
            since=self.since,
            until=self.until,
            wait=not self.quick,
            fold=True,
        )
        return replace(search_request_of(shape), marking_seconds=0.0 if self.quick else _MARKING_SECONDS)


FormDep = Annotated[SearchForm, Depends()]


@router.get(HOME)
async def search_page(form: FormDep, state: StateDep) -> Response:
    """Show the search and what it finds."""
    return await state.pool.run(lambda library: _search_page(library, form))


@router.get("/ui/results")
async def results(form: FormDep, state: StateDep) -> Response:
    """Return the hits alone, for the script."""
    return await state.pool.run(lambda library: page("results.html", **_found(library, form)))


@router.get("/ui/read/{reference}")
async def read(
    request: Request,
    state: StateDep,
    reference: Reference,
    m: MarksText = "",
    q: QueryText = "",
    start: Annotated[int | None, Query(ge=0, le=10**9)] = None,
) -> Response:
    """Show a document around a passage."""
    marks = read_marks(m)
    template = "document_part.html" if is_part(request) else "document.html"

    def work(library: Library) -> Response:
        view = document_view(library, reference, marks, q, start)
        return page(template, document=view, query=q, here="")

    return await state.list_pool.run(work)


@router.get("/ui/picture/{reference}")
async def picture(state: StateDep, reference: Reference, m: MarksText = "") -> Response:
    """Return the page of a PDF on which a passage stands, with the passage marked."""
    marks = read_marks(m)
    wanted = await state.list_pool.run(lambda library: _page_request(library, reference, marks))
    try:
        drawn = await _drawing.draw(wanted)
    except UnreadableFileError as error:
        raise ReferenceGoneError(f"There is no picture of this page: {error}.") from error
    kept = {"cache-control": f"private, max-age={_KEPT_SECONDS}", "x-top": f"{drawn.top:.3f}"}
    return Response(drawn.content, headers={**HEADERS, **kept}, media_type="image/webp")


@router.get("/ui/collections")
async def collections(request: Request, state: StateDep) -> Response:
    """Show the collections and their state."""
    template = "collections_part.html" if is_part(request) else "collections.html"
    run = state.indexing.status if state.indexing else None

    def work(library: Library) -> Response:
        views = collection_views(library, run)
        return page(template, collections=views, can_index=run is not None, here="collections")

    return await state.list_pool.run(work)


@router.post("/ui/collections/{name}/index")
async def index(state: StateDep, name: Annotated[str, Path(max_length=200)]) -> Response:
    """Bring a collection up to date, where the server may write. Raises ReadOnlyError where it may not."""
    await state.pool.run(lambda _: start(state.indexing, name))
    return RedirectResponse("/ui/collections", 303, HEADERS)


@router.get("/ui/help")
async def help_page() -> Response:
    """Show the syntax of queries and the keys."""
    return page("help.html", here="help")


@router.post("/ui/leave")
async def leave(request: Request) -> Response:
    """Forget this browser: without its cookie the token is asked for."""
    answer = page("sign_in.html", problem="")
    answer.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="strict")
    return answer


@router.get("/ui/static/{name}")
async def static(name: Annotated[str, Path(max_length=100)]) -> Response:
    """Return what the pages load."""
    return static_response(name)


def _search_page(library: Library, form: SearchForm) -> Response:
    names = library.collections()
    found = _found(library, form) if names else {"form": form, "hits": None}
    choices: dict[str, Any] = {"names": names, "types": _TYPES, "modes": _MODES}
    return page("search.html", **found, **choices, query=form.q, here="search")


def _found(library: Library, form: SearchForm) -> dict[str, Any]:
    """Search, and return what the template shows of the response."""
    if form.is_empty:
        return {"form": form, "hits": None}
    started = time.monotonic()
    response = find(library, form.request())
    hits = [hit_view(found, form.q) for found in response.hits]
    count = plural(len(hits), "file" if form.by_file else "passage")
    return {
        "form": form,
        "hits": hits,
        "notes": [printable(note_text(note)) for note in response.notes],
        "is_more_to_come": any(note.kind is NoteKind.MORE_TO_COME for note in response.notes),
        "summary": f"{count} in {(time.monotonic() - started) * 1000:,.0f} ms" if hits else "Nothing found",
        "more": form.more if len(hits) == form.k else "",
    }


def _page_request(library: Library, reference: str, marks: Marks) -> PageRequest:
    """Say which page of which file is drawn; it must still be the file that was indexed."""
    opened = open_passage(library, reference)
    if opened.passage.page is None or opened.document.format != "pdf":
        raise ReferenceGoneError("There is no picture of this passage: it is on no page of a PDF.")
    content = DocumentId.read(opened.document.id).content.hex()
    path = str(opened.document.path)
    return PageRequest(path, content, opened.passage.page, opened.passage.text, tuple(marks))


class _Drawing:
    """Draws pages in threads that wait for the processes, a few at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_DRAWN_AT_ONCE, "searchkit-drawing")
        self._asked = 0

    async def draw(self, request: PageRequest) -> PagePicture:
        """Draw a page. Raises UnreadableFileError, and PoolBusyError if too many wait already."""
        if self._asked >= _DRAWN_AT_ONCE + _DRAWN_WAITING:
            raise PoolBusyError("Too many pages are being drawn already.", remedy="Try again in a moment.")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, picture_of_page, request)
        finally:
            self._asked -= 1


_drawing = _Drawing()
