"""The protocol of an engine, and the file of vectors that it is given."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit_indexes import Ids, Vectors

_BATCH = 5000


class CannotError(Exception):
    """The engine cannot do this; the message says so in a few words, for the table."""


class TooLongError(Exception):
    """Building would take longer than allowed."""


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Rows [start, stop) of a float16 .npy file, as unit vectors; the number of a row in the file is its id."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return int(self._rows().shape[1])

    @property
    def ids(self) -> Ids:
        """All ids, in order."""
        return np.arange(self.start, self.stop, dtype=np.int64)

    def batches(self, size: int = _BATCH) -> Iterator[tuple[Ids, Vectors]]:
        """Yield (ids, vectors) of a few thousand rows at a time, again at each call."""
        for start in range(self.start, self.stop, size):
            stop = min(start + size, self.stop)
            yield np.arange(start, stop, dtype=np.int64), unit(self._rows()[start:stop])

    def all(self) -> Vectors:
        """Every row at once."""
        return unit(self._rows()[self.start : self.stop])

    def all_of(self, ids: Ids) -> Vectors:
        """The vectors of these ids, in their order."""
        return unit(self._rows()[ids])

    def sample(self, count: int, seed: int = 0) -> Vectors:
        """A sample of `count` rows from the whole file, all of them if there are no more, to train an engine on."""
        chosen = np.random.default_rng(seed).choice(len(self), min(count, len(self)), replace=False)
        return unit(self._rows()[self.start + np.sort(chosen)])

    def _rows(self) -> npt.NDArray[np.float16]:
        """Open the file again each time, so that its pages do not count as the engine's memory."""
        rows: npt.NDArray[np.float16] = np.load(self.path, mmap_mode="r")
        return rows


class Engine(Protocol):
    """One way to store and search vectors. `build` and `open` are called in different processes.

    An engine raises CannotError for what it cannot do. Ways to search the same index have the name that the table shows
    (`nprobe 16`); the first applies after `open`.
    """

    @property
    def settings(self) -> tuple[str, ...]:
        """Ways to search, the default first; ("",) if there is one only."""
        ...

    def version(self) -> str:
        """The library, as `name 1.2`."""
        ...

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Build an index of the vectors in an empty folder, from `vectors.batches()`, complete on disk at the end."""
        ...

    def open(self, folder: Path) -> None:
        """Open the index that `build` wrote."""
        ...

    def use(self, setting: str) -> None:
        """Use this way to search from now on."""
        ...

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Ids of the nearest, best first, at most k; `query`: (dimension,). Only among `allowed_ids` if given."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add new vectors: found by the next search, and on disk when this returns."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove vectors: not found by the next search, nor by one after reopening."""
        ...


def unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Scale rows to unit length, from which half precision deviates a little."""
    full = np.asarray(vectors, np.float32)
    scaled: Vectors = full / np.maximum(np.linalg.norm(full, axis=-1, keepdims=True), 1e-12)
    return scaled
