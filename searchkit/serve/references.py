"""Passages and documents by id: other programs can open what a search has found later, by its id alone.

Everything is read from the catalog, never from the disk: only what is indexed can be read, whatever an id says. An id is
checked against what it finds, so that after a change it never names something else (see reference_ids.py).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import (
    StoredPassage,
    nearest_passage,
    passage_at,
    passages_of_document,
    passages_of_hashes,
)
from searchkit.catalog.stored_documents import (
    StoredDocument,
    document_with_content,
    document_with_id,
    documents_at,
    places_of_documents,
)
from searchkit.display import plural
from searchkit.errors import CollectionNotFoundError, ReferenceGoneError, UsageError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.serve.reference_ids import PASSAGE_BYTES, DocumentId, PassageId, path_hash
from searchkit.types import Hit

MAX_CHARACTERS = 100_000  # of a document at once, unless another number is requested
_HASH_BYTES = 16
_BEGINNING = 200  # characters by which the passage is known in which a source begins
_SEARCH_AGAIN = "Search again."


@dataclass(frozen=True, slots=True)
class Reference:
    """The ids of a hit's passage and of its document."""

    passage: str
    document: str


@dataclass(frozen=True, slots=True)
class AboutDocument:
    """A document as the catalog knows it.

    `title`: its own title, "" if it has none. `date`: ISO 8601, perhaps without month or day: its own, otherwise that of
    the file's last change. `metadata`: its own, by lower-case names. `passages`: the number of its passages.
    """

    id: str
    collection: str
    path: Path
    title: str
    format: str
    date: str
    passages: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage with its provenance (see Block). `ordinal`: its number in the document, from 0. `heading`: the path of headings."""

    id: str
    ordinal: int
    heading: str
    text: str
    page: int | None
    line: int | None
    line_end: int | None
    place: str
    date: str


@dataclass(frozen=True, slots=True)
class OpenedPassage:
    """A passage and its document; `before` and `after` are the ids of the passages next to it, "" if there is none."""

    passage: PassageText
    document: AboutDocument
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A document, or as much of it as was requested. `next_start`: the passage to continue with, 0 at the end."""

    document: AboutDocument
    passages: tuple[PassageText, ...]
    next_start: int = 0

    @property
    def text(self) -> str:
        """The text of the passages, with a line wherever another heading, page or place begins."""
        return "\n\n".join(_joined(self.passages))


def references_of(library: Library, hits: Sequence[Hit]) -> list[Reference]:
    """Return the ids of hits, in their order, even of those that are gone by now: opening these says so."""
    numbers = defaultdict(list)
    for number, hit in enumerate(hits):
        numbers[hit.collection].append(number)
    found: dict[int, Reference] = {}
    for collection, its_numbers in numbers.items():
        try:
            with one_state(library, collection) as catalog:
                found |= {number: _reference(catalog, hits[number]) for number in its_numbers}
        except CollectionNotFoundError:
            found |= {number: _to_nowhere(hits[number]) for number in its_numbers}
    return [found[number] for number in range(len(hits))]


def open_passage(library: Library, reference: str) -> OpenedPassage:
    """Open the passage that an id names, wherever it is now.

    Raises UsageError for anything but the id of a passage, CollectionNotFoundError, ReferenceGoneError.
    """
    wanted = PassageId.read(reference)
    with one_state(library, wanted.collection) as catalog:
        stored = nearest_passage(
            catalog, *_between(wanted.content), document_id=wanted.document_id, ordinal=wanted.ordinal
        )
        if stored is None:
            raise ReferenceGoneError("The passage has changed or gone since it was found.", remedy=_SEARCH_AGAIN)
        document = document_with_id(catalog, stored.document_id)
        assert document is not None, "there is no passage without its document"
        about = about_document(wanted.collection, document)
        before, after = (
            passage_at(catalog, stored.document_id, ordinal) for ordinal in (stored.ordinal - 1, stored.ordinal + 1)
        )
    return OpenedPassage(
        _passage(wanted.collection, stored),
        about,
        _id_of(wanted.collection, before) if before else "",
        _id_of(wanted.collection, after) if after else "",
    )


def open_document(
    library: Library, reference: str, *, start: int = 0, max_characters: int = MAX_CHARACTERS
) -> OpenedDocument:
    """Open the document that an id names: its text from passage `start` (0: the first), about `max_characters` of it.

    A file that has changed since is given as it is indexed now. At least one passage is returned. Raises UsageError for
    anything but the id of a document, or a `start` that it does not have, CollectionNotFoundError, ReferenceGoneError.
    """
    wanted = DocumentId.read(reference)
    with one_state(library, wanted.collection) as catalog:
        document = find_document(catalog, wanted)
        if document is None:
            raise ReferenceGoneError("The document is no longer in the index.", remedy=_SEARCH_AGAIN)
        about = about_document(wanted.collection, document)
        if not 0 <= start < about.passages:
            raise UsageError(
                f"The document has {plural(about.passages, 'passage')}, counted from 0, so there is no passage {start}."
            )
        passages: list[PassageText] = []
        for stored in passages_of_document(catalog, document.id, start=start):
            max_characters -= len(stored.text)
            if passages and max_characters < 0:
                return OpenedDocument(about, tuple(passages), stored.ordinal)
            passages.append(_passage(wanted.collection, stored))
    return OpenedDocument(about, tuple(passages))


@contextmanager
def one_state(library: Library, collection: str) -> Iterator[CatalogReader]:
    """Read one state of a collection's catalog."""
    with reading(existing_collection(library.home, collection)) as catalog, catalog.one_state():
        yield catalog


def _reference(catalog: CatalogReader, hit: Hit) -> Reference:
    """Return the ids of a hit; of equal passages in its file, those of the one at its line and page."""
    hashed = content_hash(hit.heading, hit.text)
    places = [place for place in passages_of_hashes(catalog, [hashed]).get(hashed, []) if place.path == hit.path]
    places = places or _where_it_begins(catalog, hit)
    if not places:
        return _to_nowhere(hit)
    place = min(places, key=lambda one: (one.line != hit.line, one.page != hit.page, one.document_id, one.ordinal))
    document = document_with_id(catalog, place.document_id)
    content = document.content_hash if document else None
    return Reference(
        _id_of(hit.collection, place), str(DocumentId.of(hit.collection, place.document_id, hit.path, content))
    )


def _where_it_begins(catalog: CatalogReader, hit: Hit) -> list[StoredPassage]:
    """The passages of the file in which the text begins: a source of an answer is several of them joined, or a part of one."""
    beginning = hit.text.partition("\n\n")[0][:_BEGINNING]
    passages = (each for one in documents_at(catalog, hit.path) for each in passages_of_document(catalog, one.id))
    return [each for each in passages if beginning in each.text]


def _to_nowhere(hit: Hit) -> Reference:
    """Return the ids of a hit that is gone; the same content may be elsewhere, or come back."""
    passage = PassageId(hit.collection, 0, 0, content_hash(hit.heading, hit.text)[:PASSAGE_BYTES])
    return Reference(str(passage), str(DocumentId.of(hit.collection, 0, hit.path, None)))


def find_document(catalog: CatalogReader, wanted: DocumentId) -> StoredDocument | None:
    """Find the document in the row that the id names, if that still fits, otherwise at its path, otherwise by its content."""
    stored = document_with_id(catalog, wanted.document_id)
    if stored and (path_hash(stored.path) == wanted.path or (stored.content_hash or b"").startswith(wanted.content)):
        return stored
    at_path = [document_id for document_id, path in places_of_documents(catalog) if path_hash(path) == wanted.path]
    for document_id in at_path:
        if stored := document_with_id(catalog, document_id):
            return stored
    return document_with_content(catalog, *_between(wanted.content))


def _id_of(collection: str, stored: StoredPassage) -> str:
    return str(PassageId(collection, stored.document_id, stored.ordinal, stored.content_hash[:PASSAGE_BYTES]))


def _passage(collection: str, stored: StoredPassage) -> PassageText:
    return PassageText(
        id=_id_of(collection, stored),
        ordinal=stored.ordinal,
        heading=stored.title,
        text=stored.text,
        page=stored.page,
        line=stored.line,
        line_end=stored.line_end,
        place=stored.place,
        date=stored.date,
    )


def about_document(collection: str, stored: StoredDocument) -> AboutDocument:
    """Return what the catalog knows about a document, with the id that opens it."""
    return AboutDocument(
        id=str(DocumentId.of(collection, stored.id, stored.path, stored.content_hash)),
        collection=collection,
        path=stored.path,
        title=stored.title,
        format=stored.format,
        date=stored.date,
        passages=stored.chunk_count,
        metadata=stored.metadata,
    )


def _between(beginning: bytes) -> tuple[bytes, bytes]:
    """Return the first and the last hash with this beginning, for an index to look up."""
    return beginning, beginning + b"\xff" * (_HASH_BYTES - len(beginning))


def _joined(passages: Sequence[PassageText]) -> Iterator[str]:
    """Yield the passages' texts, and a line where the heading, page or place differs from that of the text before."""
    known = ""
    for passage in passages:
        page = f"page {passage.page}" if passage.page is not None else ""
        where = " · ".join(part for part in (passage.heading, passage.place or page) if part)
        if where and where != known:
            yield f"[{where}]"
        known = where
        yield passage.text
