"""Vectors that another collection has already: a folder that was renamed or indexed twice is not embedded again."""

import contextlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.connection import open_for_reading, transaction
from searchkit.errors import CatalogError

_AT_ONCE = 1000


def borrow_vectors(connection: sqlite3.Connection, fingerprint: str, others: Iterable[CollectionFolder]) -> int:
    """Copy from other collections what this one lacks of a model's vectors; returns how many that were.

    A collection that cannot be read is passed over.
    """
    borrowed = 0
    for other in others:
        with (
            contextlib.suppress(CatalogError, sqlite3.DatabaseError),
            closing(open_for_reading(other.catalog)) as lender,
        ):
            if vectors.has_vectors(lender, fingerprint):
                borrowed += _copy(lender, connection, fingerprint)
    return borrowed


def _copy(lender: sqlite3.Connection, connection: sqlite3.Connection, fingerprint: str) -> int:
    copied, last = 0, b""
    while missing := vectors.pending_hashes(connection, fingerprint, last, _AT_ONCE):
        found = vectors.vectors_of_hashes(lender, fingerprint, missing)
        if found:
            with transaction(connection):
                vectors.put_vectors(connection, fingerprint, list(found), np.stack(list(found.values())))
        copied += len(found)
        last = missing[-1]
    return copied
