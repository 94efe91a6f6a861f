"""Dense candidates: the passages nearest to a query, and how near others are."""

import sqlite3
from collections.abc import Sequence

from searchkit.catalog import vectors
from searchkit.catalog.vectors import Ids
from searchkit.embedding.embedder import Vectors
from searchkit_indexes import CodedIndex, search_rescored


def dense_candidates(
    connection: sqlite3.Connection, index: CodedIndex, query_vector: Vectors, limit: int, allowed_ids: Ids | None = None
) -> dict[bytes, float]:
    """Cosine by content hash of the nearest passages, best first; vectors the catalog no longer holds are dropped.

    The index chooses the candidates; their order is that of the catalog's whole vectors. `allowed_ids`: of vectors, the
    only ones looked at unless None.
    """
    hashes: dict[int, bytes] = {}

    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        found, found_hashes, full = vectors.fetch_vectors(connection, ids, len(query_vector))
        hashes.update(zip(found.tolist(), found_hashes, strict=True))
        return found, full

    nearest = search_rescored(index, query_vector, limit, fetch, allowed_ids=allowed_ids)
    return {hashes[i]: float(score) for i, score in zip(nearest.ids[0].tolist(), nearest.scores[0], strict=True)}


def exact_similarities(
    connection: sqlite3.Connection, fingerprint: str, hashes: Sequence[bytes], query_vector: Vectors
) -> dict[bytes, float]:
    """Cosine of passages that the lexical arm alone found; those without a vector are left out."""
    stored = vectors.vectors_of_hashes(connection, fingerprint, hashes)
    return {content_hash: float(vector @ query_vector) for content_hash, vector in stored.items()}
