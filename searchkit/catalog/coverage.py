"""How much of a collection can be searched, and how: counts for people who watch, quicker to get than a whole status."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coverage:
    """`vectors` of `passages` distinct passages, in `chunks` places, can be found by meaning with `model`."""

    collection: str
    model: str
    chunks: int
    passages: int
    vectors: int


def read_coverage(connection: sqlite3.Connection, collection: str, fingerprint: str) -> Coverage:
    """The coverage by the model of a fingerprint ("": by none)."""
    from searchkit.catalog import documents, vectors  # which bring NumPy: slow to load for who only shows the counts
    from searchkit.catalog.meta import MODEL, get_meta

    passages, covered = vectors.count_passages(connection, fingerprint)
    model = get_meta(connection, MODEL) or ""
    return Coverage(collection, model, documents.count_chunks(connection), passages, covered)
