"""Reads documents from the catalog alone: their paths, their metadata, and a passage with its neighbours."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.documents import chunks_of_document, content_hash
from searchkit.files import file_path, path_to_text
from searchkit.reports import DocumentView
from searchkit.types import Chunk, Hit

_SELECT = "SELECT id, root, name, content_hash, format, title, metadata, chunk_count, moment FROM files"

_ABOVE_ALL = 2**62


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """An indexed file. `root`, `name`: a folder and the path below it, in catalog form. `content_hash`: of the file, None if
    it could not be read. `title`: its own, "" if it has none. `chunk_count`: 0 for a file without text.
    `moment`: ISO 8601, as far as it is known: its own date, else its file's last change.
    """

    id: int
    root: str
    name: str
    content_hash: bytes | None
    format: str
    title: str
    metadata_json: str
    chunk_count: int
    moment: str

    @property
    def path(self) -> Path:
        """The absolute path."""
        return file_path(self.root, self.name)

    @property
    def date(self) -> str:
        """The day of `moment`, perhaps a year or a month alone."""
        return self.moment[:10]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The document's own metadata, by lower-case names."""
        found: Mapping[str, str] = json.loads(self.metadata_json or "{}")
        return found


@dataclass(frozen=True, slots=True)
class PassagePosition:
    """A passage's document, and its number there, from 0; the next number is the passage that follows."""

    document_id: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class PassageLines:
    """A passage's first and last line, or page where there are no lines; None where there are neither."""

    content_hash: bytes
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file on the disk, and when it last changed. Its document has no passages if it is of a kind that is not read."""

    document_id: int
    path: Path
    changed_ns: int


def files_by_change(
    catalog: CatalogReader, allowed: bytes | None, *, most: int | None, with_text: bool
) -> Iterator[ChangedFile]:
    """The files with text, and unless `with_text` those of kinds that are not read, the last changed first.

    `allowed`: one byte per chunk id, 1 for yes, for files with such chunks alone; None for all. `most`: how many; None for all.
    """
    if allowed is None:
        unread = "" if with_text else " OR (d.status = 'unsupported' AND (d.reason = '' OR d.reason LIKE '.%'))"
        condition = f"(d.chunk_count > 0{unread})"
    else:
        is_allowed = catalog.dialect.is_allowed.format(id="c.id")
        condition = f"EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND {is_allowed})"
    values = () if allowed is None else (allowed,)
    rows = catalog.each(
        "SELECT d.id, r.path, d.path, d.mtime_ns FROM documents d JOIN roots r ON r.id = d.root_id"
        f" WHERE d.inside = '' AND {condition} ORDER BY d.mtime_ns DESC, d.path LIMIT ?",
        (*values, _ABOVE_ALL if most is None else most),
    )
    for document_id, root, name, changed_ns in rows:
        yield ChangedFile(document_id, file_path(root, name), changed_ns)


def document_with_id(catalog: CatalogReader, document_id: int) -> StoredDocument | None:
    """The document with an id, if it has text."""
    return _first(catalog, "id = ?", document_id)


def document_with_content(catalog: CatalogReader, first: bytes, last: bytes) -> StoredDocument | None:
    """The document with text whose file's content hash is between two; the first by name."""
    return _first(catalog, "content_hash BETWEEN ? AND ?", first, last)


def documents_beyond(
    catalog: CatalogReader, beyond: int | None, limit: int, *, newest_first: bool = False
) -> list[StoredDocument]:
    """Up to so many documents with text, by id: those behind an id, from the first or the newest on if it is None."""
    sign, order, start = ("<", "DESC", _ABOVE_ALL) if newest_first else (">", "ASC", -1)
    rows = catalog.execute(
        f"{_SELECT} WHERE chunk_count > 0 AND id {sign} ? ORDER BY id {order} LIMIT ?",
        (start if beyond is None else beyond, limit),
    )
    return [StoredDocument(*row) for row in rows]


def sizes_of_documents(catalog: CatalogReader, ids: Sequence[int]) -> dict[int, int]:
    """The sizes in bytes of documents' files, by id."""
    return dict(catalog.execute_among("SELECT id, size_bytes FROM documents WHERE id IN ({items})", ids))


def documents_at(catalog: CatalogReader, path: Path) -> list[StoredDocument]:
    """The documents at an absolute path: more than one where a root lies inside another."""
    found = []
    for root in roots.all_roots(catalog):
        if path.is_relative_to(root.path):
            names = (path_to_text(root.path), path_to_text(path.relative_to(root.path)))
            found += catalog.execute(f"{_SELECT} WHERE root = ? AND name = ?", names).fetchall()
    return [StoredDocument(*row) for row in found]


def places_of_documents(catalog: CatalogReader) -> Iterator[tuple[int, Path]]:
    """Id and absolute path of every document."""
    for document_id, root, name in catalog.each("SELECT id, root, name FROM files"):
        yield document_id, file_path(root, name)


def locate(catalog: CatalogReader, path: Path, title: str, text: str) -> PassagePosition | None:
    """The first position of a passage in the file at an absolute path; None if it is no longer there."""
    hashed = content_hash(title, text)
    for document in documents_at(catalog, path):
        row = catalog.execute(
            "SELECT min(ordinal) FROM chunks WHERE document_id = ? AND content_hash = ?", (document.id, hashed)
        ).fetchone()
        if row[0] is not None:
            return PassagePosition(document.id, int(row[0]))
    return None


def view_document(catalog: CatalogReader, hit: Hit, *, before: int, after: int) -> DocumentView:
    """A hit's passage with the given numbers of passages before and after it; alone if the document has changed since."""
    for document in documents_at(catalog, hit.path):
        ordinal = _ordinal(catalog, document.id, hit)
        if ordinal is None:
            continue
        first = max(0, ordinal - before)
        passages = tuple(chunks_of_document(catalog, document.id, first, ordinal + after))
        below = max(0, document.chunk_count - first - len(passages))
        return DocumentView(passages, ordinal - first, first, below, document.format)
    return DocumentView((_chunk(hit),), 0)


def lines_of_passages(catalog: CatalogReader, document_id: int) -> list[PassageLines]:
    """The lines or pages of each passage of a document, in order."""
    rows = catalog.execute(
        "SELECT content_hash, coalesce(line, page), coalesce(line_end, line, page) FROM chunks WHERE document_id = ?"
        " ORDER BY ordinal",
        (document_id,),
    )
    return [PassageLines(*row) for row in rows]


def _first(catalog: CatalogReader, condition: str, *values: object) -> StoredDocument | None:
    row = catalog.execute(
        f"{_SELECT} WHERE chunk_count > 0 AND {condition} ORDER BY name, id LIMIT 1", values
    ).fetchone()
    return StoredDocument(*row) if row else None


def _ordinal(catalog: CatalogReader, document_id: int, hit: Hit) -> int | None:
    """The number of the hit's passage in a document; of equal ones, the one at its line and page."""
    rows = catalog.execute(
        "SELECT line, page, ordinal FROM chunks WHERE document_id = ? AND content_hash = ?",
        (document_id, content_hash(hit.heading, hit.text)),
    )
    places = [(line != hit.line, page != hit.page, int(ordinal)) for line, page, ordinal in rows]
    return min(places)[2] if places else None


def _chunk(hit: Hit) -> Chunk:
    return Chunk(hit.text, hit.heading, hit.page, hit.line, hit.line_end, 0, hit.place)
