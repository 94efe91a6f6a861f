"""Documents and their chunks: every change to a file's text, chunks and full text happens in one place here."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.catalog import fulltext, messages
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import remove_from_total, update_checksum
from searchkit.catalog.database import Rows
from searchkit.reports import FormatCount
from searchkit.types import Chunk, DocumentStatus

_COLUMNS = (
    "id, root_id, path, content_hash, size_bytes, mtime_ns, ctime_ns, format, status, reason, remedy, title, recipe,"
    " metadata, scanned_pages, container_id, inside, left_out"
)
_LAST_ORDINAL = 2**31
_CHUNK_COLUMNS = "text, title, page, line, line_end, token_count, place, lines"


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A file's row in the catalog. `path` is relative to its root, in catalog form (`paths.path_to_text`).

    `ctime_ns` also changes when a file is renamed or its times are set back. `content_hash` is None if the file could
    not be read; `recipe` is the version of the pipeline that read it. A document inside a file, such as an attachment, has
    that file's document as its `container_id`, and its name there, `inside`, behind the file's path. `left_out`: how many things of
    each kind its reader has left out.
    """

    id: int
    root_id: int
    path: str
    content_hash: bytes | None
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    format: str
    status: DocumentStatus
    reason: str
    title: str
    recipe: str
    remedy: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    scanned_pages: int = 0
    container_id: int | None = None
    inside: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The path of the file itself."""
        return self.path.removesuffix(f"/{self.inside}") if self.inside else self.path


def documents_of_root(catalog: CatalogReader, root_id: int) -> list[DocumentRecord]:
    """The document of every file of a root."""
    query = f"SELECT {_COLUMNS} FROM documents WHERE root_id = ? AND container_id IS NULL"
    return _records(catalog.execute(query, (root_id,)))


def document_by_id(catalog: CatalogReader, document_id: int) -> DocumentRecord:
    """The document with an id, which must exist."""
    (record,) = _records(catalog.execute(f"SELECT {_COLUMNS} FROM documents WHERE id = ?", (document_id,)))
    return record


def indexed_of_size(catalog: CatalogReader, size_bytes: int) -> list[DocumentRecord]:
    """Indexed documents of any root whose files have that many bytes: a new file may be one of them, moved."""
    query = f"SELECT {_COLUMNS} FROM documents WHERE size_bytes = ? AND status = ? AND container_id IS NULL ORDER BY id"
    return _records(catalog.execute(query, (size_bytes, DocumentStatus.INDEXED)))


def put_document(catalog: CatalogWriter, record: DocumentRecord, chunks: Iterable[Chunk]) -> int:
    """Replace everything stored of the file at the record's root and path, and return the new id. The record's own is not used."""
    remove_at_path(catalog, record.root_id, record.path)
    values = _values(record)
    marks = ", ".join("?" * len(values))
    row = catalog.change(
        f"INSERT INTO documents ({', '.join(values)}) VALUES ({marks}) RETURNING id", tuple(values.values())
    ).fetchone()
    document_id = int(row[0])
    catalog.change_many(
        f"INSERT INTO chunks (document_id, ordinal, {_CHUNK_COLUMNS}, content_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((document_id, ordinal, *_chunk_values(chunk)) for ordinal, chunk in enumerate(chunks)),
    )
    catalog.change(
        "UPDATE documents SET chunk_count = (SELECT count(*) FROM chunks WHERE document_id = ?1) WHERE id = ?1",
        (document_id,),
    )
    fulltext.insert_chunks(catalog, document_id)
    messages.insert_messages(catalog, document_id)
    update_checksum(catalog, document_id)
    return document_id


def move_document(catalog: CatalogWriter, document_id: int, moved: DocumentRecord) -> None:
    """Give a document the root, path and times of `moved`; its chunks, its vectors and what is inside it stay."""
    for part_id, inside in _parts(catalog, document_id):
        path = f"{moved.path}/{inside}"
        fulltext.remove_chunks(catalog, part_id)
        catalog.change("UPDATE documents SET root_id = ?, path = ? WHERE id = ?", (moved.root_id, path, part_id))
        fulltext.insert_chunks(catalog, part_id)
        update_checksum(catalog, part_id)
    fulltext.remove_chunks(catalog, document_id)
    catalog.change(
        "UPDATE documents SET root_id = ?, path = ?, mtime_ns = ?, ctime_ns = ?, reason = '', remedy = '' WHERE id = ?",
        (moved.root_id, moved.path, moved.mtime_ns, moved.ctime_ns, document_id),
    )
    fulltext.insert_chunks(catalog, document_id)
    update_checksum(catalog, document_id)


def note_problem(catalog: CatalogWriter, document_id: int, reason: str, remedy: str, mtime_ns: int) -> None:
    """Store the problem of a document whose text is kept."""
    catalog.change(
        "UPDATE documents SET reason = ?, remedy = ?, mtime_ns = ? WHERE id = ?",
        (reason, remedy, mtime_ns, document_id),
    )
    update_checksum(catalog, document_id)


def touch_document(catalog: CatalogWriter, document_id: int, mtime_ns: int, ctime_ns: int, recipe: str) -> None:
    """Store new times of unchanged content, and the version of the pipeline that has examined it."""
    catalog.change(
        "UPDATE documents SET mtime_ns = ?, ctime_ns = ?, recipe = ?,"
        " reason = CASE status WHEN 'indexed' THEN '' ELSE reason END,"
        " remedy = CASE status WHEN 'indexed' THEN '' ELSE remedy END WHERE id = ?",
        (mtime_ns, ctime_ns, recipe, document_id),
    )
    update_checksum(catalog, document_id)


def remove_document(catalog: CatalogWriter, document_id: int) -> None:
    """Remove a document and what is inside it, with chunks and full text.

    `vectors.remove_orphans` removes vectors that no other needs.
    """
    for part_id, _ in _parts(catalog, document_id):
        remove_document(catalog, part_id)
    fulltext.remove_chunks(catalog, document_id)
    remove_from_total(catalog, document_id)
    catalog.change("DELETE FROM documents WHERE id = ?", (document_id,))


def _parts(catalog: CatalogReader, document_id: int) -> list[tuple[int, str]]:
    """(id, name in the file) of the documents inside a file."""
    query = "SELECT id, inside FROM documents WHERE container_id = ? ORDER BY id"
    return [(int(part_id), str(inside)) for part_id, inside in catalog.execute(query, (document_id,))]


def ids_below(catalog: CatalogReader, root_id: int, path: str) -> list[int]:
    """Documents of the files at a path and below it ("" or ".": of the whole root)."""
    files = "SELECT id FROM documents WHERE root_id = ? AND container_id IS NULL"
    if path in ("", "."):
        rows = catalog.execute(files, (root_id,))
    else:
        rows = catalog.execute(
            f"{files} AND (path = ? OR (path >= ? AND path < ?))",
            (root_id, path, f"{path}/", f"{path}0"),  # "0" follows "/"
        )
    return [int(row[0]) for row in rows]


def hashes_of_documents(catalog: CatalogReader, document_ids: Sequence[int]) -> set[bytes]:
    """Content hashes of the passages of documents and of what is inside them."""
    found: set[bytes] = set()
    for document_id in document_ids:
        rows = catalog.execute(
            "SELECT c.content_hash FROM documents d JOIN chunks c ON c.document_id = d.id WHERE ? IN (d.id, d.container_id)",
            (document_id,),
        )
        found.update(content_hash for (content_hash,) in rows)
    return found


def remove_at_path(catalog: CatalogWriter, root_id: int, path: str) -> None:
    """Remove the document at a path, if there is one."""
    row = catalog.execute("SELECT id FROM documents WHERE root_id = ? AND path = ?", (root_id, path)).fetchone()
    if row:
        remove_document(catalog, int(row[0]))


def chunks_of_document(
    catalog: CatalogReader, document_id: int, first: int = 0, last: int = _LAST_ORDINAL
) -> list[Chunk]:
    """Read the chunks of a document in order, all or those from one number to another, both included."""
    query = f"SELECT {_CHUNK_COLUMNS} FROM chunks WHERE document_id = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal"
    return [Chunk(*row) for row in catalog.execute(query, (document_id, first, last))]


def count_by_status(catalog: CatalogReader) -> dict[DocumentStatus, int]:
    """Count the files of each status, without what is inside them."""
    query = "SELECT status, count(*) FROM documents WHERE container_id IS NULL GROUP BY status"
    rows = dict(catalog.execute(query).fetchall())
    return {status: int(rows.get(status, 0)) for status in DocumentStatus}


def count_inside(catalog: CatalogReader) -> int:
    """Count the documents with text that are inside files, such as attachments."""
    query = "SELECT count(*) FROM documents WHERE container_id IS NOT NULL AND status = ?"
    return int(catalog.execute(query, (DocumentStatus.INDEXED,)).fetchone()[0])


def count_by_format(catalog: CatalogReader) -> list[FormatCount]:
    """Count the documents and chunks of each format, those inside files too, the most frequent first."""
    rows = catalog.execute(
        "SELECT format, count(*) AS files, sum(chunk_count) FROM documents WHERE status = ?"
        " GROUP BY format ORDER BY files DESC, format",
        (DocumentStatus.INDEXED,),
    )
    return [FormatCount(*row) for row in rows]


def count_scanned_pages(catalog: CatalogReader) -> int:
    """Count the pages that are pictures, of all documents."""
    return int(catalog.execute("SELECT coalesce(sum(scanned_pages), 0) FROM documents").fetchone()[0])


def problem_documents(catalog: CatalogReader) -> list[DocumentRecord]:
    """Documents that were skipped, or whose last change could not be read, by root and path."""
    query = f"SELECT {_COLUMNS} FROM documents WHERE status != ? AND reason != '' ORDER BY root_id, path"
    return _records(catalog.execute(query, (DocumentStatus.UNSUPPORTED,)))


def incomplete_documents(catalog: CatalogReader) -> list[DocumentRecord]:
    """Documents of which OCR would read more, or whose readers have left something out, by root and path."""
    query = f"SELECT {_COLUMNS} FROM documents WHERE scanned_pages > 0 OR left_out != '' ORDER BY root_id, path"
    return _records(catalog.execute(query))


def unsupported_types(catalog: CatalogReader) -> list[tuple[str, int]]:
    """(suffix, number of files) of files that are not read, the most frequent first."""
    query = (
        "SELECT reason, count(*) AS files FROM documents WHERE status = ? GROUP BY reason ORDER BY files DESC, reason"
    )
    return [(str(suffix), int(files)) for suffix, files in catalog.execute(query, (DocumentStatus.UNSUPPORTED,))]


def content_hash(title: str, text: str) -> bytes:
    """Hash the text that a model sees of a passage: 16 bytes."""
    return hashlib.blake2b(f"{title}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _records(rows: Rows) -> list[DocumentRecord]:
    return [_record(*row) for row in rows]


def _record(*columns: Any) -> DocumentRecord:
    values = dict(zip(_COLUMNS.split(", "), columns, strict=True))
    metadata = json.loads(values["metadata"] or "{}")
    left_out = json.loads(values["left_out"] or "{}")
    return DocumentRecord(
        **{**values, "status": DocumentStatus(values["status"]), "metadata": metadata, "left_out": left_out}
    )


def _values(record: DocumentRecord) -> dict[str, object]:
    """Column values of a record but for its id."""
    names = _COLUMNS.split(", ")[1:]
    metadata = json.dumps(dict(record.metadata), ensure_ascii=False) if record.metadata else ""
    left_out = json.dumps(dict(record.left_out), ensure_ascii=False) if record.left_out else ""
    return {**{name: getattr(record, name) for name in names}, "metadata": metadata, "left_out": left_out}


def _chunk_values(chunk: Chunk) -> tuple[object, ...]:
    hashed = content_hash(chunk.title, chunk.text)
    lines = (chunk.line, chunk.line_end)
    return chunk.text, chunk.title, chunk.page, *lines, chunk.token_count, chunk.place, chunk.lines, hashed
