"""Switching a collection between a model and those adapted from it: one product instead of embedding everything again.

The root model's vectors stay in the catalog while an adapted model is used, so that the way back gives exactly them. What was
embedded since by the adapted model alone goes back through the inverse matrix.
"""

import sqlite3
from functools import partial

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.connection import transaction
from searchkit.catalog.meta import COVERED, MODEL, get_meta, set_meta
from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.store import ModelStore
from searchkit.vector_store import refresh_index
from searchkit.vector_store.queries import made_query_texts


def switch_model(connection: sqlite3.Connection, models: ModelStore, name: str) -> int:
    """Make a model the collection's, with all the vectors that can be had without embedding, in one transaction.

    Returns how many passages still lack one. Of the adapted models of a family only the one in use keeps its vectors.
    """
    new, old = models.card(name), models.card(get_meta(connection, MODEL) or "")
    with transaction(connection):
        set_meta(connection, MODEL, name)
        if new is None:  # the small model's package, not converted yet: nothing can be of it
            set_meta(connection, COVERED, "")
            return vectors.count_passages(connection, "")[0]
        if old is None or old.fingerprint != new.fingerprint:
            _map(connection, models, old, new)
        passages, covered = vectors.count_passages(connection, new.fingerprint)
        set_meta(connection, COVERED, new.fingerprint if passages == covered else "")
    return passages - covered


def renew_index(folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder) -> None:
    """Make the index anew, and measure it with a quarter of the usual queries, which is half of the time otherwise."""
    texts = made_query_texts(connection)[::4]
    refresh_index(folder, connection, embedder, queries=embedder.embed_queries(texts))


def _map(connection: sqlite3.Connection, models: ModelStore, old: ModelCard | None, new: ModelCard) -> None:
    """Make the new model's vectors of the root's, which nothing has rounded twice, else of the old one's if it is of the family."""
    to_new = models.adapter(new.name)
    sources = [] if to_new is None else [(new.root_fingerprint, new.dimension, partial(mapped, matrix=to_new))]
    is_family = old is not None and old.root_fingerprint == new.root_fingerprint
    from_root = models.adapter(old.name) if old is not None and is_family else None
    if old is not None and from_root is not None:
        sources.append((old.fingerprint, old.dimension, partial(mapped, matrix=_between(from_root, to_new))))
    vectors.map_vectors(connection, sources, new.fingerprint)
    if old is not None and from_root is not None:
        vectors.remove_vectors(connection, old.fingerprint)


def _between(from_root: Matrix, to_new: Matrix | None) -> Matrix:
    """The matrix from an adapted model's vectors to those of another of its family, None: to the root's."""
    back = np.linalg.inv(from_root.astype(np.float64))
    return np.asarray(back if to_new is None else back @ to_new, np.float32)
