"""What `search` and `status` answer: {"results": [{"id", "title", "url", "text", ...}]}, small, and {"collections": [...]}."""

from collections.abc import Mapping, Sequence
from datetime import date

from searchkit.answer.prompt import source_name
from searchkit.display import on_one_line, plural
from searchkit.errors import CollectionNotFoundError, ModelError, NothingIndexedError, UsageError
from searchkit.library import Library
from searchkit.search.across import filters_misread, nothing_found, phrases_not_found
from searchkit.search.query.dates import read_days
from searchkit.search.query.filters import Filters
from searchkit.serve.mcp.remedies import error_text
from searchkit.serve.mcp.shown import DATA, Answer, check_scope, file_url, is_code, one_line
from searchkit.serve.quoted_text import quoted_text
from searchkit.serve.references import references_of
from searchkit.types import Hit, SearchMode

_EXCERPT = 300  # characters
_WEAK = "No result is clearly about this: these are only the nearest passages. Say so rather than guess."
_BY_WORDS = "Searched by words alone, since the embedding model is missing ({error})."


def search_answer(library: Library, asked: Mapping[str, str | int], scope: Sequence[str]) -> Answer:
    """The passages that answer a query. `scope`: the collections that may be searched, none named: all.

    Raises UsageError for what cannot be searched for, CollectionNotFoundError.
    """
    query, limit = str(asked["query"]), int(asked["limit"])
    filters = _filters(asked)
    if not query.strip() and not filters:
        raise UsageError("The query is empty. Say what to look for, in a few words or a question.")
    collections = _chosen(library, str(asked["collection"]), scope)
    hits, notes = _search(library, query, limit, collections, filters)
    if not hits:
        notes.append(f"{nothing_found(query, filters, SearchMode.HYBRID)} Try other words, or fewer filters.")
    elif all(hit.is_weak for hit in hits):
        notes.append(_WEAK)
    if hits and (missing := phrases_not_found(query, hits)):
        notes.append(f"Nothing holds {' and '.join(map(repr, missing))} as written; these come nearest.")
    if misread := filters_misread(query):
        notes.append(misread)
    notes += _not_covered(library, collections)
    references = references_of(library, hits)
    results = [_result(hit, named.passage) for hit, named in zip(hits, references, strict=True)]
    return {"results": results, "note": " ".join([*notes, DATA] if hits else notes)}


def status_answer(library: Library, scope: Sequence[str]) -> Answer:
    """What can be searched. Raises CollectionNotFoundError if nothing can."""
    names = _chosen(library, "", scope) or library.collections()
    if not names:
        raise NothingIndexedError
    return {"collections": [_collection(library, name) for name in names]}


def _search(
    library: Library, query: str, limit: int, collections: Sequence[str], filters: Filters
) -> tuple[list[Hit], list[str]]:
    """Hits and what there is to say of them: by words alone where there is no model."""
    try:
        return library.search(query, k=limit, collections=collections, filters=filters), []
    except ModelError as error:
        hits = library.search(query, k=limit, collections=collections, filters=filters, mode=SearchMode.LEXICAL)
        return hits, [_BY_WORDS.format(error=error_text(error).rstrip("."))]


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


def _not_covered(library: Library, collections: Sequence[str]) -> list[str]:
    """Which collections cannot wholly be found by meaning yet."""
    behind = [name for name in collections or library.collections() if not library.is_covered(name)]
    if not behind:
        return []
    return [f"Not all of {', '.join(behind)} can be found by meaning yet; searchkit index completes it."]


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
