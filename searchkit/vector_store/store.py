"""Opening a collection's index, and renewing it on the disk."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.lock import writer_lock
from searchkit.catalog.meta import INDEX, RECALL_GOAL, get_meta
from searchkit.catalog.vectors import Ids
from searchkit.embedding.embedder import Embedder
from searchkit.errors import CollectionBusyError
from searchkit.paths import make_private_folder
from searchkit.vector_store.build import AIM, Built, auto_spec, build_from_catalog
from searchkit.vector_store.generations import load_newest, remove_leftovers, save_generation
from searchkit_indexes import CodedIndex, IndexSpec, Manifest

_SLACK_SHARE = 0.02  # by which an index on the disk may differ from the catalog; opening it makes up for that
_LARGEST_SLACK = 5000
_OUTGROWN = 2  # times the vectors from which codes learned, after which they learn anew


def open_index(folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder) -> CodedIndex:
    """An index of every vector that the catalog holds of the model.

    The newest generation is opened and brought up to date in memory. Where there is none, or none that can be trusted,
    one is made of the catalog's vectors, and written unless another process is about to or the folder may not be
    written.
    """
    loaded = _load(folder.index, connection, embedder)
    if loaded is None:
        _write_if_free(folder, connection, embedder)
        loaded = _load(folder.index, connection, embedder)
    if loaded is None:
        return build_from_catalog(connection, embedder, _spec(connection, embedder), goal=_goal(connection)).index
    index, manifest = loaded
    index.remove(vectors.removed_ids(connection, up_to=manifest.last_id))
    for batch in vectors.vector_batches(connection, embedder.fingerprint, embedder.dimension, above=manifest.last_id):
        index.add(*batch)
    return index


def refresh_index(
    folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder, *, slack: int = 0
) -> None:
    """Write a new generation if the newest one is too far from what the catalog holds, then remove the older ones.

    `slack`: vectors by which it may be another, if that is more than the fiftieth that is allowed anyway; searches make
    up for them, in memory and time of their own. The caller holds the collection's lock. A damaged generation is set
    aside, not removed.
    """
    make_private_folder(folder.index)
    ids = vectors.vector_ids(connection, embedder.fingerprint)
    spec = _spec(connection, embedder, len(ids))
    loaded = _load(folder.index, connection, embedder)
    if loaded is None or loaded[0].spec != spec or len(ids) > _OUTGROWN * max(loaded[1].trained_count, 1):
        built = build_from_catalog(connection, embedder, spec, goal=_goal(connection))
        _save(folder, connection, built, embedder, ids)
    elif _differing(loaded[0].ids(), ids) > max(slack, min(_LARGEST_SLACK, int(_SLACK_SHARE * len(ids)))):
        _save(folder, connection, _caught_up(*loaded, connection, embedder, ids), embedder, ids)
    remove_leftovers(folder.index)


def _caught_up(
    index: CodedIndex, manifest: Manifest, connection: sqlite3.Connection, embedder: Embedder, ids: Ids
) -> Built:
    """The index with what the catalog has and without what it has not."""
    known = index.ids()
    index.remove(np.setdiff1d(known, ids))
    missing = np.setdiff1d(ids, known)
    for start in range(0, len(missing), 8192):
        found, _, full = vectors.fetch_vectors(connection, missing[start : start + 8192], embedder.dimension)
        index.add(found, full)
    index.work_in()
    return Built(index, manifest.trained_count, manifest.effort, manifest.recall, manifest.queries)


def _save(folder: CollectionFolder, connection: sqlite3.Connection, built: Built, embedder: Embedder, ids: Ids) -> None:
    save_generation(folder.index, built, embedder.fingerprint, int(ids.max(initial=0)))
    if not connection.execute("PRAGMA query_only").fetchone()[0]:
        vectors.forget_removed(connection)


def _load(index_folder: Path, connection: sqlite3.Connection, embedder: Embedder) -> tuple[CodedIndex, Manifest] | None:
    """The newest generation if it can be trusted; one that knows later vectors than the catalog ever had cannot."""
    loaded = load_newest(index_folder, embedder.fingerprint)
    if loaded is None or loaded[1].last_id > vectors.largest_id_ever(connection):
        return None
    return loaded if loaded[0].spec.dimension <= embedder.dimension else None


def _write_if_free(folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder) -> None:
    if not os.access(folder.path, os.W_OK):
        return
    try:
        with writer_lock(folder.path):
            refresh_index(folder, connection, embedder)
    except (CollectionBusyError, OSError):  # the index is then made in memory
        return


def _spec(connection: sqlite3.Connection, embedder: Embedder, count: int | None = None) -> IndexSpec:
    """The index that was chosen for the collection, cut to the model's dimensions, else what suits its size."""
    chosen = get_meta(connection, INDEX)
    if chosen:
        spec = IndexSpec.parse(chosen)
        return replace(spec, dimension=min(spec.dimension, embedder.dimension))
    if count is None:
        count = len(vectors.vector_ids(connection, embedder.fingerprint))
    return auto_spec(count, embedder.dimension)


def _goal(connection: sqlite3.Connection) -> float:
    return float(get_meta(connection, RECALL_GOAL) or AIM)


def _differing(known: Ids, ids: Ids) -> int:
    return len(np.setxor1d(known, ids, assume_unique=True))
