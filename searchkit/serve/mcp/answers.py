"""What `search` and `status` answer: {"results": [{"id", "title", "url", "text", ...}]}, small, and {"collections": [...]}."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from searchkit.answer.prompt import source_name
from searchkit.display import command, note_text, on_one_line, plural
from searchkit.errors import CollectionNotFoundError, ModelError, NothingIndexedError, UsageError
from searchkit.library import Library
from searchkit.search.query.dates import read_days
from searchkit.search.query.filters import Filters
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.serve.mcp.remedies import error_text
from searchkit.serve.mcp.shown import DATA, Answer, check_scope, file_url, is_code, one_line
from searchkit.serve.quoted_text import quoted_text
from searchkit.serve.references import references_of
from searchkit.types import Hit, Note, NoteKind, SearchMode

_EXCERPT = 300  # characters


def search_answer(library: Library, asked: Mapping[str, str | int], scope: Sequence[str]) -> Answer:
    """The passages that answer a query. `scope`: the collections that may be searched, none named: all.

    Raises UsageError for what cannot be searched for, CollectionNotFoundError.
    """
    query, limit = str(asked["query"]), int(asked["limit"])
    filters = _filters(asked)
    if not query.strip() and not filters:
        raise UsageError("The query is empty. Say what to look for, in a few words or a question.")
    collections = tuple(_chosen(library, str(asked["collection"]), scope))
    response = _search(library, SearchRequest(query, limit, collections=collections, filters=filters))
    hits, notes = response.hits, [_worded(note) for note in response.notes]
    references = references_of(library, hits)
    results = [_result(hit, named.passage) for hit, named in zip(hits, references, strict=True)]
    return {"results": results, "note": " ".join([*notes, DATA] if hits else notes)}


def status_answer(library: Library, scope: Sequence[str]) -> Answer:
    """What can be searched. Raises CollectionNotFoundError if nothing can."""
    names = _chosen(library, "", scope) or library.collections()
    if not names:
        raise NothingIndexedError
    return {"collections": [_collection(library, name) for name in names]}


def _search(library: Library, request: SearchRequest) -> SearchResponse:
    """Search by words alone where there is no model."""
    try:
        return library.find(request)
    except ModelError as error:
        response = library.find(replace(request, mode=SearchMode.LEXICAL))
        return replace(response, notes=(Note(NoteKind.WORDS_ONLY, reason=error_text(error)), *response.notes))


def _worded(note: Note) -> str:
    """A note, with what a model should do about it."""
    match note.kind:
        case NoteKind.ALL_WEAK:
            return f"{note_text(note)} Say so rather than guess."
        case NoteKind.NOTHING_FOUND:
            return f"{note_text(note)} Try other words, or fewer filters."
        case NoteKind.PARTLY_EMBEDDED:
            return f"{note_text(note)} The user completes it with: {command('index', '-c', note.collection)}"
        case _:
            return note_text(note)


def _chosen(library: Library, collection: str, scope: Sequence[str]) -> list[str]:
    """The collections to search, none for all."""
    if not collection:
        return list(scope)
    check_scope(collection, scope)
    if collection not in library.collections():
        known = ", ".join(scope or library.collections())
        raise CollectionNotFoundError(
            f"No collection named '{collection[:100]}'. There are: {known}. Leave it out for all."
        )
    return [collection]


def _filters(asked: Mapping[str, str | int]) -> Filters:
    """Raises UsageError."""
    types = tuple(name for name in str(asked["type"]).replace(",", " ").split() if name)
    path = str(asked["path"]).strip()
    since, until = (_days(name, str(asked[name])) for name in ("since", "until"))
    return Filters(
        types=types, paths=(path,) if path else (), since=since[0] if since else None, until=until[1] if until else None
    )


def _days(name: str, text: str) -> tuple[date, date] | None:
    if not text.strip():
        return None
    days = read_days(text, date.today())
    if days is None:
        raise UsageError(
            f"{name} is no date: '{text[:40]}'. Dates are such as 2025, 2025-03, 2025-03-01, 7d, 2w, 3m or 1y."
        )
    return days


def _result(hit: Hit, reference: str) -> Answer:
    return {
        "id": reference,
        "title": one_line(source_name(hit)),
        "url": file_url(hit.path, hit.page, hit.line),
        "text": _excerpt(quoted_text(hit.snippet, is_code=is_code(hit.path))),
        "score": round(hit.score, 2),
        "weak": hit.is_weak,
        "date": hit.date,
    }


def _excerpt(text: str) -> str:
    if len(text) <= _EXCERPT:
        return text
    return f"{text[: _EXCERPT - 1].rsplit(None, 1)[0]}…"


def _collection(library: Library, name: str) -> Answer:
    status = library.status(name)
    return {
        "name": name,
        "folders": [on_one_line(str(root)) for root in status.roots],
        "files": status.indexed,
        "passages": status.chunks,
        "found_by_meaning": f"{status.vectors / status.passages:.0%}" if status.passages else "",
        "formats": ", ".join(f"{each.format} {each.files}" for each in status.formats),
        "not_read": plural(status.skipped + status.unread, "file") if status.skipped + status.unread else "",
        "updated": status.updated_at or "",
    }
