"""The true nearest vectors of each query: exact, in float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.ann.engine import VectorFile
from searchkit_indexes import Ids, Vectors

K = 10
_KEPT = 20  # so that ties with the tenth are visible
_TIE = 1e-6  # dot products closer than that count as equal


@dataclass(frozen=True, slots=True)
class Truth:
    """`ids`, `scores`: (queries, 20), best first."""

    ids: Ids
    scores: Vectors

    def recall(self, row: int, found: Ids) -> float:
        """Share of the ten nearest that were found; vectors as near as the tenth count too."""
        near = self.ids[row, self.scores[row] >= self.scores[row, K - 1] - _TIE]
        return min(len(np.intersect1d(near, found)), K) / K

    def save(self, file: Path) -> None:
        """Store it."""
        np.savez(file, ids=self.ids, scores=self.scores)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Load the stored one."""
        with np.load(file) as arrays:
            return cls(arrays["ids"], arrays["scores"])


def exact(vectors: VectorFile, queries: Vectors, allowed: Ids | None = None) -> Truth:
    """The nearest of all vectors, or of the allowed ids, read piece by piece."""
    ids = np.full((len(queries), _KEPT), -1, np.int64)
    scores = np.full((len(queries), _KEPT), -2, np.float32)
    for batch_ids, batch in vectors.batches(20_000):
        products = queries @ batch.T
        if allowed is not None:
            products[:, ~np.isin(batch_ids, allowed)] = -2
        all_scores = np.concatenate([scores, products], axis=1)
        all_ids = np.concatenate([ids, np.broadcast_to(batch_ids, products.shape)], axis=1)
        part = np.argpartition(-all_scores, _KEPT - 1, axis=1)[:, :_KEPT]
        order = np.take_along_axis(part, np.argsort(-np.take_along_axis(all_scores, part, 1), 1, "stable"), 1)
        scores, ids = np.take_along_axis(all_scores, order, 1), np.take_along_axis(all_ids, order, 1)
    return Truth(ids, scores)


def allowed_ids(vectors: VectorFile, share: float = 0.1) -> Ids:
    """The ids that filtered searches may find: a random share, always the same; ascending."""
    chosen: Ids = np.flatnonzero(np.random.default_rng(7).random(len(vectors)) < share) + vectors.start
    return chosen
