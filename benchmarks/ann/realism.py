"""Figures that distinguish a synthetic set from a real one: how close neighbours are, and in how many directions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from searchkit_indexes import Ids, Vectors

_FOR_DIMENSION = 20  # neighbours that the estimate of intrinsic dimension uses
_CURVE = (8, 4, 2, 1)  # shares of the real vectors that show how the figures change with their number


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over probes from the set (their own row left out), and over queries.

    `intrinsic_dimension`: local, maximum likelihood over 20 neighbours (Levina and Bickel 2005, averaged as MacKay and
    Ghahramani do). `contrast`: mean distance over distance to the nearest. `second_moment`: mean squared dot product of two
    vectors times their dimension; 1 if they pointed everywhere alike.
    """

    count: int
    cosine_1: float
    cosine_10: float
    intrinsic_dimension: float
    contrast: float
    second_moment: float
    query_cosine_1: float
    query_cosine_10: float


def measure(blocks: Iterable[Vectors], probe_rows: Ids, probes: Vectors, queries: Vectors) -> Figures:
    """Figures of a set that comes in blocks. `probe_rows`: where in the set the probes are."""
    asking = np.concatenate([probes, queries])
    best = np.full((len(asking), _FOR_DIMENSION), -2, np.float32)
    total, squares, distances, count = 0.0, 0.0, 0.0, 0
    for block in blocks:
        scores = asking @ block.T
        inside = np.flatnonzero((probe_rows >= count) & (probe_rows < count + len(block)))
        others = scores[: len(probes)].astype(np.float64)
        others[inside, probe_rows[inside] - count] = 1  # adds nothing to the distances, and one each to the squares
        squares += float((others**2).sum()) - len(inside)
        distances += float(np.sqrt(np.maximum(2 - 2 * others, 0)).sum())
        total += others.size - len(inside)
        scores[inside, probe_rows[inside] - count] = -2
        best = _keep_best(best, scores)
        count += len(block)
    own, asked = best[: len(probes)], best[len(probes) :]
    reach = np.sqrt(np.maximum(2 - 2 * own, 1e-6))
    return Figures(
        count,
        float(own[:, 0].mean()),
        float(own[:, 9].mean()),
        _intrinsic_dimension(reach),
        distances / total / float(reach[:, 0].mean()),
        squares / total * probes.shape[1],
        float(asked[:, 0].mean()),
        float(asked[:, 9].mean()),
    )


def _keep_best(best: Vectors, scores: Vectors) -> Vectors:
    """The k highest of each row, descending."""
    width = best.shape[1]
    if scores.shape[1] > width:
        scores = -np.partition(-scores, width - 1, axis=1)[:, :width]
    kept: Vectors = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :width]
    return kept


def _intrinsic_dimension(reach: Vectors) -> float:
    """Estimate the dimension from distances to neighbours, ascending."""
    logarithms = np.log(reach[:, -1:] / reach[:, :-1])
    return float(1 / logarithms.mean())


def real_curve(real: Vectors, queries: Vectors, probes: int = 500) -> list[Figures]:
    """Figures of an eighth, a quarter, a half and all of the vectors, which are in an order by chance."""
    curve = []
    for part in _CURVE:
        vectors = real[: len(real) // part]
        rows = np.arange(min(probes, len(vectors)), dtype=np.int64)
        curve.append(measure([vectors], rows, vectors[rows], queries))
    return curve


def continued(curve: Sequence[Figures], count: int) -> dict[str, float]:
    """Extrapolate the real curve to `count`: 1 - cosine, and the dimension, as powers of the number.

    Random parts of one collection only become denser; a real one also grows into new subjects. So this is an upper bound of
    how close neighbours come.
    """
    sizes = np.log([figures.count for figures in curve])
    expected = {}
    for name in ("cosine_1", "cosine_10", "query_cosine_1", "query_cosine_10"):
        line = np.polyfit(sizes, np.log([1 - getattr(figures, name) for figures in curve]), 1)
        expected[name] = float(1 - np.exp(np.polyval(line, np.log(count))))
    line = np.polyfit(sizes, np.log([figures.intrinsic_dimension for figures in curve]), 1)
    expected["intrinsic_dimension"] = float(np.exp(np.polyval(line, np.log(count))))
    return expected
