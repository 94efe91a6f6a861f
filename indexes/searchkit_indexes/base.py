"""The protocols of indexes and of the codes in them, and the specification of an index."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]  # of codes in an index, from 0 on
Mask = npt.NDArray[np.bool_]


class Structure(StrEnum):
    """The structure of an index."""

    FLAT = "flat"
    RABITQ = "rabitq"
    IVF = "ivf"
    HNSW = "hnsw"
    HNSWLIB = "hnswlib"


class Code(StrEnum):
    """The encoding of a component. The bit codes are RaBitQ's (Gao and Long 2024; Gao et al. 2025)."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    BIT1 = "1bit"
    BIT2 = "2bit"
    BIT4 = "4bit"


_CODES = {
    Structure.FLAT: (Code.FLOAT32, Code.FLOAT16, Code.INT8),
    Structure.RABITQ: (Code.BIT1, Code.BIT2, Code.BIT4),
    Structure.IVF: (Code.INT8, Code.BIT1, Code.BIT2, Code.BIT4),
    Structure.HNSW: (Code.FLOAT32, Code.INT8),
    Structure.HNSWLIB: (Code.FLOAT32,),
}
ALL_KINDS = tuple((structure, code) for structure, codes in _CODES.items() for code in codes)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """The kind of an index: a structure, a code, and the prefix dimension that it keeps of each vector.

    Raises ValueError for a pair of structure and code that does not exist, or fewer than one dimension.
    """

    structure: Structure
    code: Code
    dimension: int

    def __post_init__(self) -> None:
        if (self.structure, self.code) not in ALL_KINDS:
            known = ", ".join(_CODES.get(self.structure, ()))
            raise ValueError(f"a {self.structure} index has no code {self.code}; it has: {known}")
        if self.dimension < 1:
            raise ValueError(f"an index needs at least one dimension, not {self.dimension}")

    def __str__(self) -> str:
        return f"{self.structure}-{self.code}-{self.dimension}"

    @property
    def is_uncoded(self) -> bool:
        """True if the vectors themselves are compared, one by one: nothing is trained, and a file would save nothing."""
        return (self.structure, self.code) == (Structure.FLAT, Code.FLOAT32)

    @classmethod
    def parse(cls, text: str) -> "IndexSpec":
        """Parse a spec such as `rabitq-1bit-768`. Raises ValueError."""
        try:
            structure, code, dimension = text.split("-")
            return cls(Structure(structure), Code(code), int(dimension))
        except ValueError as error:
            raise ValueError(f"'{text}' is not the name of an index; names look like rabitq-1bit-768") from error


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest vectors for each query: (queries, found) ids and scores, best first.

    Scores are dot products, or estimates of them from codes; higher is better, and equal scores are ordered by id. `found`
    is k, or fewer if the index (or its allowed part) contains fewer. `are_coded`: whether a score comes from codes; recent
    additions are scored by their exact prefixes.
    """

    ids: Ids
    scores: Vectors
    are_coded: npt.NDArray[np.bool_]


class SearchableIndex(Protocol):
    """What can be searched for the nearest of unit vectors with int64 ids, whoever keeps it."""

    @property
    def max_candidates(self) -> int:
        """The number of candidates worth requesting: a graph yields up to its effort, everything else is scanned."""
        ...

    def __len__(self) -> int:
        """Count the vectors in the index."""
        ...

    def search(self, queries: Vectors, k: int, allowed_ids: Ids | None = None) -> Neighbours:
        """Find the k nearest of each of the (n, at least `dimension`) queries, only among `allowed_ids` unless None."""
        ...


class VectorIndex(SearchableIndex, Protocol):
    """An index that can be changed and saved. It keeps a prefix of each vector, normalised again."""

    @property
    def spec(self) -> IndexSpec:
        """The kind of this index."""
        ...

    @property
    def memory_bytes(self) -> int:
        """The size in bytes of vectors, ids and links, including mapped files."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add (n, at least `dimension`) vectors under n ids.

        Raises ValueError for shorter vectors, a different number of ids, or an id that exists already.
        """
        ...

    def remove(self, ids: Ids) -> int:
        """Remove those of the ids that exist; returns their number."""
        ...

    def save(self, folder: Path) -> None:
        """Write the index's files into an empty folder."""
        ...


class Codes(Protocol):
    """The immutable part of an index: codes of n unit vectors, at positions 0 to n - 1. Any number of threads may search them."""

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


def unit_prefixes(vectors: Vectors, dimension: int) -> Vectors:
    """Cut (n, at least `dimension`) vectors to their first `dimension` components, at unit length; full ones stay unchanged.

    Raises ValueError for shorter vectors.
    """
    if vectors.ndim != 2 or vectors.shape[1] < dimension:
        raise ValueError(f"vectors of shape {vectors.shape} in an index of {dimension} dimensions")
    if vectors.shape[1] == dimension:
        return np.ascontiguousarray(vectors, np.float32)
    prefixes = vectors[:, :dimension]
    lengths = np.linalg.norm(prefixes, axis=1, keepdims=True)
    scaled: Vectors = np.ascontiguousarray(prefixes / np.where(lengths == 0, 1, lengths), np.float32)
    return scaled
