"""The immutable part of an index: codes of vectors, addressed by position instead of id."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit_indexes.base import Vectors

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Codes(Protocol):
    """The codes of n unit vectors at positions 0 to n - 1. Immutable, so any number of threads may search them."""

    @property
    def memory_bytes(self) -> int:
        """The size in bytes, including mapped files."""
        ...

    def __len__(self) -> int:
        """Count the coded vectors."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """Find (queries, k) positions and scores in any order, only where `allowed` is true; missing ones are -1."""
        ...

    def with_more(self, vectors: Vectors) -> "Codes":
        """Return codes that also contain these vectors, at the following positions, without retraining."""
        ...

    def only(self, kept: Positions) -> "Codes":
        """Return codes of only the vectors at these ascending positions, renumbered in this order."""
        ...

    def with_effort(self, effort: int) -> "Codes":
        """Return the same codes with another number of lists or nodes to visit; exhaustive codes ignore it."""
        ...

    def centroids(self) -> Vectors | None:
        """Return (lists, dimension) unit vectors, one per inverted list; None for codes without lists."""
        ...

    def save(self, folder: Path) -> None:
        """Write files for the loader of the same kind."""
        ...


def nothing_found(queries: int, k: int) -> tuple[Positions, Vectors]:
    """Return the result of a search without candidates."""
    return np.full((queries, k), -1, np.int64), np.full((queries, k), -np.inf, np.float32)


def best_positions(scores: Vectors, k: int) -> Positions:
    """Return the positions of the k largest scores, best first; equal scores keep their order, also at the cut."""
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= threshold)
    order = np.argsort(-scores[candidates], kind="stable")
    best: Positions = candidates[order][:k]
    return best
