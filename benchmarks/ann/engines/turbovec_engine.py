"""TurboVec: all vectors compared as codes of 4 bits, calibrated on a sample; changes are appended to its file."""

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import VectorFile
from searchkit_indexes import Ids, Vectors

_FILE = "index.tvim"
_SAMPLE = 10_000  # vectors that it is calibrated on


class TurboVec:
    """4 bits, the most that it has."""

    settings = ("",)

    def __init__(self) -> None:
        self._library: Any = import_module("turbovec")
        self._index: Any = None
        self._file = Path()

    def version(self) -> str:
        """The library."""
        return f"turbovec {version('turbovec')}, 4 bits"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Calibrate, add and save."""
        self._file = folder / _FILE
        self._index = self._library.IdMapIndex(dim=vectors.dimension, bit_width=4)
        self._index.calibrate(vectors.sample(_SAMPLE))
        for ids, batch in vectors.batches():
            self._index.add_with_ids(batch, ids.astype(np.uint64))
        self._index.sync(str(self._file))

    def open(self, folder: Path) -> None:
        """Read the whole file."""
        self._file = folder / _FILE
        self._index = self._library.IdMapIndex.load(str(self._file))
        self._index.prepare()

    def use(self, setting: str) -> None:
        """There is one way to search."""

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search."""
        allowed = {} if allowed_ids is None else {"allowlist": allowed_ids.astype(np.uint64)}
        _, found = self._index.search(query[None], k, **allowed)
        ids: Ids = found[0].astype(np.int64)
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add and append to the file."""
        self._index.add_with_ids(vectors, ids.astype(np.uint64))
        self._index.sync(str(self._file))

    def remove(self, ids: Ids) -> None:
        """Remove and append to the file."""
        for each in ids.tolist():
            self._index.remove(each)
        self._index.sync(str(self._file))
