"""Exact search: every vector is compared. The right answer for most people's folders, and the measure of all others."""

from pathlib import Path
from typing import Self

import numpy as np

from searchkit_indexes.base import Ids, Neighbours, Vectors
from searchkit_indexes.manifest import IndexDamagedError

_ROWS_AT_A_TIME = 65536  # bounds the scores held at once, and the pages of a mapped file


class FlatIndex:
    """float32 vectors in one array, which may be mapped from a file. See VectorIndex."""

    def __init__(self, dimension: int) -> None:
        if dimension < 1:
            raise ValueError(f"an index needs at least one dimension, not {dimension}")
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, dimension), np.float32)

    @property
    def dimension(self) -> int:
        """See VectorIndex."""
        return int(self._vectors.shape[1])

    @property
    def memory_bytes(self) -> int:
        """See VectorIndex."""
        return self._vectors.nbytes + self._ids.nbytes

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """See VectorIndex."""
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        if not len(ids):
            return  # a mapped array stays mapped
        everything = np.concatenate([self._ids, ids])
        if len(np.unique(everything)) != len(everything):
            raise ValueError("an id is given twice, or is in the index already")
        order = np.argsort(everything)
        self._vectors = np.concatenate([self._vectors, self._prefix(vectors)])[order]
        self._ids = everything[order]

    def remove(self, ids: Ids) -> int:
        """See VectorIndex."""
        kept = ~np.isin(self._ids, ids)
        removed = len(self) - int(np.count_nonzero(kept))
        if removed:
            self._ids, self._vectors = self._ids[kept], self._vectors[kept]
        return removed

    def search(self, queries: Vectors, k: int, allowed_ids: Ids | None = None) -> Neighbours:
        """See VectorIndex."""
        prefixes = self._prefix(queries)
        rows = None if allowed_ids is None else np.flatnonzero(np.isin(self._ids, allowed_ids))
        count = len(self) if rows is None else len(rows)
        found = max(0, min(k, count))
        ids = np.empty((len(queries), found), np.int64)
        scores = np.empty((len(queries), found), np.float32)
        if found:
            for i, query in enumerate(prefixes):
                similarities = self._similarities(query) if rows is None else self._vectors[rows] @ query
                best = _best(similarities, found)
                ids[i], scores[i] = self._ids[best if rows is None else rows[best]], similarities[best]
        return Neighbours(ids, scores)

    def save(self, folder: Path) -> None:
        """See VectorIndex."""
        np.save(folder / "ids.npy", self._ids)
        np.save(folder / "vectors.npy", self._vectors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open what `save` wrote; vectors are mapped, not read. Raises IndexDamagedError if they do not fit together."""
        try:
            ids = np.load(folder / "ids.npy")
            vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamagedError(f"the index in {folder} cannot be read: {error}") from error
        if ids.dtype != np.int64 or vectors.dtype != np.float32 or vectors.ndim != 2 or len(ids) != len(vectors):
            raise IndexDamagedError(f"the index in {folder} holds arrays that do not fit together")
        index = cls(vectors.shape[1])
        index._ids, index._vectors = ids, vectors
        return index

    def _prefix(self, vectors: Vectors) -> Vectors:
        """The first `dimension` components at unit length; full vectors are taken as they are."""
        if vectors.ndim != 2 or vectors.shape[1] < self.dimension:
            raise ValueError(f"vectors of shape {vectors.shape} in an index of {self.dimension} dimensions")
        if vectors.shape[1] == self.dimension:
            return vectors
        prefixes = vectors[:, : self.dimension]
        lengths = np.linalg.norm(prefixes, axis=1, keepdims=True)
        scaled: Vectors = (prefixes / np.where(lengths == 0, 1, lengths)).astype(np.float32, copy=False)
        return scaled

    def _similarities(self, query: Vectors) -> Vectors:
        similarities = np.empty(len(self), np.float32)
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            piece = slice(start, start + _ROWS_AT_A_TIME)
            np.dot(self._vectors[piece], query, out=similarities[piece])
        return similarities


def _best(scores: Vectors, k: int) -> Ids:
    """Positions of the k largest scores, best first; equal ones in their order, also where k cuts through them."""
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= threshold)
    order = np.argsort(-scores[candidates], kind="stable")
    best: Ids = candidates[order][:k]
    return best
