"""Passages and documents by id, for other programs: what a search has found can be opened later, by its id alone.

Everything comes from the catalog, never from the disk: only what is indexed can be read, whatever an id says. An id is
checked against what it finds, so that it never names anything else after a change (see reference_ids.py).
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.collection_folder import existing_collection
from searchkit.catalog.documents import content_hash
from searchkit.catalog.session import reading
from searchkit.errors import CollectionNotFoundError, ReferenceGoneError, UsageError
from searchkit.files import path_from_text
from searchkit.library import Library
from searchkit.search.query.dates import DOCUMENT_MOMENT, LAST_MOMENT
from searchkit.serve.reference_ids import PASSAGE_BYTES, DocumentId, PassageId, path_hash
from searchkit.types import Hit

MOST_CHARACTERS = 100_000  # of a document at once, unless another number is asked for
_HASH_BYTES = 16
_PASSAGE = f"SELECT c.*, substr({LAST_MOMENT}, 1, 10) AS day FROM chunks c JOIN documents d ON d.id = c.document_id"
_DOCUMENT = f"SELECT d.*, r.path AS root, substr({DOCUMENT_MOMENT}, 1, 10) AS day FROM documents d JOIN roots r ON r.id = d.root_id"


@dataclass(frozen=True, slots=True)
class Reference:
    """The ids of a hit's passage and of its document."""

    passage: str
    document: str


@dataclass(frozen=True, slots=True)
class AboutDocument:
    """A document as the catalog knows it.

    `title`: what it calls itself, "" if it does not say. `date`: ISO 8601, perhaps without month or day: its own, else of its
    file's last change. `metadata`: what it says of itself, by lower-case names. `passages`: how many it has.
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
    """A passage and its document; `before` and `after` are ids of its neighbours there, "" where there is none."""

    passage: PassageText
    document: AboutDocument
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A document, or as much of it as was asked for. `next_start`: the passage to go on with, 0 at its end."""

    document: AboutDocument
    passages: tuple[PassageText, ...]
    next_start: int = 0

    @property
    def text(self) -> str:
        """The passages put together, with a line wherever another heading, page or place begins."""
        return "\n\n".join(_joined(self.passages))


def references_of(library: Library, hits: Sequence[Hit]) -> list[Reference]:
    """The ids of hits, in their order. Of what has gone meanwhile too: opening it says so."""
    numbers = defaultdict(list)
    for number, hit in enumerate(hits):
        numbers[hit.collection].append(number)
    found: dict[int, Reference] = {}
    for collection, its_numbers in numbers.items():
        try:
            with _one_state(library, collection) as catalog:
                found |= {number: _reference(catalog, hits[number]) for number in its_numbers}
        except CollectionNotFoundError:
            found |= {number: _to_nowhere(hits[number]) for number in its_numbers}
    return [found[number] for number in range(len(hits))]


def open_passage(library: Library, reference: str) -> OpenedPassage:
    """The passage that an id names, wherever it stands now.

    Raises UsageError for what is no id of a passage, CollectionNotFoundError, ReferenceGoneError.
    """
    wanted = PassageId.read(reference)
    with _one_state(library, wanted.collection) as catalog:
        row = _rows(
            catalog,
            f"{_PASSAGE} WHERE c.content_hash BETWEEN ? AND ?"
            " ORDER BY c.document_id != ?, abs(c.ordinal - ?), d.path, c.id LIMIT 1",
            (*_between(wanted.content), wanted.document_id, wanted.ordinal),
        ).fetchone()
        if row is None:
            raise ReferenceGoneError("The passage has changed or gone since it was found: search again.")
        passage = _passage(wanted.collection, row)
        document = _document(catalog, "d.id = ?", row["document_id"])
        assert document is not None, "there is no passage without its document"
        about = _about(wanted.collection, document)
        before, after = (_id_at(catalog, wanted.collection, row, passage.ordinal + step) for step in (-1, 1))
    return OpenedPassage(passage, about, before, after)


def open_document(
    library: Library, reference: str, *, start: int = 0, max_characters: int = MOST_CHARACTERS
) -> OpenedDocument:
    """The text of the document that an id names, from a passage on (0: the first), up to about so many characters.

    A file that has changed since is given as it is indexed now. At least one passage is given. Raises UsageError for what is
    no id of a document, or if it has no such passage, CollectionNotFoundError, ReferenceGoneError.
    """
    wanted = DocumentId.read(reference)
    with _one_state(library, wanted.collection) as catalog:
        row = _find_document(catalog, wanted)
        if row is None:
            raise ReferenceGoneError("The document is not in the index any more: search again.")
        about = _about(wanted.collection, row)
        if not 0 <= start < about.passages:
            raise UsageError(f"The document has {about.passages:,} passages, counted from 0: there is no {start}.")
        passages: list[PassageText] = []
        rows = _rows(
            catalog, f"{_PASSAGE} WHERE c.document_id = ? AND c.ordinal >= ? ORDER BY c.ordinal", (row["id"], start)
        )
        for passage in (_passage(wanted.collection, each) for each in rows):
            max_characters -= len(passage.text)
            if passages and max_characters < 0:
                return OpenedDocument(about, tuple(passages), passage.ordinal)
            passages.append(passage)
    return OpenedDocument(about, tuple(passages))


@contextmanager
def _one_state(library: Library, collection: str) -> Iterator[CatalogReader]:
    """One state of a collection's catalog."""
    with reading(existing_collection(library.home, collection)) as catalog, catalog.one_state():
        yield catalog


def _rows(catalog: CatalogReader, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
    """Rows whose columns have names."""
    cursor = catalog.execute(query, values)
    cursor.row_factory = sqlite3.Row
    return cursor


def _reference(catalog: CatalogReader, hit: Hit) -> Reference:
    """The ids of a hit: of equal passages of its file that at its line and page, as the hit was found at that."""
    hashed = content_hash(hit.title, hit.text)
    rows = _rows(
        catalog,
        "SELECT c.document_id, c.ordinal, d.path, r.path AS root, d.content_hash AS content"
        " FROM chunks c JOIN documents d ON d.id = c.document_id JOIN roots r ON r.id = d.root_id"
        " WHERE c.content_hash = ? ORDER BY c.line IS NOT ?, c.page IS NOT ?, c.document_id, c.ordinal",
        (hashed, hit.line, hit.page),
    )
    for row in rows:
        if _path(row) == hit.path:
            passage = PassageId(hit.collection, row["document_id"], row["ordinal"], hashed[:PASSAGE_BYTES])
            document = DocumentId.of(hit.collection, row["document_id"], hit.path, row["content"])
            return Reference(str(passage), str(document))
    return _to_nowhere(hit)


def _to_nowhere(hit: Hit) -> Reference:
    """The ids of a hit whose place is not known any more; the same content may still, or again, be somewhere."""
    passage = PassageId(hit.collection, 0, 0, content_hash(hit.title, hit.text)[:PASSAGE_BYTES])
    return Reference(str(passage), str(DocumentId.of(hit.collection, 0, hit.path, None)))


def _find_document(catalog: CatalogReader, wanted: DocumentId) -> sqlite3.Row | None:
    """The document in the row that the id says, if that is still the one; else the one at its path; else one of its content."""
    row = _document(catalog, "d.id = ?", wanted.document_id)
    if row and (path_hash(_path(row)) == wanted.path or (row["content_hash"] or b"").startswith(wanted.content)):
        return row
    paths = _rows(catalog, "SELECT d.id, d.path, r.path AS root FROM documents d JOIN roots r ON r.id = d.root_id")
    at_path = [each["id"] for each in paths if path_hash(_path(each)) == wanted.path]
    for document_id in at_path:
        if row := _document(catalog, "d.id = ?", document_id):
            return row
    return _document(catalog, "d.content_hash BETWEEN ? AND ?", *_between(wanted.content))


def _document(catalog: CatalogReader, condition: str, *values: object) -> sqlite3.Row | None:
    """The first document with text that meets an SQL condition."""
    row: sqlite3.Row | None = _rows(
        catalog, f"{_DOCUMENT} WHERE d.chunk_count > 0 AND {condition} ORDER BY d.path, d.id LIMIT 1", values
    ).fetchone()
    return row


def _id_at(catalog: CatalogReader, collection: str, row: sqlite3.Row, ordinal: int) -> str:
    """The id of a passage of the same document, "" if it has no such."""
    query = f"{_PASSAGE} WHERE c.document_id = ? AND c.ordinal = ?"
    neighbour = _rows(catalog, query, (row["document_id"], ordinal)).fetchone()
    return _passage(collection, neighbour).id if neighbour else ""


def _passage(collection: str, row: sqlite3.Row) -> PassageText:
    named = PassageId(collection, row["document_id"], row["ordinal"], row["content_hash"][:PASSAGE_BYTES])
    values = {name: row[name] for name in ("ordinal", "text", "page", "line", "line_end", "place")}
    return PassageText(id=str(named), heading=row["title"], date=row["day"], **values)


def _about(collection: str, row: sqlite3.Row) -> AboutDocument:
    path = _path(row)
    return AboutDocument(
        id=str(DocumentId.of(collection, row["id"], path, row["content_hash"])),
        collection=collection,
        path=path,
        title=row["title"],
        format=row["format"],
        date=row["day"],
        passages=row["chunk_count"],
        metadata=json.loads(row["metadata"] or "{}"),
    )


def _path(row: sqlite3.Row) -> Path:
    return path_from_text(row["root"]) / path_from_text(row["path"])


def _between(beginning: bytes) -> tuple[bytes, bytes]:
    """The first and the last hash that begin so, for an index to look up."""
    return beginning, beginning + b"\xff" * (_HASH_BYTES - len(beginning))


def _joined(passages: Sequence[PassageText]) -> Iterator[str]:
    """The passages' texts, with a line where another heading, page or place begins than that of the text before."""
    known = ""
    for passage in passages:
        page = f"page {passage.page}" if passage.page is not None else ""
        where = " · ".join(part for part in (passage.heading, passage.place or page) if part)
        if where and where != known:
            yield f"[{where}]"
        known = where
        yield passage.text
