"""Lists of the documents of collections, in pages that are named by the last document of the page before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.stored_documents import StoredDocument, documents_beyond, sizes_of_documents
from searchkit.errors import CatalogError, ExtraMissingError, ReferenceGoneError
from searchkit.library import Library
from searchkit.serve.reference_ids import DocumentId
from searchkit.serve.references import AboutDocument, about_document, find_document, one_state


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document with text. `timestamp`: of its own date, else its file's last change, in seconds since 1970."""

    about: AboutDocument
    size_bytes: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: up to `limit` documents behind the one with the id `after`, "" from the start on."""

    limit: int
    after: str = ""
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A part of a list; `has_more`: others follow."""

    documents: tuple[ListedDocument, ...]
    has_more: bool


def list_documents(library: Library, page: Page, collections: Sequence[str] = ()) -> DocumentPage:
    """List documents of these collections, of all if none is named, one collection after the other.

    Where all are listed, those whose database is away are left out. Raises CollectionNotFoundError, and UsageError for an
    `after` that is no id of a document.
    """
    after = DocumentId.read(page.after) if page.after else None
    names = list(collections or library.collections())
    if after is not None and after.collection in names:
        names = names[names.index(after.collection) :]
    found: list[ListedDocument] = []
    for name in names:
        beyond = after.document_id if after is not None and after.collection == name else None
        room = page.limit + 1 - len(found)
        try:
            with one_state(library, name) as catalog:
                stored = documents_beyond(catalog, beyond, room, newest_first=page.newest_first)
                found += _listed(catalog, name, stored)
        except (CatalogError, ExtraMissingError):
            if collections:
                raise
        if len(found) > page.limit:
            break
    return DocumentPage(tuple(found[: page.limit]), len(found) > page.limit)


def one_document(library: Library, reference: str, collection: str = "") -> ListedDocument:
    """Return the document that an id names. `collection`: that it must be in, "" for any.

    Raises UsageError, CollectionNotFoundError, ReferenceGoneError.
    """
    wanted = DocumentId.read(reference)
    if collection and wanted.collection != collection:
        raise ReferenceGoneError(f"The document is not in '{collection}'.", remedy="List its files.")
    with one_state(library, wanted.collection) as catalog:
        stored = find_document(catalog, wanted)
        if stored is None:
            raise ReferenceGoneError("The document is no longer in the index.", remedy="List the files again.")
        (listed,) = _listed(catalog, wanted.collection, [stored])
    return listed


def _listed(catalog: CatalogReader, collection: str, stored: Sequence[StoredDocument]) -> list[ListedDocument]:
    sizes = sizes_of_documents(catalog, [each.id for each in stored])
    return [
        ListedDocument(about_document(collection, each), sizes.get(each.id, 0), _timestamp(each.moment))
        for each in stored
    ]


def _timestamp(moment: str) -> int:
    """Return the seconds since 1970 of a moment, which may lack its day or its month; 0 if there is none."""
    whole = moment if len(moment) > 7 else f"{moment}-01-01"[:10]
    try:
        parsed = datetime.fromisoformat(whole)
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0
