"""Exact search: every vector is compared. The right choice for most collections, and the reference for all other indexes.
Requires only NumPy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from searchkit_indexes.base import Mask, Positions, Vectors, best_positions
from searchkit_indexes.manifest import IndexDamagedError

_FILE = "vectors.npy"
_COPIED_BELOW = 0.1  # share of allowed rows above which comparing all is faster than copying those
_ROWS_AT_A_TIME = 65536  # limits the scores and the pages of a mapped file in memory
_WIDENED_AT_A_TIME = 512  # rows of bytes, whose floats stay in the processor's cache
_LARGEST_CODE = 127
_SMALLEST = np.float32(1e-30)

ByteRows = npt.NDArray[np.int8]


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
        return _compared(len(self), queries, k, allowed, self._similarities)

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

    def _similarities(self, query: Vectors, rows: Positions | None) -> Vectors:
        if rows is not None:
            return self._vectors[rows] @ query
        similarities = np.empty(len(self), np.float32)
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            piece = slice(start, start + _ROWS_AT_A_TIME)
            np.dot(self._vectors[piece], query, out=similarities[piece])
        return similarities


class ByteCodes:
    """Codes that are (n, dimension) whole numbers from -127 to 127: directions of vectors of length 1. See Codes.

    They take a quarter of the memory of floats and no more time: what is read of it is what takes long.
    """

    def __init__(self, codes: ByteRows, lengths: Vectors | None = None) -> None:
        self._codes = codes
        self._lengths = _lengths(codes) if lengths is None else lengths

    @property
    def memory_bytes(self) -> int:
        """See Codes."""
        return self._codes.nbytes + self._lengths.nbytes

    def __len__(self) -> int:
        return len(self._codes)

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """See Codes."""
        return _compared(len(self), queries, k, allowed, self._similarities)

    def with_more(self, vectors: Vectors) -> Self:
        """See Codes."""
        steps = np.abs(vectors).max(axis=1, keepdims=True, initial=0) / np.float32(_LARGEST_CODE)
        more = np.rint(vectors / np.maximum(steps, _SMALLEST)).astype(np.int8)
        return type(self)(np.concatenate([self._codes, more]), np.concatenate([self._lengths, _lengths(more)]))

    def only(self, kept: Positions) -> Self:
        """See Codes."""
        return type(self)(self._codes[kept], self._lengths[kept])

    def with_effort(self, effort: int) -> Self:  # noqa: ARG002 - every vector is compared
        """See Codes."""
        return self

    def centroids(self) -> None:
        """See Codes."""

    def save(self, folder: Path) -> None:
        """See Codes: as floats."""
        FloatCodes(self._codes.astype(np.float32) / self._lengths[:, None]).save(folder)

    def _similarities(self, query: Vectors, rows: Positions | None) -> Vectors:
        codes, lengths = (self._codes, self._lengths) if rows is None else (self._codes[rows], self._lengths[rows])
        similarities = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), _WIDENED_AT_A_TIME):
            piece = slice(start, start + _WIDENED_AT_A_TIME)
            np.dot(codes[piece].astype(np.float32), query, out=similarities[piece])
        similarities /= lengths
        return similarities


def _lengths(codes: ByteRows) -> Vectors:
    """The length of each row, (n,) float32; a tiny one for a row of zeros."""
    lengths = np.empty(len(codes), np.float32)
    for start in range(0, len(codes), _WIDENED_AT_A_TIME):
        piece = codes[start : start + _WIDENED_AT_A_TIME].astype(np.float32)
        lengths[start : start + _WIDENED_AT_A_TIME] = np.sqrt(np.einsum("ij,ij->i", piece, piece))
    return np.maximum(lengths, _SMALLEST)


def _compared(
    count: int,
    queries: Vectors,
    k: int,
    allowed: Mask | None,
    similarities: Callable[[Vectors, Positions | None], Vectors],
) -> tuple[Positions, Vectors]:
    """Compare all rows, or those allowed. `similarities`: of a query to some rows, None for all."""
    rows = None if allowed is None else np.flatnonzero(allowed)
    are_copied = rows is not None and len(rows) < _COPIED_BELOW * count
    found = min(k, count if rows is None else len(rows))
    positions = np.empty((len(queries), found), np.int64)
    scores = np.empty((len(queries), found), np.float32)
    if found:
        for i, query in enumerate(queries):
            compared = similarities(query, rows if are_copied else None)
            if rows is not None and not are_copied:
                compared = compared[rows]
            best = best_positions(compared, found)
            positions[i], scores[i] = best if rows is None else rows[best], compared[best]
    return positions, scores
