"""Checksums over what the catalog holds, so that damage which SQLite cannot see is found.

A document's seal covers its row and its chunks, a vector's seal the vector and whose it is; the seals of the small tables
(meta, roots, exclusions) and of all documents together lie in meta. They show damage, not malice: whoever can write the
file can write a seal.
"""

import hashlib
from collections.abc import Iterable
from itertools import chain

from searchkit.catalog.catalog import CatalogReader, CatalogWriter

_SETTINGS, _DOCUMENTS = "seal", "seal_of_documents"  # keys in meta
_CHUNK = "ordinal, text, title, page, line, line_end, place, token_count, content_hash"
_DOCUMENT = (
    "root_id, path, content_hash, size_bytes, mtime_ns, ctime_ns, format, status, reason, remedy, title, recipe,"
    " metadata, scanned_pages, chunk_count"
)


def seal_document(catalog: CatalogWriter, document_id: int) -> None:
    """Renew a document's seal, in the transaction that changed it or its chunks."""
    unseal_document(catalog, document_id)
    seal = document_seal(catalog, document_id)
    if catalog.change("UPDATE documents SET seal = ? WHERE id = ?", (seal, document_id)).rowcount:
        _fold(catalog, seal)


def unseal_document(catalog: CatalogWriter, document_id: int) -> None:
    """Take a document out of the seal of all, in the transaction that changes or removes it."""
    row = catalog.execute("SELECT seal FROM documents WHERE id = ?", (document_id,)).fetchone()
    if row and row[0]:
        _fold(catalog, row[0])


def documents_are_all_there(catalog: CatalogReader) -> bool:
    """Whether the seals of all documents, put together, are what they were when the last one was written."""
    together = 0
    for (seal,) in catalog.execute("SELECT seal FROM documents WHERE seal IS NOT NULL"):
        together ^= int.from_bytes(seal)
    return together == _together(catalog)


def _fold(catalog: CatalogWriter, seal: bytes) -> None:
    """Put a seal into that of all documents, or take it out: the order does not matter."""
    together = _together(catalog) ^ int.from_bytes(seal)
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_DOCUMENTS, f"{together:016x}"),
    )


def _together(catalog: CatalogReader) -> int:
    row = catalog.execute("SELECT value FROM meta WHERE key = ?", (_DOCUMENTS,)).fetchone()
    return int(row[0], 16) if row else 0


def document_seal(catalog: CatalogReader, document_id: int) -> bytes:
    """The seal that a document should have."""
    row = catalog.execute(f"SELECT {_DOCUMENT} FROM documents WHERE id = ?", (document_id,)).fetchall()
    chunks = catalog.execute(f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,))
    return _digest(chain(row, chunks))


def vector_seal(content_hash: bytes, fingerprint: str, vector: bytes) -> bytes:
    """The seal of a stored vector."""
    return _digest([(content_hash, fingerprint, vector)])


def seal_settings(catalog: CatalogWriter) -> None:
    """Renew the seal of the small tables, in the transaction that changed one of them."""
    catalog.change(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_SETTINGS, _settings_seal(catalog)),
    )


def settings_are_sealed(catalog: CatalogReader) -> bool:
    """Whether the small tables are as they were written."""
    row = catalog.execute("SELECT value FROM meta WHERE key = ?", (_SETTINGS,)).fetchone()
    return row is not None and row[0] == _settings_seal(catalog)


def _settings_seal(catalog: CatalogReader) -> str:
    rows: list[tuple[object, ...]] = []
    for query in (
        f"SELECT key, value FROM meta WHERE key NOT IN ('{_SETTINGS}', '{_DOCUMENTS}') ORDER BY key",
        "SELECT id, path, device FROM roots ORDER BY id",
        "SELECT path FROM exclusions ORDER BY path",
    ):
        rows += [("table",), *catalog.execute(query).fetchall()]
    return _digest(rows).hex()


def _digest(rows: Iterable[tuple[object, ...]]) -> bytes:
    """8 bytes over values and their types, each with its length, so that nothing can slip from one into the next."""
    hashed = hashlib.blake2b(digest_size=8)
    for row in rows:
        for value in row:
            content = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            hashed.update(f"{type(value).__name__}{len(content)}:".encode())
            hashed.update(content)
        hashed.update(b"\n")
    return hashed.digest()
