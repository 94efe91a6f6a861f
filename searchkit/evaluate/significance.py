"""Whether a difference between two ways is more than chance, measured on the same queries."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SAMPLES = 10_000
_SEED = 1
_ALL_UP_TO = 13  # differences of which every choice of signs is tried: 8,192
_CELLS = 4_000_000  # signs held at a time
_SAME = 1e-12  # relative: sums of the same numbers in another order


def randomization_p(values: Sequence[float], others: Sequence[float]) -> float:
    """The two-sided p-value of the mean difference of pairs, by Fisher's randomization test.

    If the ways were alike, each pair's difference might as well have the other sign. p is the share of such choices whose
    mean is at least as far from 0 (Smucker, Allan and Carterette 2007); every choice is tried if few pairs
    differ, else a sample of them with a seed, the one observed counted in (Phipson and Smyth 2010). 1 if no pair differs.
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
    """(2**count, count): each choice of +1 and -1."""
    bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    return np.where(bits, 1.0, -1.0)
