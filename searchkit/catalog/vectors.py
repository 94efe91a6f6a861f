"""Stores full vectors by passage and model; vector_codes.py has the forms."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import model_checksum, vector_checksum
from searchkit.catalog.meta import STORAGE
from searchkit.catalog.vector_codes import decoded, encoded
from searchkit.types import Passage, Storage
from searchkit_indexes import Ids, Vectors

_ROWS_AT_A_TIME = 8192
_MOVED_FORWARD = 4  # of the passages that a search had read, the most promising


def has_vectors(catalog: CatalogReader, fingerprint: str) -> bool:
    """True if there is any vector of a model."""
    query = f"SELECT 1 FROM vectors WHERE model = {catalog.dialect.model} LIMIT 1"
    return catalog.execute(query, (fingerprint,)).fetchone() is not None


def put_vectors(catalog: CatalogWriter, fingerprint: str, hashes: Sequence[bytes], vectors: Vectors) -> None:
    """Store (n, dimension) vectors of n passages, in the form that the collection has them in."""
    put_encoded(catalog, fingerprint, vectors.shape[1], hashes, encoded(vectors, storage_of(catalog)))


def put_encoded(
    catalog: CatalogWriter, fingerprint: str, dimension: int, hashes: Sequence[bytes], stored: Iterable[bytes]
) -> None:
    """Store vectors of n passages that are in one of the forms already."""
    note_model(catalog, fingerprint, dimension)
    as_stored = catalog.database.stored_vector
    rows = (
        (content_hash, fingerprint, as_stored(vector), vector_checksum(content_hash, fingerprint, vector))
        for content_hash, vector in sorted(zip(hashes, stored, strict=True))  # or two writers could wait for each other
    )
    catalog.change_many(
        "INSERT INTO vectors (content_hash, model, vector, seal)"
        f" VALUES (?, {catalog.dialect.model}, ?, ?) ON CONFLICT DO NOTHING",
        rows,
    )


def note_model(catalog: CatalogWriter, fingerprint: str, dimension: int) -> None:
    """Make a model known to a catalog that stores fingerprints once."""
    if statement := catalog.dialect.new_model:
        catalog.change(statement, (fingerprint, dimension, model_checksum(fingerprint, dimension)))


def storage_of(catalog: CatalogReader) -> Storage:
    """The form in which a collection stores new vectors; a database with vectors of its own has them in half precision."""
    if catalog.database.vectors is not None:
        return Storage.EXACT
    return Storage(catalog.meta(STORAGE) or Storage.STANDARD)


def keep_vectors(catalog: CatalogWriter, fingerprint: str, hashes: Sequence[bytes], vectors: Vectors) -> None:
    """Store the (n, dimension) vectors of those of n passages that a document still has, in a transaction of its own.

    The documents of the first ones are the next to be embedded.
    """
    with catalog.transaction():
        catalog.change_many(
            "INSERT INTO asked SELECT document_id FROM chunks WHERE content_hash = ? ON CONFLICT DO NOTHING",
            [(content_hash,) for content_hash in hashes[:_MOVED_FORWARD]],
        )
        there = set(catalog.execute_among("SELECT content_hash FROM chunks WHERE content_hash IN ({items})", hashes))
        kept = [row for row, content_hash in enumerate(hashes) if (content_hash,) in there]
        put_vectors(catalog, fingerprint, [hashes[row] for row in kept], vectors[kept])


def map_vectors(
    catalog: CatalogWriter, sources: Sequence[tuple[str, int, Callable[[Vectors], Vectors]]], fingerprint: str
) -> int:
    """Derive missing vectors of a model from another model's; return how many.

    `sources`: fingerprint, dimension, and the function from old vectors to new ones; the first source that has one is used.
    """
    made = 0
    for source, dimension, make in sources:
        last = 0
        while rows := catalog.execute(
            f"SELECT v.id, v.content_hash, v.vector FROM vectors v WHERE v.model = {catalog.dialect.model} AND v.id > ?"
            f" AND NOT EXISTS (SELECT 1 FROM vectors n WHERE n.content_hash = v.content_hash AND n.model = {catalog.dialect.model})"
            " ORDER BY v.id LIMIT ?",
            (source, last, fingerprint, _ROWS_AT_A_TIME),
        ).fetchall():
            last = rows[-1][0]
            put_vectors(
                catalog, fingerprint, [row[1] for row in rows], make(decoded([row[2] for row in rows], dimension))
            )
            made += len(rows)
    return made


def remove_vectors(catalog: CatalogWriter, fingerprint: str, *, above: int = -1) -> int:
    """Remove a model's vectors with ids larger than `above`; return how many."""
    statement = f"DELETE FROM vectors WHERE model = {catalog.dialect.model} AND id > ?"
    return int(catalog.change(statement, (fingerprint, above)).rowcount)


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A stored vector, (dimension,) float32, and its passage."""

    vector_id: int
    passage: Passage
    vector: Vectors


def sample_vectors(catalog: CatalogReader, fingerprint: str, dimension: int, count: int) -> list[StoredVector]:
    """At most so many of a model's vectors whose passages a document has, from the first to the last, by id."""
    first, last = catalog.execute(
        f"SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM vectors WHERE model = {catalog.dialect.model}",
        (fingerprint,),
    ).fetchone()
    found: dict[int, StoredVector] = {}
    for at in np.linspace(first, last, count).astype(np.int64).tolist() if first <= last else ():
        row = catalog.execute(
            f"SELECT id, content_hash, vector FROM vectors WHERE model = {catalog.dialect.model} AND id >= ? ORDER BY id LIMIT 1",
            (fingerprint, at),
        ).fetchone()
        if row is None or row[0] in found:
            continue
        text = catalog.execute("SELECT title, text FROM chunks WHERE content_hash = ? LIMIT 1", (row[1],)).fetchone()
        if text is not None:
            found[row[0]] = StoredVector(row[0], Passage(*text), decoded([row[2]], dimension)[0])
    return list(found.values())


def remove_orphans(catalog: CatalogWriter) -> int:
    """Remove vectors of passages that no document has any more; return how many."""
    cursor = catalog.change(
        "DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = vectors.content_hash)"
    )
    return int(cursor.rowcount)


def remove_unused(catalog: CatalogWriter, hashes: Iterable[bytes]) -> int:
    """Remove the vectors of those of these passages that no document has any more; return how many."""
    return catalog.change_many(
        "DELETE FROM vectors WHERE content_hash = ?1 AND NOT EXISTS (SELECT 1 FROM chunks WHERE content_hash = ?1)",
        [(content_hash,) for content_hash in hashes],
    )


def vector_ids(catalog: CatalogReader, fingerprint: str) -> Ids:
    """Ids of a model's vectors, ascending."""
    rows = catalog.execute(f"SELECT id FROM vectors WHERE model = {catalog.dialect.model} ORDER BY id", (fingerprint,))
    return np.fromiter((row[0] for row in rows), np.int64)


def allowed_vector_ids(catalog: CatalogReader, fingerprint: str, allowed: bytes) -> Ids:
    """Ids, ascending, of a model's vectors whose passages are in an allowed chunk. `allowed`: one byte per chunk id, 1 for yes."""
    rows = catalog.execute(
        f"SELECT v.id FROM chunks c {catalog.dialect.first} vectors v"  # chunks first, since a filter leaves few of them
        f" ON v.content_hash = c.content_hash AND v.model = {catalog.dialect.model}"
        f" WHERE {catalog.dialect.is_allowed.format(id='c.id')}",
        (fingerprint, allowed),
    )
    return np.unique(np.fromiter((row[0] for row in rows), np.int64))


def vector_batches(
    catalog: CatalogReader, fingerprint: str, dimension: int, *, above: int = 0
) -> Iterator[tuple[Ids, Vectors]]:
    """(n,) ids and (n, dimension) vectors of a model with ids larger than `above`, ascending, some thousands at a time."""
    while True:
        rows = catalog.execute(
            f"SELECT id, vector FROM vectors WHERE model = {catalog.dialect.model} AND id > ? ORDER BY id LIMIT ?",
            (fingerprint, above, _ROWS_AT_A_TIME),
        ).fetchall()
        if not rows:
            return
        above = rows[-1][0]
        yield np.array([row[0] for row in rows], np.int64), decoded([row[1] for row in rows], dimension)


def all_stored(catalog: CatalogReader, fingerprint: str) -> tuple[Ids, list[bytes]]:
    """(n,) ids, ascending, of all vectors of a model, and the vectors as they are stored."""
    query = f"SELECT id, vector FROM vectors WHERE model = {catalog.dialect.model} ORDER BY id"
    rows = catalog.execute(query, (fingerprint,)).fetchall()
    return np.fromiter((row[0] for row in rows), np.int64, len(rows)), [row[1] for row in rows]


def fetch_vectors(catalog: CatalogReader, ids: Ids, dimension: int) -> tuple[Ids, list[bytes], Vectors]:
    """Ids, content hashes and vectors of those of the ids that still exist, ascending."""
    asked = json.dumps(ids.tolist())
    rows = catalog.execute(
        f"SELECT id, content_hash, vector FROM vectors WHERE id IN {catalog.dialect.listed} ORDER BY id",
        (asked,),
    ).fetchall()
    found = np.array([row[0] for row in rows], np.int64)
    return found, [row[1] for row in rows], decoded([row[2] for row in rows], dimension)


def removed_ids(catalog: CatalogReader, *, up_to: int) -> Ids:
    """Ids up to `up_to` of vectors removed since `forget_removed`."""
    rows = catalog.execute("SELECT id FROM removed_vectors WHERE id <= ? ORDER BY id", (up_to,))
    return np.fromiter((row[0] for row in rows), np.int64)


def forget_removed(catalog: CatalogWriter) -> None:
    """Forget which vectors were removed: the index has been built without them."""
    catalog.change("DELETE FROM removed_vectors")


def vectors_of_hashes(
    catalog: CatalogReader, fingerprint: str, hashes: Sequence[bytes], dimension: int = 0
) -> dict[bytes, Vectors]:
    """(dimension,) vector by content hash; passages without one are left out. `dimension`: 0 if the caller does not know it."""
    query = f"SELECT content_hash, vector FROM vectors WHERE model = {catalog.dialect.model} AND content_hash IN ({{items}})"
    rows = list(catalog.execute_among(query, hashes, fingerprint))
    stored = [row[1] for row in rows]
    dimension = dimension or dimension_of(catalog, fingerprint, stored)
    return dict(zip((row[0] for row in rows), decoded(stored, dimension), strict=True))


def dimension_of(catalog: CatalogReader, fingerprint: str, stored: Sequence[bytes]) -> int:
    """The number of dimensions of a model's vectors, of which some are at hand as they are stored; 0 if none ever was."""
    if catalog.database.vectors is not None:  # all are in half precision
        return len(stored[0]) // 2 if stored else 0
    return known_models(catalog).get(fingerprint, 0)


def known_models(catalog: CatalogReader) -> dict[str, int]:
    """Dimensions by fingerprint of the models that have, or had, vectors in a catalog that stores fingerprints once."""
    rows = catalog.execute("SELECT fingerprint, dimension, seal FROM models").fetchall()
    return {
        fingerprint: dimension
        for fingerprint, dimension, seal in rows
        if seal == model_checksum(fingerprint, dimension)
    }
