"""Embeds the passages that have no vector yet, those of the most recent files first, and commits every few seconds."""

import sqlite3
import time
from collections.abc import Callable

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.connection import transaction
from searchkit.embedding.embedder import Embedder, Vectors

_PAGE = 1024  # passages fetched at once
PASSAGES_AT_ONCE = 16  # between two looks at the clock; a core takes one at a time
COMMIT_SECONDS = 2.0  # what a crash may cost


def fill_vectors(connection: sqlite3.Connection, embedder: Embedder, on_progress: Callable[[int], None]) -> int:
    """Embed everything that is pending; `on_progress` gets the number done so far. Returns how many that were.

    An interruption (KeyboardInterrupt included) keeps what was embedded up to then.
    """
    done = 0
    held: list[tuple[bytes, Vectors]] = []
    last_commit = time.monotonic()
    try:
        while pending := vectors.pending_passages(connection, embedder.fingerprint, _PAGE):
            for start in range(0, len(pending), PASSAGES_AT_ONCE):
                group = pending[start : start + PASSAGES_AT_ONCE]
                found = embedder.embed_documents([item.passage for item in group])
                held += [(item.content_hash, vector) for item, vector in zip(group, found, strict=True)]
                on_progress(done + len(held))
                if time.monotonic() - last_commit > COMMIT_SECONDS:
                    done += _commit(connection, embedder.fingerprint, held)
                    last_commit = time.monotonic()
            done += _commit(connection, embedder.fingerprint, held)
    finally:
        done += _commit(connection, embedder.fingerprint, held)
    return done


def _commit(connection: sqlite3.Connection, fingerprint: str, held: list[tuple[bytes, Vectors]]) -> int:
    """Store and forget what is held; returns how many that were."""
    if not held:
        return 0
    with transaction(connection):
        vectors.put_vectors(connection, fingerprint, [h for h, _ in held], np.stack([vector for _, vector in held]))
    count = len(held)
    held.clear()
    return count
