"""Keeps a collection's index, which is derived, in step with the vectors in its catalog, which are the truth."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.catalog import vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.embedding.embedder import Embedder
from searchkit.paths import make_private_folder, new_folder
from searchkit.types import Damage
from searchkit_indexes import (
    FlatIndex,
    IndexDamagedError,
    Manifest,
    VectorIndex,
    checksum,
    read_manifest,
    verify_files,
    write_manifest,
)

_ASIDE = "damaged-"


def open_index(folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder) -> VectorIndex:
    """An index of every vector that the catalog holds of the model.

    The newest generation is opened and what the catalog has gained since is added in memory; without a usable
    generation all of it comes from the catalog. Vectors that the catalog has lost since may still be found: the caller
    looks every id up and drops those that are gone.
    """
    loaded = _load_newest(folder.index, embedder)
    index = loaded[0] if loaded else FlatIndex(embedder.dimension)
    above = loaded[1].last_id if loaded else 0
    index.add(*vectors.read_vectors(connection, embedder.fingerprint, embedder.dimension, above=above))
    return index


def refresh_index(
    folder: CollectionFolder, connection: sqlite3.Connection, embedder: Embedder, *, slack: int = 0
) -> None:
    """Write a new generation if the newest one is not what the catalog holds, then remove the older ones.

    `slack`: vectors by which it may be another; searches make up for them, in memory and time of their own. The caller
    holds the collection's lock. A damaged generation is set aside, not removed.
    """
    make_private_folder(folder.index)
    for unfinished in folder.index.glob(".*"):  # of a run that was killed; the lock says that no other is at work
        shutil.rmtree(unfinished, ignore_errors=True)
    ids = vectors.vector_ids(connection, embedder.fingerprint)
    manifest = _newest_manifest(folder.index, embedder)
    if manifest is None or _differing(manifest, ids) > slack:
        _write_generation(folder.index, connection, embedder)
    for generation in _generations(folder.index)[1:]:
        if _is_sound(generation):
            shutil.rmtree(generation, ignore_errors=True)
        else:
            generation.rename(generation.with_name(f"{_ASIDE}{generation.name}"))


def _differing(manifest: Manifest, ids: npt.NDArray[np.int64]) -> int:
    """Vectors by which a generation differs from the catalog's: those that came after it, and those that are gone."""
    added = int((ids > manifest.last_id).sum())
    return added + manifest.count - (len(ids) - added)


def discard_index(folder: CollectionFolder) -> None:
    """Remove every generation; searches then read the catalog's vectors, and the next index run writes a new one."""
    shutil.rmtree(folder.index, ignore_errors=True)


def _write_generation(index_folder: Path, connection: sqlite3.Connection, embedder: Embedder) -> None:
    ids, full = vectors.read_vectors(connection, embedder.fingerprint, embedder.dimension)
    index = FlatIndex(embedder.dimension)
    index.add(ids, full)
    numbers = [
        int(path.name.removeprefix(_ASIDE))
        for path in index_folder.iterdir()
        if path.name.removeprefix(_ASIDE).isdigit()
    ]
    with new_folder(index_folder / str(max(numbers, default=0) + 1)) as folder:
        index.save(folder)
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        checksums = {name: checksum(folder / name) for name in sizes}
        last_id = int(ids.max(initial=0))
        write_manifest(
            folder, Manifest("flat", embedder.dimension, embedder.fingerprint, len(ids), last_id, sizes, checksums)
        )


def find_index_damage(folder: CollectionFolder) -> list[Damage]:
    """What is wrong with the files of the newest generation; none at all is no damage, for it can be made."""
    generations = _generations(folder.index)
    try:
        if generations:
            verify_files(generations[0])
    except IndexDamagedError as error:
        return [Damage("index", str(error))]
    return []


def _load_newest(index_folder: Path, embedder: Embedder) -> tuple[FlatIndex, Manifest] | None:
    """The newest generation that is sound; None too if a writer removed it while it was being opened."""
    manifest = _newest_manifest(index_folder, embedder)
    if manifest is None:
        return None
    try:
        index = FlatIndex.load(_generations(index_folder)[0])
    except (IndexDamagedError, IndexError):
        return None
    fits = (len(index), index.dimension) == (manifest.count, embedder.dimension)
    return (index, manifest) if fits else None


def _newest_manifest(index_folder: Path, embedder: Embedder) -> Manifest | None:
    generations = _generations(index_folder)
    if not generations:
        return None
    try:
        manifest = read_manifest(generations[0])
    except IndexDamagedError:
        return None
    return manifest if manifest.fingerprint == embedder.fingerprint else None


def _is_sound(generation: Path) -> bool:
    try:
        read_manifest(generation)
    except IndexDamagedError:
        return False
    return True


def _generations(index_folder: Path) -> list[Path]:
    """Generation folders, the newest first."""
    if not index_folder.is_dir():
        return []
    numbered = [path for path in index_folder.iterdir() if path.name.isdigit()]
    return sorted(numbered, key=lambda path: int(path.name), reverse=True)
