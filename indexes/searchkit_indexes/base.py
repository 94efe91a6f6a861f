"""What every index can do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The best of an index for each query: (queries, found) ids and scores, best first.

    Scores are dot products, higher is better; equal scores stand in the order of their ids. `found` is k, or fewer
    where the index (or the allowed part of it) holds fewer.
    """

    ids: Ids
    scores: Vectors


class VectorIndex(Protocol):
    """Unit vectors under int64 ids. The index keeps a prefix of them, normalised again."""

    @property
    def dimension(self) -> int:
        """Components that are kept of each vector."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Bytes that the vectors and ids take."""
        ...

    def __len__(self) -> int:
        """Vectors in the index."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add (n, at least `dimension`) vectors under n ids.

        Raises ValueError for shorter vectors, a number of ids that does not fit, or an id that is there already.
        """
        ...

    def remove(self, ids: Ids) -> int:
        """Remove what is there of these ids; returns how many that were."""
        ...

    def search(self, queries: Vectors, k: int, allowed_ids: Ids | None = None) -> Neighbours:
        """The k nearest of each of the (n, at least `dimension`) queries; only among `allowed_ids` unless None."""
        ...

    def save(self, folder: Path) -> None:
        """Write the index's files into an empty folder."""
        ...
