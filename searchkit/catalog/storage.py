"""Changes the form in which a collection's vectors are stored, and says what each part of its catalog takes on the disk."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import vector_checksum
from searchkit.catalog.meta import STORAGE, set_meta
from searchkit.catalog.vector_codes import bytes_of, decoded, encoded
from searchkit.catalog.vectors import known_models
from searchkit.types import Storage

_ROWS_AT_A_TIME = 2000


def change_storage(catalog: CatalogWriter, storage: Storage) -> int:
    """Store vectors in a form from now on, and convert those in a longer one; return how many. All of them or none.

    What a shorter form has lost cannot be had back: such vectors stay as they are until they are embedded anew. A vector that does
    not match its checksum stays too, so that it is found.
    """
    converted = 0
    with catalog.transaction():
        set_meta(catalog, STORAGE, storage.value)
        for fingerprint, dimension in known_models(catalog).items():
            for rows in _longer(catalog, fingerprint, bytes_of(storage, dimension)):
                sound = [row for row in rows if row[3] in (None, vector_checksum(row[1], fingerprint, row[2]))]
                stored = encoded(decoded([row[2] for row in sound], dimension), storage)
                catalog.change_many(
                    "UPDATE vectors SET vector = ?, seal = ? WHERE id = ?",
                    [
                        (vector, seal and vector_checksum(content_hash, fingerprint, vector), vector_id)
                        for (vector_id, content_hash, _, seal), vector in zip(sound, stored, strict=True)
                    ],
                )
                converted += len(sound)
    if converted:
        catalog.database.shrink()
    return converted


def _longer(catalog: CatalogReader, fingerprint: str, length: int) -> Iterator[Sequence[tuple[int, bytes, bytes, Any]]]:
    last = 0
    while rows := catalog.execute(
        f"SELECT id, content_hash, vector, seal FROM vectors WHERE model = {catalog.dialect.model} AND id > ?"
        " AND length(vector) > ? ORDER BY id LIMIT ?",
        (fingerprint, last, length, _ROWS_AT_A_TIME),
    ).fetchall():
        last = rows[-1][0]
        yield rows


def bytes_by_part(catalog: CatalogReader) -> dict[str, int]:
    """The bytes on the disk of text, words and vectors, their indexes included; empty where the database does not tell."""
    found = {"text": 0, "words": 0, "vectors": 0}
    if catalog.database.is_remote:
        return {}
    with suppress(sqlite3.Error):  # SQLite may be built without it
        for name, size in catalog.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall():
            is_of_vectors = name.removeprefix("sqlite_autoindex_").startswith(("vectors", "provisional"))
            found["words" if name.startswith("fulltext") else "vectors" if is_of_vectors else "text"] += size
    return found if any(found.values()) else {}
