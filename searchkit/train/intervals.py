"""95 % intervals of many mean gains at once, over the same queries."""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_SAMPLES = 10_000
_SEED = 1
_CELLS = 4_000_000  # held at a time


def intervals(gains: Values) -> Values:
    """(rows, 2) of (rows, n) gains: the percentile bootstrap over the n queries (Efron and Tibshirani 1993)."""
    rng = np.random.default_rng(_SEED)
    count = gains.shape[1]
    means: list[Values] = []
    left = _SAMPLES
    while left:
        some = min(left, max(1, _CELLS // max(count, 1)))
        # How often each query is drawn, as a matrix: one product gives the means of all rows.
        drawn = rng.multinomial(count, np.full(count, 1 / count), some).astype(np.float64)
        means.append(drawn @ gains.T / count)
        left -= some
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5), axis=0)
    return np.stack([low, high], axis=1)
