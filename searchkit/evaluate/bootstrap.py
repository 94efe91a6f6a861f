"""How sure a difference between two ways is, measured on the same queries."""

from collections.abc import Sequence

import numpy as np

_SAMPLES = 10_000
_SEED = 1


def paired_interval(values: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean difference, by the percentile bootstrap over pairs (Efron and Tibshirani 1993)."""
    differences = np.subtract(values, others)
    rng = np.random.default_rng(_SEED)
    means = [rng.choice(differences, len(differences)).mean() for _ in range(_SAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
