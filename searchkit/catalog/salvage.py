"""Copies the rows with valid checksums from a damaged catalog into a new one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchkit.catalog import checksums, documents, fulltext, messages, roots
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.connection import open_as_it_is
from searchkit.catalog.meta import COVERED, INDEX, LAZY, RECALL_GOAL, STORAGE, set_meta
from searchkit.catalog.roots import RecoveryRecord, recovery_record_of
from searchkit.catalog.vectors import known_models, put_encoded
from searchkit.types import Chunk

_STEP = 500  # rows read at once; one by one if that fails


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The numbers of documents and vectors that were copied, and that could not be."""

    documents: int
    vectors: int
    lost_documents: int
    lost_vectors: int


def open_damaged(path: Path) -> CatalogReader | None:
    """Open the catalog as far as it can be read, None if it cannot be read at all."""
    try:
        return open_as_it_is(path)
    except sqlite3.DatabaseError:
        return None


def salvage_settings(damaged: CatalogReader) -> RecoveryRecord | None:
    """Read model, folders and exclusions, None if they do not match their checksum."""
    try:
        return recovery_record_of(damaged) if checksums.settings_match_checksum(damaged) else None
    except sqlite3.DatabaseError:
        return None


def salvage_choices(damaged: CatalogReader, target: CatalogWriter) -> None:
    """Copy what was chosen for the collection, if it matches its checksum: the forms of vectors and index, whether it waits."""
    with suppress(sqlite3.DatabaseError), target.transaction():
        if checksums.settings_match_checksum(damaged):
            for key in (STORAGE, LAZY, INDEX, RECALL_GOAL):
                if value := damaged.meta(key):
                    set_meta(target, key, value)


def salvage_rows(damaged: CatalogReader, target: CatalogWriter) -> Salvaged:
    """Copy documents with their chunks, and vectors, whose checksums are right. The target already has its roots."""
    new_roots = {root.path: root.id for root in roots.all_roots(target)}
    old_roots = {root.id: new_roots.get(root.path) for root in _roots(damaged)}
    kept_documents = lost_documents = kept_vectors = lost_vectors = 0
    new_ids: dict[int, int] = {}  # by old one: what is inside a file follows it
    for row in _rows(damaged, "documents"):
        kept = row is not None and _copy_document(damaged, target, row["id"], old_roots.get(row["root_id"]), new_ids)
        kept_documents, lost_documents = kept_documents + kept, lost_documents + (not kept)
    with target.transaction():
        models = _models(damaged)
        for row in _rows(damaged, "vectors"):
            kept = row is not None and _copy_vector(target, row, models)
            kept_vectors, lost_vectors = kept_vectors + kept, lost_vectors + (not kept)
    return Salvaged(kept_documents, kept_vectors, lost_documents, lost_vectors)


def repair_in_place(catalog: CatalogWriter) -> Salvaged:
    """Remove documents and vectors whose checksums are wrong, and make anew what follows from the others, in one transaction.

    For catalogs whose database looks after its files itself.
    """
    kept_documents = lost_documents = kept_vectors = lost_vectors = 0
    with catalog.transaction():
        stored = catalog.execute("SELECT id, seal FROM documents WHERE container_id IS NULL ORDER BY id").fetchall()
        for document_id, seal in stored:
            inside = catalog.execute("SELECT id, seal FROM documents WHERE container_id = ?", (document_id,)).fetchall()
            whole = [(document_id, seal), *inside]
            is_sound = all(
                checksum is not None and checksums.document_matches(catalog, each, checksum) for each, checksum in whole
            )
            kept_documents, lost_documents = kept_documents + is_sound, lost_documents + (not is_sound)
            if not is_sound:
                catalog.change("DELETE FROM documents WHERE id = ?", (document_id,))
        fingerprint = catalog.dialect.fingerprint.format(model="model")
        for vector_id, *values, seal in catalog.each(
            f"SELECT id, content_hash, {fingerprint}, vector, seal FROM vectors"
        ):
            is_sound = seal == checksums.vector_checksum(*values)
            kept_vectors, lost_vectors = kept_vectors + is_sound, lost_vectors + (not is_sound)
            if not is_sound:
                catalog.change("DELETE FROM vectors WHERE id = ?", (vector_id,))
        fulltext.refill(catalog)
        messages.refill(catalog)
        checksums.renew_totals(catalog)
        set_meta(catalog, COVERED, "")
    return Salvaged(kept_documents, kept_vectors, lost_documents, lost_vectors)


def _roots(damaged: CatalogReader) -> list[roots.Root]:
    try:
        return roots.all_roots(damaged)
    except sqlite3.DatabaseError:
        return []


def _copy_document(
    damaged: CatalogReader, target: CatalogWriter, document_id: int, root_id: int | None, new_ids: dict[int, int]
) -> bool:
    """Copy a document; return True if it was undamaged, and so is the file that it is inside."""
    if root_id is None:
        return False
    try:
        stored = damaged.execute("SELECT seal FROM documents WHERE id = ?", (document_id,)).fetchone()[0]
        if stored is not None and not checksums.document_matches(damaged, document_id, stored):
            return False
        record = documents.document_by_id(damaged, document_id)
        hashes = damaged.execute(
            "SELECT content_hash FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,)
        ).fetchall()
        chunks = documents.chunks_of_document(damaged, document_id)
    except (sqlite3.DatabaseError, ValueError):
        return False
    if [content_hash for (content_hash,) in hashes] != [_hash_of(chunk) for chunk in chunks]:
        return False
    container_id = None if record.container_id is None else new_ids.get(record.container_id)
    if record.container_id is not None and container_id is None:
        return False
    with target.transaction():
        moved = replace(record, root_id=root_id, container_id=container_id)
        new_ids[document_id] = documents.put_document(target, moved, chunks)
    return True


def _models(damaged: CatalogReader) -> dict[str, int]:
    """See `known_models`; none of a catalog without any, of an earlier version."""
    found: dict[str, int] = {}
    with suppress(sqlite3.DatabaseError):
        found |= known_models(damaged)
    return found


def _copy_vector(target: CatalogWriter, row: dict[str, Any], models: dict[str, int]) -> bool:
    """Copy a vector whose checksum says which model made it; return False if it says none, or is missing as in old catalogs."""
    content_hash, vector = row["content_hash"], row["vector"]
    named = {row["fingerprint"]: len(vector) // 2} if "fingerprint" in row else models
    for fingerprint, dimension in named.items():
        if row["seal"] == checksums.vector_checksum(content_hash, fingerprint, vector):
            put_encoded(target, fingerprint, dimension, [content_hash], [vector])
            return True
    return False


def _hash_of(chunk: Chunk) -> bytes:
    return documents.content_hash(chunk.title, chunk.text)


def _rows(damaged: CatalogReader, table: str) -> Iterator[dict[str, Any] | None]:
    """Yield every row that can be read; None for one that cannot."""
    for start in range(0, _largest_id(damaged, table) + 1, _STEP):
        try:
            yield from _between(damaged, table, start, start + _STEP)
        except sqlite3.DatabaseError:
            for row_id in range(start, start + _STEP):
                try:
                    yield from _between(damaged, table, row_id, row_id + 1)
                except sqlite3.DatabaseError:
                    yield None


def _between(damaged: CatalogReader, table: str, first: int, end: int) -> list[dict[str, Any]]:
    """All rows of a range of ids, read before the first is yielded, so that none comes twice after an error."""
    with closing(damaged.execute(f"SELECT * FROM {table} WHERE id >= ? AND id < ?", (first, end))) as rows:
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]


def _largest_id(damaged: CatalogReader, table: str) -> int:
    found = [0]
    for query in (f"SELECT max(id) FROM {table}", f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"):
        try:
            row = damaged.execute(query).fetchone()
        except sqlite3.DatabaseError:
            continue
        found += [int(row[0])] if row and isinstance(row[0], int) else []
    return max(found)
