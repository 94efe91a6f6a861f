"""Stores provisional vectors: guesses at the vectors of passages that the model has not read, in 8 bits.

They are one version's: a model's fingerprint, and the number of passages from which the collection corrected the guesses. Triggers
remove them with their passages, and when true vectors arrive (see schema.py). They are not sealed: what is damaged proposes other
passages to read, and the next run makes them again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.meta import PROVISIONAL, set_meta
from searchkit.types import Passage
from searchkit_indexes import Ids, Vectors

_ROWS_AT_A_TIME = 8192


@dataclass(frozen=True, slots=True)
class Version:
    """The model by its fingerprint, and of how many of the collection's own passages the correction was learned; 0 for none."""

    fingerprint: str
    learned_from: int = 0


def version_of(catalog: CatalogReader) -> Version | None:
    """The version of the provisional vectors in a catalog, None if there never were any."""
    fingerprint, _, learned_from = (catalog.meta(PROVISIONAL) or "").partition(" ")
    return Version(fingerprint, int(learned_from)) if learned_from.isdecimal() else None


def correction_of(catalog: CatalogReader, dimension: int) -> Vectors | None:
    """The collection's own correction, (dimension + 1, dimension); None if none was learned."""
    row = catalog.execute("SELECT matrix FROM provisional_correction").fetchone()
    if row is None or len(row[0]) != 2 * dimension * (dimension + 1):
        return None
    matrix: Vectors = np.frombuffer(row[0], np.float16).astype(np.float32).reshape(dimension + 1, dimension)
    return matrix


def start_version(catalog: CatalogWriter, version: Version, correction: Vectors | None = None) -> None:
    """Remove all provisional vectors, since those that follow are of another version."""
    catalog.change("DELETE FROM provisional")
    catalog.change("DELETE FROM provisional_correction")
    if correction is not None:
        catalog.change("INSERT INTO provisional_correction VALUES (?)", (correction.astype(np.float16).tobytes(),))
    set_meta(catalog, PROVISIONAL, f"{version.fingerprint} {version.learned_from}")


def put_provisional(catalog: CatalogWriter, hashes: Sequence[bytes], vectors: Vectors) -> None:
    """Store the (n, dimension) provisional vectors of n passages, without those that a true vector or no document has by now."""
    codes = np.round(vectors * (127 / np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-9))).astype(np.int8)
    fingerprint = version.fingerprint if (version := version_of(catalog)) else ""
    catalog.change_many(
        "INSERT INTO provisional (content_hash, code) SELECT ?1, ?2"
        " WHERE EXISTS (SELECT 1 FROM chunks WHERE content_hash = ?1)"
        f" AND NOT EXISTS (SELECT 1 FROM vectors WHERE content_hash = ?1 AND model = {catalog.dialect.model.replace('?', '?3')})"
        " ON CONFLICT DO NOTHING",
        sorted((key, code.tobytes(), fingerprint) for key, code in zip(hashes, codes, strict=True)),
    )


def unguessed_pages(catalog: CatalogReader, fingerprint: str, size: int) -> Iterator[dict[bytes, Passage]]:
    """Passages with neither a vector of the model nor a provisional one, about `size` at a time, by content hash.

    Those of a page may be stored before the next one is asked for.
    """
    last = -1
    while rows := catalog.execute(
        "SELECT id, content_hash, title, text FROM chunks c WHERE id > ?"
        f" AND NOT {catalog.dialect.has_vector}"
        " AND NOT EXISTS (SELECT 1 FROM provisional p WHERE p.content_hash = c.content_hash) ORDER BY id LIMIT ?",
        (last, fingerprint, size),
    ).fetchall():
        last = rows[-1][0]
        yield {row[1]: Passage(row[2], row[3]) for row in rows}


def read_sample(catalog: CatalogReader, fingerprint: str, count: int) -> tuple[list[Passage], list[bytes]]:
    """A sample of passages that the model has read, and their content hashes: always the same for the same vectors."""
    rows = catalog.execute(
        f"SELECT content_hash FROM vectors WHERE model = {catalog.dialect.model} ORDER BY content_hash LIMIT ?",
        (fingerprint, count),
    )
    hashes = [row[0] for row in rows]
    query = "SELECT content_hash, title, text FROM chunks WHERE content_hash IN ({items})"
    found = {row[0]: Passage(row[1], row[2]) for row in catalog.execute_among(query, hashes)}
    return list(found.values()), list(found)


def dimension_of(catalog: CatalogReader) -> int:
    """The number of components of the provisional vectors in a catalog, 0 if there are none."""
    row = catalog.execute("SELECT length(code) FROM provisional LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def last_provisional(catalog: CatalogReader) -> int:
    """The highest id of a provisional vector, 0 if there are none."""
    return int(catalog.execute("SELECT coalesce(max(id), 0) FROM provisional").fetchone()[0])


def provisional_batches(catalog: CatalogReader, dimension: int, *, above: int = 0) -> Iterator[tuple[Ids, Vectors]]:
    """(n,) ids and (n, dimension) provisional vectors with ids larger than `above`, ascending, some thousands at a time."""
    while rows := catalog.execute(
        "SELECT id, code FROM provisional WHERE id > ? ORDER BY id LIMIT ?", (above, _ROWS_AT_A_TIME)
    ).fetchall():
        above = rows[-1][0]
        yield np.array([row[0] for row in rows], np.int64), _vectors([row[1] for row in rows], dimension)


def fetch_provisional(catalog: CatalogReader, ids: Ids, dimension: int) -> tuple[Ids, list[bytes], Vectors]:
    """Ids, content hashes and vectors of those of the ids that still exist."""
    query = "SELECT id, content_hash, code FROM provisional WHERE id IN ({items})"
    rows = list(catalog.execute_among(query, ids.tolist()))
    found = np.array([row[0] for row in rows], np.int64)
    return found, [row[1] for row in rows], _vectors([row[2] for row in rows], dimension)


def provisional_of_hashes(catalog: CatalogReader, hashes: Sequence[bytes], dimension: int) -> dict[bytes, Vectors]:
    """Provisional vector by content hash; passages without one are left out."""
    query = "SELECT content_hash, code FROM provisional WHERE content_hash IN ({items})"
    found = list(catalog.execute_among(query, hashes))
    return dict(zip([row[0] for row in found], _vectors([row[1] for row in found], dimension), strict=True))


def allowed_provisional_ids(catalog: CatalogReader, allowed: bytes) -> Ids:
    """Ids, ascending, of provisional vectors of passages in allowed chunks. `allowed`: one byte per chunk id, 1 for yes."""
    chunks = np.flatnonzero(np.frombuffer(allowed, np.uint8)).tolist()
    query = (
        f"SELECT p.id FROM chunks c {catalog.dialect.first} provisional p ON p.content_hash = c.content_hash"
        " WHERE c.id IN ({items})"
    )
    return np.unique(np.fromiter((row[0] for row in catalog.execute_among(query, chunks)), np.int64))


def _vectors(codes: Sequence[bytes], dimension: int) -> Vectors:
    whole: npt.NDArray[np.int8] = np.frombuffer(b"".join(codes), np.int8).reshape(len(codes), dimension)
    lengths = np.linalg.norm(whole.astype(np.float32), axis=1, keepdims=True)
    vectors: Vectors = (whole / np.maximum(lengths, 1e-9)).astype(np.float32)
    return vectors
