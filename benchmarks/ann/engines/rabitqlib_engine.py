"""RaBitQ by its authors' library: an inverted file of codes in 4 or 8 bits with a factor a vector; saved whole."""

import math
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import CannotError, VectorFile
from searchkit_indexes import Ids, Vectors

_FILE = "index.rabitq"
_IDS = "ids.npy"


class RabitqLib:
    """One file, which every change rewrites. The library numbers vectors itself, in the order of their addition."""

    settings = ("nprobe 16", "nprobe 64")
    bits = 4

    def __init__(self) -> None:
        self._library: Any = import_module("rabitqlib")
        self._index: Any = None
        self._folder = Path()
        self._ids: Ids = np.empty(0, np.int64)
        self._probes = 16

    def version(self) -> str:
        """The library."""
        return f"rabitqlib {version('rabitqlib')}, {self.bits} bits"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Cluster, add and save; the library wants all vectors at once."""
        self._folder, self._ids = folder, vectors.ids
        rows, lists = vectors.all(), 4 * math.isqrt(len(vectors))
        clusters = self._library.RaBitQKMeans(vectors.dimension, lists)
        clusters.train(rows)
        self._index = self._library.IvfIndex(vectors.dimension, len(rows), lists, self.bits, metric="ip")
        self._index.build(rows, np.asarray(clusters.centroids), np.asarray(clusters.assignments).astype(np.uint32))
        self._save()

    def open(self, folder: Path) -> None:
        """Read the whole file."""
        self._folder = folder
        self._ids = np.load(folder / _IDS)
        self._index = self._library.IvfIndex.load(str(folder / _FILE))

    def use(self, setting: str) -> None:
        """`nprobe N`: the lists that are searched."""
        self._probes = int(setting.removeprefix("nprobe "))

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search; the library has no filter."""
        if allowed_ids is not None:
            raise CannotError("no filter")
        found, _ = self._index.search(query[None], k, self._probes)
        rows = found[0][found[0] < len(self._ids)]
        ids: Ids = self._ids[rows]
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add and save."""
        self._index.add(vectors)
        self._ids = np.concatenate([self._ids, ids])
        self._save()

    def remove(self, ids: Ids) -> None:
        """Hide and save; the library keeps their room."""
        self._index.remove(np.flatnonzero(np.isin(self._ids, ids)).astype(np.uint32))
        self._save()

    def _save(self) -> None:
        beside = self._folder / f"{_FILE}.new"
        self._index.save(str(beside))
        beside.replace(self._folder / _FILE)
        np.save(self._folder / _IDS, self._ids)


class RabitqLib8(RabitqLib):
    """In 8 bits."""

    bits = 8
