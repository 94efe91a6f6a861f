"""Checksums over what the catalog holds, so that damage which SQLite cannot see is found.

A document's seal covers its row and its chunks, a vector's seal the vector and whose it is; the seals of the small tables
(meta, roots, exclusions) and of all documents together lie in meta. They show damage, not malice: whoever can write the
file can write a seal.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from itertools import chain

_SETTINGS, _DOCUMENTS = "seal", "seal_of_documents"  # keys in meta
_CHUNK = "ordinal, text, title, page, line, line_end, place, token_count, content_hash"
_DOCUMENT = (
    "root_id, path, content_hash, size_bytes, mtime_ns, ctime_ns, format, status, reason, remedy, title, recipe,"
    " metadata, scanned_pages, chunk_count"
)


def seal_document(connection: sqlite3.Connection, document_id: int) -> None:
    """Renew a document's seal, within the transaction that changed it or its chunks."""
    unseal_document(connection, document_id)
    seal = document_seal(connection, document_id)
    if connection.execute("UPDATE documents SET seal = ? WHERE id = ?", (seal, document_id)).rowcount:
        _fold(connection, seal)


def unseal_document(connection: sqlite3.Connection, document_id: int) -> None:
    """Take a document out of the seal of all, within the transaction that changes or removes it."""
    row = connection.execute("SELECT seal FROM documents WHERE id = ?", (document_id,)).fetchone()
    if row and row[0]:
        _fold(connection, row[0])


def documents_are_all_there(connection: sqlite3.Connection) -> bool:
    """Whether the seals of all documents, put together, are what they were when the last one was written."""
    together = 0
    for (seal,) in connection.execute("SELECT seal FROM documents WHERE seal IS NOT NULL"):
        together ^= int.from_bytes(seal)
    return together == _together(connection)


def _fold(connection: sqlite3.Connection, seal: bytes) -> None:
    """Put a seal into that of all documents, or take it out: the order does not matter."""
    together = _together(connection) ^ int.from_bytes(seal)
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_DOCUMENTS, f"{together:016x}"),
    )


def _together(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_DOCUMENTS,)).fetchone()
    return int(row[0], 16) if row else 0


def document_seal(connection: sqlite3.Connection, document_id: int) -> bytes:
    """The seal that a document should have."""
    row = connection.execute(f"SELECT {_DOCUMENT} FROM documents WHERE id = ?", (document_id,)).fetchall()
    chunks = connection.execute(f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,))
    return _digest(chain(row, chunks))


def vector_seal(content_hash: bytes, fingerprint: str, vector: bytes) -> bytes:
    """The seal of a stored vector."""
    return _digest([(content_hash, fingerprint, vector)])


def seal_settings(connection: sqlite3.Connection) -> None:
    """Renew the seal of the small tables, within the transaction that changed one of them."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_SETTINGS, _settings_seal(connection)),
    )


def settings_are_sealed(connection: sqlite3.Connection) -> bool:
    """Whether the small tables are as they were written."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_SETTINGS,)).fetchone()
    return row is not None and row[0] == _settings_seal(connection)


def _settings_seal(connection: sqlite3.Connection) -> str:
    rows: list[tuple[object, ...]] = []
    for query in (
        f"SELECT key, value FROM meta WHERE key NOT IN ('{_SETTINGS}', '{_DOCUMENTS}') ORDER BY key",
        "SELECT id, path, device FROM roots ORDER BY id",
        "SELECT path FROM exclusions ORDER BY path",
    ):
        rows += [("table",), *connection.execute(query).fetchall()]
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
