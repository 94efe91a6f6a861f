"""Dense candidates: the passages nearest to a query, and how near others are."""

import sqlite3
from collections.abc import Sequence

from searchkit.catalog import vectors
from searchkit.embedding.embedder import Vectors
from searchkit_indexes import VectorIndex


def dense_candidates(
    connection: sqlite3.Connection, index: VectorIndex, query_vector: Vectors, limit: int
) -> dict[bytes, float]:
    """Cosine by content hash of the nearest passages, best first; vectors the catalog no longer holds are dropped."""
    neighbours = index.search(query_vector[None], limit)
    ids = neighbours.ids[0].tolist()
    hashes = vectors.hashes_of_vectors(connection, ids)
    return {hashes[i]: float(score) for i, score in zip(ids, neighbours.scores[0], strict=True) if i in hashes}


def exact_similarities(
    connection: sqlite3.Connection, fingerprint: str, hashes: Sequence[bytes], query_vector: Vectors
) -> dict[bytes, float]:
    """Cosine of passages that the lexical arm alone found; those without a vector are left out."""
    stored = vectors.vectors_of_hashes(connection, fingerprint, hashes)
    return {content_hash: float(vector @ query_vector) for content_hash, vector in stored.items()}
