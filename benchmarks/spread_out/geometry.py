"""Figures of how vectors lie: how alike they are, how their coordinates vary, how many directions and hubs they have."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.ann.realism import measure
from searchkit_indexes import Vectors

_SAMPLE = 2_000
_NEAREST = 10
_UNIFORMITY = 2.0  # t of Wang and Isola 2020


@dataclass(frozen=True, slots=True)
class Geometry:
    """Figures of a sample of unit vectors.

    `mean_cosine` of different vectors; `second_moment`: their mean squared cosine times the dimension, 1 if they pointed everywhere
    alike; `uniformity`: log mean exp(-2 |x - y|²), lower is more uniform (Wang and Isola 2020); `variance_spread`: the standard
    deviation of the coordinates' variances over their mean, 0 if all vary alike; `power_spread`: the same of their mean squares,
    `sign_bias`: the mean over coordinates of |share of positive values - 1/2| times 2, 0 if each sign says as much as it can;
    `intrinsic_dimension`: local, by 20 neighbours; `hubness`: the skewness of how often a vector is among another's ten nearest.
    """

    mean_cosine: float
    second_moment: float
    uniformity: float
    variance_spread: float
    power_spread: float
    sign_bias: float
    intrinsic_dimension: float
    hubness: float


def geometry_of(vectors: Vectors, queries: Vectors) -> Geometry:
    """Measure (n, dimension) unit vectors, more than 20 of them, by a sample."""
    rows = np.sort(np.random.default_rng(0).permutation(len(vectors))[:_SAMPLE])
    some = vectors[rows]
    cosines = some @ some.T
    off = cosines[~np.eye(len(some), dtype=bool)].astype(np.float64)
    variances = some.var(axis=0, dtype=np.float64)
    powers = np.square(some, dtype=np.float64).mean(axis=0)
    figures = measure([some], np.arange(len(some), dtype=np.int64), some, queries)
    return Geometry(
        mean_cosine=float(off.mean()),
        second_moment=figures.second_moment,
        uniformity=float(np.log(np.exp(-_UNIFORMITY * (2 - 2 * off)).mean())),
        variance_spread=float(variances.std() / variances.mean()),
        power_spread=float(powers.std() / powers.mean()),
        sign_bias=float(np.abs(2 * (some > 0).mean(axis=0) - 1).mean()),
        intrinsic_dimension=figures.intrinsic_dimension,
        hubness=skewness(occurrences(cosines)),
    )


def occurrences(cosines: Vectors) -> npt.NDArray[np.float64]:
    """(n,) how often each of n vectors is among another's ten nearest, by their (n, n) cosines."""
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    wanted = min(_NEAREST, len(others) - 1)
    nearest = np.argpartition(-others, wanted - 1, axis=1)[:, :wanted]
    return np.bincount(nearest.ravel(), minlength=len(others)).astype(np.float64)


def skewness(values: npt.NDArray[np.float64]) -> float:
    """The third standardised moment; 0 for equal values."""
    deviations = values - values.mean()
    spread = values.std()
    return float((deviations**3).mean() / spread**3) if spread else 0.0
