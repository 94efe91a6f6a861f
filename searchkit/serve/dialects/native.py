"""searchkit's own routes for finding and reading: /search, /collections, /documents, /passages."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.search.query.dates import read_days
from searchkit.search.query.filters import Filters
from searchkit.serve.dialects.native_shapes import (
    LONGEST_QUERY,
    CollectionEntry,
    Collections,
    OpenDocument,
    OpenPassage,
    SearchRequest,
    SearchResults,
    collection_entry,
    found_passage,
    opened_document,
    opened_passage,
)
from searchkit.serve.http.state import StateDep
from searchkit.serve.references import open_document, open_passage
from searchkit.serve.search import MOST_HITS, Wanted, find

_MOST_CHARACTERS = 100_000
router = APIRouter(tags=["search"])
Reference = Annotated[str, Path(description="As a search has given it.", max_length=1000)]


@router.post("/search", operation_id="search_with_filters", summary="Find passages, with filters")
async def search(request: SearchRequest, state: StateDep) -> SearchResults:
    """Find the passages that answer a query, by meaning and by words, in the files that are indexed."""
    wanted = _wanted(request)
    return await state.pool.run(lambda library: _results(library, wanted))


@router.get("/search", operation_id="search", summary="Find passages")
async def search_simply(
    state: StateDep,
    q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY, description="What to look for.")],
    k: Annotated[int, Query(ge=1, le=MOST_HITS, description="How many passages.")] = 5,
    collection: Annotated[str, Query(max_length=200, description="Search this collection only.")] = "",
) -> SearchResults:
    """Find the passages that answer a question, by meaning and by words, in the user's own files.

    Use the `id` of a result with open_passage to read what stands around it.
    """
    wanted = Wanted(q, k, [collection] if collection else [])
    return await state.pool.run(lambda library: _results(library, wanted))


@router.get("/collections", operation_id="list_collections", summary="List collections")
async def collections(state: StateDep) -> Collections:
    """What is indexed: the collections, their folders, and how much they hold."""
    return Collections(collections=await state.pool.run(_entries))


@router.get("/passages/{passage_id}", operation_id="open_passage", summary="Read a passage")
async def passage(state: StateDep, passage_id: Reference) -> OpenPassage:
    """A passage that a search has found, in full, with the ids of the passages before and after it."""
    return await state.pool.run(lambda library: opened_passage(open_passage(library, passage_id)))


@router.get("/documents/{document_id}", operation_id="open_document", summary="Read a document")
async def document(
    state: StateDep,
    document_id: Reference,
    start: Annotated[int, Query(ge=0, le=10**9, description="Begin with this passage, from 0.")] = 0,
    max_characters: Annotated[int, Query(ge=1, le=1_000_000, description="About so much text.")] = _MOST_CHARACTERS,
) -> OpenDocument:
    """The text of an indexed document, as it was when it was indexed; nothing is read from the disk."""

    def work(library: Library) -> OpenDocument:
        return opened_document(open_document(library, document_id, start=start, max_characters=max_characters))

    return await state.pool.run(work)


def _results(library: Library, wanted: Wanted) -> SearchResults:
    """In the worker's thread: texts are made safe there as well."""
    found = find(library, wanted)
    message = "" if found else "Nothing found."
    if found and all(each.hit.is_weak for each in found):
        message = "Nothing here is clearly about that; these are only the nearest passages."
    return SearchResults(query=wanted.query, results=[found_passage(each) for each in found], message=message)


def _filters(request: SearchRequest) -> Filters:
    """The request's filters. Raises UsageError for what is no filter."""
    return Filters(
        types=tuple(request.types),
        paths=tuple(request.paths),
        folders=tuple(request.folders),
        since=_day(request.since, 0),
        until=_day(request.until, 1),
    )


def _wanted(request: SearchRequest) -> Wanted:
    names = ("query", "k", "collections", "mode", "group_by", "least_score")
    return Wanted(**{name: getattr(request, name) for name in names}, filters=_filters(request))


def _day(text: str, end: int) -> date | None:
    """The first or the last day that a text means."""
    if not text:
        return None
    days = read_days(text, date.today())
    if days is None:
        raise UsageError(f"'{text}' is no date. Dates are such as 2025, 2025-03, 2025-03-01, today, 7d, 2w, 3m, 1y.")
    return days[end]


def _entries(library: Library) -> list[CollectionEntry]:
    return [collection_entry(library, name) for name in library.collections()]
