"""The models that are compared: linear maps of a base model's vectors, learned, computed, or drawn by chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.spread_out.sets import StudySet
from searchkit.embedding.adapted_model import Matrix
from searchkit.embedding.embedder import normalized
from searchkit.train.options import LossWeights
from searchkit_indexes import Vectors

SHRINKAGE = 0.1  # of the covariance towards a multiple of the identity, before it is inverted
_CONTRASTIVE = LossWeights()  # with the pull towards the base, as searchkit trains it
LEARNED: Mapping[str, LossWeights] = {
    "contrastive": _CONTRASTIVE,
    "spread-out 1": replace(_CONTRASTIVE, spread=1.0),
    "spread-out 10": replace(_CONTRASTIVE, spread=10.0),
    "spread-out 100": replace(_CONTRASTIVE, spread=100.0),
    "spread-out 10, floor": replace(_CONTRASTIVE, spread=10.0, is_floored=True),
    "spread-out alone": replace(_CONTRASTIVE, contrastive=0.0, spread=10.0),
}


@dataclass(frozen=True, slots=True)
class Transform:
    """An affine map of vectors: minus `mean` (dimension,), times `matrix` (dimension, dimension), then at unit length."""

    mean: Vectors
    matrix: Matrix

    def __call__(self, vectors: Vectors) -> Vectors:
        """Map (n, dimension) vectors."""
        return normalized(np.asarray((vectors - self.mean) @ self.matrix, np.float32))


def identity(dimension: int) -> Transform:
    """The map that changes nothing."""
    return Transform(np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32))


def centring(vectors: Vectors) -> Transform:
    """Subtract the mean of the passages, from queries too."""
    return Transform(vectors.mean(axis=0), np.eye(vectors.shape[1], dtype=np.float32))


def whitening(vectors: Vectors, shrinkage: float = SHRINKAGE) -> Transform:
    """Centre, and divide by the root of the covariance, which keeps each coordinate as near to itself as possible (ZCA)."""
    mean = vectors.mean(axis=0)
    covariance = np.cov(vectors.T, dtype=np.float64)
    dimension = len(mean)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / dimension * np.eye(dimension)
    values, directions = np.linalg.eigh(shrunk)
    matrix = (directions / np.sqrt(np.maximum(values, np.finfo(np.float32).tiny))) @ directions.T
    return Transform(mean, matrix.astype(np.float32))


def rotation(dimension: int, seed: int) -> Transform:
    """A rotation by chance: all products stay, and every coordinate gets the same expected variance."""
    normal = np.random.default_rng(seed).standard_normal((dimension, dimension))
    directions, scale = np.linalg.qr(normal)
    return Transform(np.zeros(dimension, np.float32), (directions * np.sign(np.diag(scale))).astype(np.float32))


def principal(vectors: Vectors, *, is_centred: bool = False) -> Transform:
    """A rotation to the passages' principal axes: all products stay, and coordinates vary as unequally as they can."""
    _, directions = np.linalg.eigh(np.cov(vectors.T, dtype=np.float64))
    mean = vectors.mean(axis=0) if is_centred else np.zeros(vectors.shape[1], np.float32)
    return Transform(mean, directions[:, ::-1].astype(np.float32))


def learned(data: StudySet, weights: LossWeights, prefixes: Sequence[int], seed: int) -> Transform:
    """Train as `searchkit train adapter` does, on the seed's pairs, unmixed with the identity."""
    from searchkit.train.adapter.learn import train_matrix  # PyTorch: the other variants do without

    matrix = train_matrix(data.training(seed), weights, prefixes, seed=seed)
    return Transform(np.zeros(len(matrix), np.float32), matrix)


_COMPUTED: Mapping[str, Callable[[StudySet, int], Transform]] = {
    "base": lambda data, _: identity(data.passages.shape[1]),
    "centred": lambda data, _: centring(data.passages),
    "whitened": lambda data, _: whitening(data.passages),
    "rotated": lambda data, seed: rotation(data.passages.shape[1], seed),
    "principal axes": lambda data, _: principal(data.passages),
    "centred, principal axes": lambda data, _: principal(data.passages, is_centred=True),
}
EXTREME = ("whitened", "principal axes", "centred, principal axes")
"""Variants as isotropic as vectors can be, and those whose coordinates vary as unequally as they can."""
VARIANTS = ("base", *LEARNED, *(name for name in _COMPUTED if name != "base"))
"""The names of all variants, the base first."""


def transform_of(variant: str, data: StudySet, seed: int) -> Transform:
    """Make a variant's map. Raises KeyError for an unknown name."""
    if variant in LEARNED:
        return learned(data, LEARNED[variant], data.prefixes, seed)
    return _COMPUTED[variant](data, seed)
