"""The part of an index that is built once and then only read: codes of vectors, at positions instead of ids."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit_indexes.base import Vectors

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Codes(Protocol):
    """Codes of n unit vectors at positions 0 to n - 1. Never changed once made, so many threads may search them."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of all that is kept, mapped files included."""
        ...

    def __len__(self) -> int:
        """Vectors that are coded."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """(queries, k) positions and scores in any order, only where `allowed` is true; -1 where there are fewer."""
        ...

    def with_more(self, vectors: Vectors) -> "Codes":
        """Codes of these vectors as well, at the positions that follow; nothing is learned anew."""
        ...

    def only(self, kept: Positions) -> "Codes":
        """Codes of the vectors at these ascending positions alone, which they take in this order."""
        ...

    def with_effort(self, effort: int) -> "Codes":
        """The same codes, of which a search looks at this many lists or nodes; nothing to those that look at all."""
        ...

    def centroids(self) -> Vectors | None:
        """(lists, dimension) unit vectors, one for each inverted list; None for codes that have none."""
        ...

    def save(self, folder: Path) -> None:
        """Write the files that the loader of the same kind reads."""
        ...


def nothing_found(queries: int, k: int) -> tuple[Positions, Vectors]:
    """The answer of codes of nothing."""
    return np.full((queries, k), -1, np.int64), np.full((queries, k), -np.inf, np.float32)


def best_positions(scores: Vectors, k: int) -> Positions:
    """Positions of the k largest scores, best first; equal ones in their order, also where k cuts through them."""
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= threshold)
    order = np.argsort(-scores[candidates], kind="stable")
    best: Positions = candidates[order][:k]
    return best
