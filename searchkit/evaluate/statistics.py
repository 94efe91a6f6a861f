"""Tests of differences between two systems that were measured on the same queries."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_SAMPLES = 10_000
_SEED = 1
_ALL_UP_TO = 13  # differences; up to here every choice of signs is tried, at most 8,192
_CELLS = 4_000_000  # numbers held in memory at a time
_SAME = 1e-12  # relative tolerance: sums of the same numbers in another order


def paired_interval(values: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Compute the 95 % interval of the mean difference, by the percentile bootstrap over pairs (Efron and Tibshirani 1993)."""
    differences = np.subtract(values, others)
    rng = np.random.default_rng(_SEED)
    means = [rng.choice(differences, len(differences)).mean() for _ in range(_SAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def intervals(gains: Values) -> Values:
    """Compute 95 % intervals, (rows, 2), of the means of (rows, n) gains, by the percentile bootstrap over the n queries."""
    rng = np.random.default_rng(_SEED)
    count = gains.shape[1]
    means: list[Values] = []
    left = _SAMPLES
    while left:
        some = min(left, max(1, _CELLS // max(count, 1)))
        # The counts of how often each query is drawn form a matrix: one product yields the means of all rows.
        drawn = rng.multinomial(count, np.full(count, 1 / count), some).astype(np.float64)
        means.append(drawn @ gains.T / count)
        left -= some
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5), axis=0)
    return np.stack([low, high], axis=1)


def randomization_p(values: Sequence[float], others: Sequence[float]) -> float:
    """Compute the two-sided p-value of the mean difference of pairs, by Fisher's randomization test.

    Under the null hypothesis each pair's difference could equally have the other sign. p is the share of sign choices whose
    mean is at least as far from 0 (Smucker, Allan and Carterette 2007). If few pairs differ, every choice is tried, else a
    seeded sample of them that includes the observed one (Phipson and Smyth 2010). 1 if no pair differs.
    """
    differences = np.subtract(values, others).astype(np.float64)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    least = abs(differences.sum()) - _SAME * np.abs(differences).sum()
    if len(differences) <= _ALL_UP_TO:
        return float((np.abs(_all_signs(len(differences)) @ differences) >= least).mean())
    rng = np.random.default_rng(_SEED)
    as_far = left = 0
    for left in range(_SAMPLES, 0, -_samples_at_once(len(differences))):
        count = min(left, _samples_at_once(len(differences)))
        signs = rng.integers(0, 2, (count, len(differences)), np.int8) * 2 - 1
        as_far += int((np.abs(signs @ differences) >= least).sum())
    return (as_far + 1) / (_SAMPLES + 1)


def _samples_at_once(count: int) -> int:
    return max(1, _CELLS // count)


def _all_signs(count: int) -> npt.NDArray[np.float64]:
    """List all choices of +1 and -1: (2**count, count)."""
    bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    return np.where(bits, 1.0, -1.0)
