"""Candidates of a collection: distinct passages with the evidence of both arms."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import vectors
from searchkit.embedding.embedder import Vectors
from searchkit.paths import path_from_text
from searchkit_indexes import VectorIndex


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage where it first stands; `copies` counts its further places."""

    path: Path
    name: str
    title: str
    text: str
    page: int | None
    line: int | None
    line_end: int | None
    copies: int


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


def hashes_of_chunks(connection: sqlite3.Connection, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """Content hash by chunk id."""
    marks = ",".join("?" * len(chunk_ids))
    return dict(connection.execute(f"SELECT id, content_hash FROM chunks WHERE id IN ({marks})", chunk_ids).fetchall())


def read_passage(connection: sqlite3.Connection, content_hash: bytes) -> StoredPassage | None:
    """The passage of a content hash, None if the last document that held it is gone."""
    rows = connection.execute(
        """
        SELECT r.path, d.path, c.title, c.text, c.page, c.line, c.line_end
        FROM chunks c JOIN documents d ON d.id = c.document_id JOIN roots r ON r.id = d.root_id
        WHERE c.content_hash = ? ORDER BY c.id
        """,
        (content_hash,),
    ).fetchall()
    if not rows:
        return None
    root, name, title, text, page, line, line_end = rows[0]
    path = path_from_text(root) / path_from_text(name)
    return StoredPassage(path, name, title, text, page, line, line_end, copies=len(rows) - 1)
