"""Exact search over float32: every vector is compared. The right choice for most collections, and the reference for all
other indexes. Requires only NumPy.
"""

from pathlib import Path
from typing import Self

import numpy as np

from searchkit_indexes.base import Mask, Positions, Vectors, best_positions
from searchkit_indexes.manifest import IndexDamagedError

_FILE = "vectors.npy"
_COPIED_BELOW = 0.1  # share of allowed rows above which comparing all is faster than copying those
_ROWS_AT_A_TIME = 65536  # limits the scores and the pages of a mapped file in memory


class FloatCodes:
    """Codes that are float32 vectors in one array, which may be memory-mapped. See Codes."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    @property
    def memory_bytes(self) -> int:
        """See Codes."""
        return self._vectors.nbytes

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """See Codes."""
        rows = None if allowed is None else np.flatnonzero(allowed)
        are_copied = rows is not None and len(rows) < _COPIED_BELOW * len(self)
        found = min(k, len(self) if rows is None else len(rows))
        positions = np.empty((len(queries), found), np.int64)
        scores = np.empty((len(queries), found), np.float32)
        if found:
            for i, query in enumerate(queries):
                similarities = self._vectors[rows] @ query if are_copied else self._similarities(query)
                if rows is not None and not are_copied:
                    similarities = similarities[rows]
                best = best_positions(similarities, found)
                positions[i], scores[i] = best if rows is None else rows[best], similarities[best]
        return positions, scores

    def with_more(self, vectors: Vectors) -> Self:
        """See Codes."""
        return type(self)(np.concatenate([self._vectors, vectors]))

    def only(self, kept: Positions) -> Self:
        """See Codes."""
        return type(self)(self._vectors[kept])

    def with_effort(self, effort: int) -> Self:  # noqa: ARG002 - every vector is compared
        """See Codes."""
        return self

    def centroids(self) -> None:
        """See Codes."""

    def save(self, folder: Path) -> None:
        """See Codes."""
        np.save(folder / _FILE, self._vectors)

    @classmethod
    def load(cls, folder: Path, dimension: int) -> Self:
        """Map a file written by `save`. Raises IndexDamagedError for any other content."""
        try:
            vectors = np.load(folder / _FILE, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamagedError(f"the index in {folder} cannot be read: {error}") from error
        if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != dimension:
            raise IndexDamagedError(f"the index in {folder} has no float32 vectors of {dimension} dimensions")
        return cls(vectors)

    def _similarities(self, query: Vectors) -> Vectors:
        similarities = np.empty(len(self), np.float32)
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            piece = slice(start, start + _ROWS_AT_A_TIME)
            np.dot(self._vectors[piece], query, out=similarities[piece])
        return similarities
