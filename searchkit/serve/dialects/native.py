"""searchkit's own routes: /search, /collections, /documents and /passages."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from searchkit.display import note_text, on_one_line, printable
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.search import request as search_request
from searchkit.search.query.filters import Filters, read_days
from searchkit.serve.dialects.native_shapes import (
    MAX_QUERY,
    Collections,
    OpenDocument,
    OpenPassage,
    SearchRequest,
    SearchResults,
    collection_entry,
    found_passage,
)
from searchkit.serve.http.lifespan import StateDep
from searchkit.serve.references import open_document, open_passage
from searchkit.serve.search import MAX_HITS, find

_MAX_CHARACTERS = 100_000
router = APIRouter(tags=["search"])
Reference = Annotated[str, Path(description="The id from a search result.", max_length=1000)]


@router.post("/search", operation_id="search_with_filters", summary="Find passages, with filters")
async def search(request: SearchRequest, state: StateDep) -> SearchResults:
    """Find the passages that answer a query, by meaning and by words, in the indexed files."""
    wanted = search_request_of(request)
    return await state.pool.run(lambda library: _results(library, wanted))


@router.get("/search", operation_id="search", summary="Find passages")
async def search_simply(
    state: StateDep,
    q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY, description="What to search for.")],
    k: Annotated[int, Query(ge=1, le=MAX_HITS, description="How many passages.")] = 5,
    collection: Annotated[str, Query(max_length=200, description="Search this collection only.")] = "",
) -> SearchResults:
    """Find the passages that answer a question, by meaning and by words, in the user's own files.

    Use the `id` of a result with open_passage to read the text around it.
    """
    wanted = search_request.SearchRequest(q, k, collections=(collection,) if collection else ())
    return await state.pool.run(lambda library: _results(library, wanted))


@router.get("/collections", operation_id="list_collections", summary="List collections")
async def collections(state: StateDep) -> Collections:
    """List what is indexed: the collections, their folders, and how much they contain."""
    return await state.list_pool.run(_collections)


@router.get("/passages/{passage_id}", operation_id="open_passage", summary="Read a passage")
async def passage(state: StateDep, passage_id: Reference) -> OpenPassage:
    """Read a passage in full, with the ids of the passages before and after it."""
    return await state.pool.run(lambda library: OpenPassage.model_validate(open_passage(library, passage_id)))


@router.get("/documents/{document_id}", operation_id="open_document", summary="Read a document")
async def document(
    state: StateDep,
    document_id: Reference,
    start: Annotated[int, Query(ge=0, le=10**9, description="The number of the first passage, from 0.")] = 0,
    max_characters: Annotated[int, Query(ge=1, le=1_000_000, description="About how much text.")] = _MAX_CHARACTERS,
) -> OpenDocument:
    """Read the text of a document, as it was when it was indexed; nothing is read from the disk."""

    def work(library: Library) -> OpenDocument:
        opened = open_document(library, document_id, start=start, max_characters=max_characters)
        return OpenDocument.model_validate(opened)

    return await state.pool.run(work)


def _results(library: Library, request: search_request.SearchRequest) -> SearchResults:
    """Search, in a thread of the pool: texts are made safe there, too."""
    response = find(library, request)
    notes = [printable(note_text(note)) for note in response.notes]
    return SearchResults(query=request.query, hits=[found_passage(each) for each in response.hits], notes=notes)


def search_request_of(request: SearchRequest) -> search_request.SearchRequest:
    """Read a request. Raises UsageError for impossible filters."""
    filters = Filters(
        types=tuple(request.types),
        paths=tuple(request.paths),
        folders=tuple(request.folders),
        since=_day(request.since, 0),
        until=_day(request.until, 1),
        senders=tuple(request.senders),
        recipients=tuple(request.recipients),
        subjects=tuple(request.subjects),
        has=tuple(request.has),
    )
    return search_request.SearchRequest(
        request.query,
        request.k,
        request.mode,
        tuple(request.collections),
        filters,
        request.group_by,
        request.min_score,
        wait=request.wait,
        fold=request.fold,
    )


def _day(text: str, end: int) -> date | None:
    """Return the first (0) or last (1) day that a text means."""
    if not text:
        return None
    days = read_days(text, date.today())
    if days is None:
        raise UsageError(f"'{text}' is not a date. Dates look like 2025, 2025-03, 2025-03-01, today, 7d, 2w, 3m, 1y.")
    return days[end]


def _collections(library: Library) -> Collections:
    entries = [collection_entry(status) for status in library.statuses()]
    return Collections(
        collections=entries, not_reached={name: on_one_line(str(error)) for name, error in library.away.items()}
    )
