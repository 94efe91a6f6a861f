"""The answers of the three tools, in the shapes that clients for deep research expect.

`search`: {"results": [{"id", "title", "url", "text", ...}], "notes"}, small. `fetch`: {"id", "title", "text", "url",
"metadata"}, a file's text or as much of it as was asked for. `status`: {"collections": [...]}.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from searchkit.answer.prompt import source_name
from searchkit.display import note_remedy, note_text, on_one_line, remedy_command
from searchkit.display.fields import collection_fields
from searchkit.errors import CollectionNotFoundError, NothingIndexedError, UsageError
from searchkit.library import Library
from searchkit.reports import CollectionStatus
from searchkit.search.query.filters import Filters, read_days
from searchkit.search.request import SearchRequest
from searchkit.serve.attributes import shown_path
from searchkit.serve.mcp.output import (
    DATA,
    Answer,
    check_scope,
    file_url,
    is_code,
    one_line,
    quoted_text,
)
from searchkit.serve.reference_ids import DocumentId, PassageId, is_document_id
from searchkit.serve.references import AboutDocument, OpenedDocument, open_document, open_passage
from searchkit.serve.search import ReferencedHit, find, with_ellipses
from searchkit.types import Note, NoteKind

_EXCERPT = 300  # characters
COLLECTION = ("collection", "folders", "files", "files_skipped", "files_to_read", "passages", "vectors")
_MAX_ABOUT = 500  # characters of a document's metadata


def search_answer(library: Library, asked: Mapping[str, str | int], scope: Sequence[str]) -> Answer:
    """Find the passages that answer a query. `scope`: the collections that may be searched; none named means all.

    Raises UsageError for a request that makes no sense, CollectionNotFoundError.
    """
    query, limit = str(asked["query"]), int(asked["limit"])
    filters = _filters(asked)
    if not query.strip() and not filters:
        raise UsageError("The query is empty.", remedy="Say what to look for, in a few words or a question.")
    collections = tuple(_chosen(library, str(asked["collection"]), scope))
    response = find(library, SearchRequest(query, limit, collections=collections, filters=filters, fold=True))
    notes = [_note(note) for note in response.notes]
    return {
        "results": [_result(hit) for hit in response.hits],
        "notes": [*notes, DATA] if response.hits else notes,
    }


def fetch_answer(library: Library, asked: Mapping[str, str | int], scope: Sequence[str]) -> Answer:
    """Read the text that an id names: a document from its beginning, or from a passage if that is far into it.

    Raises UsageError for an invalid id, ReferenceGoneError, CollectionNotFoundError.
    """
    reference, max_characters = str(asked["id"]), int(asked["max_characters"])
    is_document = is_document_id(reference)
    check_scope(_collection_of(reference, is_document=is_document), scope)
    opened = (
        open_document(library, reference, max_characters=max_characters)
        if is_document
        else _around(library, reference, max_characters)
    )
    about, first = opened.document, opened.passages[0]
    return {
        "id": reference.strip(),
        "title": one_line(about.path.name + (f": {about.title}" if about.title else "")),
        "text": _quoted(opened).text,
        "url": file_url(about.path, first.page, first.line if first.ordinal else None),
        "metadata": _metadata(about, opened, _next(library, opened)),
    }


def status_answer(library: Library, scope: Sequence[str]) -> Answer:
    """List what can be searched. Raises CollectionNotFoundError if nothing can."""
    names = _chosen(library, "", scope)
    found = [library.status(name) for name in names] if names else library.statuses()
    if not (found or library.away):
        raise NothingIndexedError
    away = {name: one_line(str(error)) for name, error in library.away.items()}
    return {"collections": list(map(_collection, found)), "not_reached": away}


def _note(note: Note) -> str:
    """Word a note, with what a model should do about it."""
    match note.kind:
        case NoteKind.ALL_WEAK:
            return f"{note_text(note)} Say so rather than guess."
        case NoteKind.NOTHING_FOUND:
            return f"{note_text(note)} Try other words, or fewer filters."
        case _ if remedy := note_remedy(note):
            return f"{note_text(note)} The user can complete it: {remedy_command(remedy)}"
        case _:
            return note_text(note)


def _chosen(library: Library, collection: str, scope: Sequence[str]) -> list[str]:
    """Return the collections to search, none for all."""
    if not collection:
        return list(scope)
    check_scope(collection, scope)
    if collection not in library.collections():
        known = ", ".join(scope or library.collections())
        raise CollectionNotFoundError(
            f"No collection named '{collection[:100]}'. Choose from: {known}.", remedy="Leave it out for all."
        )
    return [collection]


def _filters(asked: Mapping[str, str | int]) -> Filters:
    """Read the filters. Raises UsageError."""
    types = tuple(str(asked["type"]).replace(",", " ").split())
    path = str(asked["path"]).strip()
    since, until = (_days(name, str(asked[name])) for name in ("since", "until"))
    senders, recipients, subjects = (_given(asked, name) for name in ("from", "to", "subject"))
    return Filters(
        types=types,
        paths=(path,) if path else (),
        since=since[0] if since else None,
        until=until[1] if until else None,
        senders=senders,
        recipients=recipients,
        subjects=subjects,
    )


def _given(asked: Mapping[str, str | int], name: str) -> tuple[str, ...]:
    """A text argument as the values of a filter, none for an empty one."""
    text = str(asked[name]).strip()
    return (text,) if text else ()


def _days(name: str, text: str) -> tuple[date, date] | None:
    if not text.strip():
        return None
    days = read_days(text, date.today())
    if days is None:
        raise UsageError(
            f"{name} is not a date: '{text[:40]}'.",
            remedy="Dates look like 2025, 2025-03, 2025-03-01, 7d, 2w, 3m or 1y.",
        )
    return days


def _result(found: ReferencedHit) -> Answer:
    hit = found.hit
    return {
        "id": found.reference.passage,
        "title": one_line(source_name(hit)),
        "url": file_url(hit.path, hit.page, hit.line),
        "text": _excerpt(with_ellipses(hit, quoted_text(hit.snippet, is_code=is_code(hit.path)))),
        "score": round(hit.score, 2),
        "weak": hit.weak,
        "date": hit.date,
        "sender": one_line(hit.sender),
        **({"alike": [_alike(each) for each in found.alike]} if found.alike else {}),
    }


def _alike(found: ReferencedHit) -> Answer:
    """A passage that says the same."""
    return {"id": found.reference.passage, "title": one_line(source_name(found.hit))}


def _excerpt(text: str) -> str:
    if len(text) <= _EXCERPT:
        return text
    return f"{text[: _EXCERPT - 1].rsplit(None, 1)[0]}…"


def _collection_of(reference: str, *, is_document: bool) -> str:
    try:
        return (DocumentId if is_document else PassageId).read(reference).collection
    except UsageError as error:
        raise UsageError(
            f"'{on_one_line(reference)[:60]}' is not an id of a passage or a document.",
            remedy="Search first: ids come with the results, such as docs:p12.3.9f3a2b1c4d5e6f70",
        ) from error


def _around(library: Library, reference: str, max_characters: int) -> OpenedDocument:
    """Open a passage's document from its beginning, or from the passage if that is further in than the limit."""
    found = open_passage(library, reference)
    opened = open_document(library, found.document.id, max_characters=max_characters)
    if 0 < opened.next_start <= found.passage.ordinal:
        return open_document(library, found.document.id, start=found.passage.ordinal, max_characters=max_characters)
    return opened


def _next(library: Library, opened: OpenedDocument) -> str:
    """Return the id of the passage to continue with, "" at the end."""
    if not opened.next_start:
        return ""
    return open_document(library, opened.document.id, start=opened.next_start, max_characters=1).passages[0].id


def _quoted(opened: OpenedDocument) -> OpenedDocument:
    """Quote each passage by itself, so that a comment without an end does not hide the rest."""
    in_code = is_code(opened.document.path)
    passages = (
        replace(each, text=quoted_text(each.text, is_code=in_code), heading=one_line(each.heading))
        for each in opened.passages
    )
    return replace(opened, passages=tuple(passages))


def _metadata(about: AboutDocument, opened: OpenedDocument, following: str) -> dict[str, str]:
    """Describe a document in texts. `next`: the id to continue with, "" at the end."""
    said = "; ".join(f"{name}: {value}" for name, value in about.metadata.items())
    first, last = opened.passages[0].ordinal + 1, opened.passages[-1].ordinal + 1
    return {
        "path": shown_path(about.path),
        "collection": about.collection,
        "format": about.format,
        "date": about.date,
        "about": one_line(said)[:_MAX_ABOUT],
        "passages": f"{first} to {last} of {about.passages}",
        "document_id": about.id,
        "next": following,
        "notes": DATA,
    }


def _collection(status: CollectionStatus) -> Answer:
    known = collection_fields(status, shown_path)
    formats = ", ".join(f"{each.format} {each.files}" for each in status.formats)
    return {name: known[name] for name in COLLECTION} | {"formats": formats, "updated_at": status.updated_at or ""}
