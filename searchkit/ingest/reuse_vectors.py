"""Vectors that another collection has already: a folder that was renamed or indexed twice is not embedded again."""

import contextlib
from collections.abc import Iterable

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.session import reading
from searchkit.errors import CatalogError
from searchkit.home import CollectionFolder

_AT_ONCE = 1000


def borrow_vectors(catalog: CatalogWriter, fingerprint: str, others: Iterable[CollectionFolder]) -> int:
    """Copy from other collections what this one lacks of a model's vectors; returns how many that were.

    A collection that cannot be read is passed over.
    """
    borrowed = 0
    for other in others:
        with contextlib.suppress(CatalogError), reading(other) as lender:
            if vectors.has_vectors(lender, fingerprint):
                borrowed += _copy(lender, catalog, fingerprint)
    return borrowed


def _copy(lender: CatalogReader, catalog: CatalogWriter, fingerprint: str) -> int:
    copied, last = 0, b""
    while missing := vectors.pending_hashes(catalog, fingerprint, last, _AT_ONCE):
        found = vectors.vectors_of_hashes(lender, fingerprint, missing)
        if found:
            with catalog.transaction():
                vectors.put_vectors(catalog, fingerprint, list(found), np.stack(list(found.values())))
        copied += len(found)
        last = missing[-1]
    return copied
