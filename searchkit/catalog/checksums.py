"""Computes checksums over the catalog's rows, which show damage that SQLite cannot see.

A document's checksum covers its row and its chunks, a vector's the vector with its passage and model; meta has those of the
small tables (meta, roots, exclusions) and of all documents together. They show damage, not malice: whoever can write the file
can write a checksum. In the tables they are called seals.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain

from searchkit.catalog.catalog import CatalogReader, CatalogWriter

_SETTINGS, _DOCUMENTS = "seal", "seal_of_documents"  # keys in meta
_EARLIER_CHUNK = "ordinal, text, title, page, line, line_end, place, token_count, content_hash"
_EARLIER_DOCUMENT = (
    "root_id, path, content_hash, size_bytes, mtime_ns, ctime_ns, format, status, reason, remedy, title, recipe,"
    " metadata, scanned_pages, chunk_count"
)
# The columns of a document and of its chunks that its checksum covers, and those that earlier versions covered: what these have
# written keeps its checksum until it is read again.
_COVERED = (f"{_EARLIER_DOCUMENT}, container_id, inside, left_out", f"{_EARLIER_CHUNK}, lines")
_COVERED_EARLIER = (_EARLIER_DOCUMENT, _EARLIER_CHUNK)


def update_checksum(catalog: CatalogWriter, document_id: int) -> None:
    """Renew a document's checksum after a change to it or its chunks, in the same transaction."""
    remove_from_total(catalog, document_id)
    checksum = document_checksum(catalog, document_id)
    if catalog.change("UPDATE documents SET seal = ? WHERE id = ?", (checksum, document_id)).rowcount:
        _xor_into_total(catalog, checksum)


def remove_from_total(catalog: CatalogWriter, document_id: int) -> None:
    """Remove a document from the checksum of all, in the transaction that changes or removes it."""
    row = catalog.execute("SELECT seal FROM documents WHERE id = ?", (document_id,)).fetchone()
    if row and row[0]:
        _xor_into_total(catalog, row[0])


def documents_match_total(catalog: CatalogReader) -> bool:
    """True if the checksums of all documents give the total that was stored: none is missing, and none was added."""
    total = 0
    for (checksum,) in catalog.execute("SELECT seal FROM documents WHERE seal IS NOT NULL"):
        total ^= int.from_bytes(checksum)
    return total == _total(catalog)


def _xor_into_total(catalog: CatalogWriter, checksum: bytes) -> None:
    """Add a checksum to that of all documents, or remove it: the order does not matter."""
    catalog.database.take_turns(_SETTINGS)
    total = _total(catalog) ^ int.from_bytes(checksum)
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_DOCUMENTS, f"{total:016x}"),
    )


def renew_totals(catalog: CatalogWriter) -> None:
    """Renew the checksums of all documents together and of the small tables, from what is there."""
    total = 0
    for (checksum,) in catalog.execute("SELECT seal FROM documents WHERE seal IS NOT NULL"):
        total ^= int.from_bytes(checksum)
    _xor_into_total(catalog, (total ^ _total(catalog)).to_bytes(8))
    update_settings_checksum(catalog)


def _total(catalog: CatalogReader) -> int:
    row = catalog.execute("SELECT value FROM meta WHERE key = ?", (_DOCUMENTS,)).fetchone()
    with suppress(ValueError):  # damaged: `verify` finds that it does not match
        return int(row[0], 16) if row else 0
    return 0


def document_checksum(catalog: CatalogReader, document_id: int) -> bytes:
    """The checksum that a document should have."""
    return _stored_checksum(catalog, document_id, _COVERED)


def document_matches(catalog: CatalogReader, document_id: int, checksum: bytes) -> bool:
    """True if a document's row and chunks are as they were when it got its checksum."""
    return any(checksum == _stored_checksum(catalog, document_id, covered) for covered in (_COVERED, _COVERED_EARLIER))


def _stored_checksum(catalog: CatalogReader, document_id: int, covered: tuple[str, str]) -> bytes:
    document, chunk = covered
    row = catalog.execute(f"SELECT {document} FROM documents WHERE id = ?", (document_id,)).fetchall()
    chunks = catalog.execute(f"SELECT {chunk} FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,))
    return _digest(chain(row, chunks))


def document_checksum_of(document: Mapping[str, object], chunks: Sequence[Mapping[str, object]]) -> bytes:
    """The checksum of a document whose row and chunks, in their order, are at hand by the names of their columns."""
    return _checksum_of(document, chunks, _COVERED)


def matches(checksum: bytes, document: Mapping[str, object], chunks: Sequence[Mapping[str, object]]) -> bool:
    """See `document_matches`, for a document whose row and chunks are at hand."""
    return any(checksum == _checksum_of(document, chunks, covered) for covered in (_COVERED, _COVERED_EARLIER))


def _checksum_of(
    document: Mapping[str, object], chunks: Sequence[Mapping[str, object]], covered: tuple[str, str]
) -> bytes:
    names, chunk_names = (columns.split(", ") for columns in covered)
    row = tuple(document[name] for name in names)
    return _digest([row, *(tuple(chunk[name] for name in chunk_names) for chunk in chunks)])


def state_of(catalog: CatalogReader) -> str:
    """What changes whenever documents, settings or the number of vectors do: the checksums of the whole, and their number."""
    stored = dict(
        catalog.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (_SETTINGS, _DOCUMENTS)).fetchall()
    )
    row = catalog.execute("SELECT count(*), coalesce(max(id), 0) FROM vectors").fetchone()
    return " ".join(map(str, (stored.get(_SETTINGS, "-"), stored.get(_DOCUMENTS, "-"), *row)))


def vector_checksum(content_hash: bytes, fingerprint: str, vector: bytes) -> bytes:
    """The checksum of a stored vector."""
    return _digest([(content_hash, fingerprint, vector)])


def model_checksum(fingerprint: str, dimension: int) -> bytes:
    """The checksum of a model's fingerprint and its number of dimensions."""
    return _digest([(fingerprint, dimension)])


def update_settings_checksum(catalog: CatalogWriter) -> None:
    """Renew the checksum of the small tables, in the transaction that changed one of them."""
    catalog.database.take_turns(_SETTINGS)
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_SETTINGS, _settings_checksum(catalog)),
    )


def settings_match_checksum(catalog: CatalogReader) -> bool:
    """True if the small tables are as they were written."""
    row = catalog.execute("SELECT value FROM meta WHERE key = ?", (_SETTINGS,)).fetchone()
    return row is not None and row[0] == _settings_checksum(catalog)


def _settings_checksum(catalog: CatalogReader) -> str:
    rows: list[tuple[object, ...]] = []
    for query in (
        f"SELECT key, value FROM meta WHERE key NOT IN ('{_SETTINGS}', '{_DOCUMENTS}') ORDER BY key",
        "SELECT id, path, device FROM roots ORDER BY id",
        "SELECT path FROM exclusions ORDER BY path",
    ):
        rows += [("table",), *catalog.execute(query).fetchall()]
    return _digest(rows).hex()


def _digest(rows: Iterable[tuple[object, ...]]) -> bytes:
    checksum = RunningChecksum()
    for row in rows:
        checksum.add(row)
    return checksum.value


class RunningChecksum:
    """A checksum over rows that come one after another, and their number.

    It is a hash of 8 bytes over values and their types, each with its length, so that nothing can shift from one into the next.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._hashed = hashlib.blake2b(digest_size=8)

    def add(self, row: Sequence[object]) -> None:
        """Add the next row."""
        self.rows += 1
        for value in row:
            content = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            self._hashed.update(f"{type(value).__name__}{len(content)}:".encode())
            self._hashed.update(content)
        self._hashed.update(b"\n")

    @property
    def value(self) -> bytes:
        """The checksum of all rows so far."""
        return self._hashed.digest()
