"""What the cells say: the effort that a recall needs, gains over the base with their intervals, and what goes with what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.spread_out.cells import EXACT, Cell, Key, recalls
from searchkit.train.effort import Ratio, RecallCurve, drawn_queries

Values = npt.NDArray[np.float64]
BASE = "base"


@dataclass(frozen=True, slots=True)
class Curve(RecallCurve):
    """A structure's recall by effort, means over the seeds. `ndcg`: (m,) nDCG@10."""

    ndcg: Values


class Study:
    """The cells by what they measure."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._cells = {cell.key: cell for cell in cells}

    def groups(self) -> list[tuple[str, str]]:
        """Models and sets, in the order of their first cell."""
        return list(dict.fromkeys((key.model, key.set) for key in self._cells))

    def variants(self, model: str, name: str) -> list[str]:
        """The variants of a model and set, the base first."""
        found = dict.fromkeys(key.variant for key in self._cells if (key.model, key.set) == (model, name))
        return sorted(found, key=lambda variant: variant != BASE)

    def prefixes(self, model: str, name: str) -> list[int]:
        """The prefixes, longest first."""
        return sorted({key.prefix for key in self._cells if (key.model, key.set) == (model, name)}, reverse=True)

    def of(self, model: str, name: str, variant: str, prefix: int, structure: str, *, beside: str = "") -> list[Cell]:
        """The cells of all seeds that have one, and have one of the variant `beside` as well, if that is named."""
        found = []
        for seed in sorted({key.seed for key in self._cells}):
            cell, other = (
                self._cells.get(Key(model, name, each, seed, prefix, structure))
                for each in (variant, beside or variant)
            )
            if cell is not None and other is not None:
                found.append(cell)
        return found

    def count(self, model: str, name: str) -> int:
        """The number of passages."""
        return next(cell.count for key, cell in self._cells.items() if (key.model, key.set) == (model, name))

    def ndcg(self, model: str, name: str, variant: str, prefix: int, *, beside: str = "") -> Values:
        """(queries,) nDCG@10 by exact search, means over the seeds (see `of`); empty if it was not measured."""
        cells = self.of(model, name, variant, prefix, EXACT, beside=beside)
        return np.mean([cell.ndcg for cell in cells], axis=0) if cells else np.empty(0)

    def geometry(self, model: str, name: str, variant: str, prefix: int) -> Mapping[str, float]:
        """The figures, means over the seeds; empty if they were not measured."""
        cells = [cell.geometry for cell in self.of(model, name, variant, prefix, EXACT) if cell.geometry]
        return {figure: float(np.mean([each[figure] for each in cells])) for figure in cells[0]} if cells else {}


def curve(cells: Sequence[Cell], *, rescored: bool, by_computations: bool = True) -> Curve | None:
    """The curve of a structure's cells, one a seed; None if there are none or its computations are unknown.

    `by_computations`: the effort in distances, rescored candidates included; otherwise the structure's own number.
    """
    if not cells or (by_computations and any(point.computations is None for point in cells[0].points)):
        return None
    hits = [[recalls(p.rescored_hits if rescored else p.hits) for p in cell.points] for cell in cells]
    ndcg = [[p.rescored_ndcg if rescored else p.ndcg for p in cell.points] for cell in cells]
    efforts = [[(p.computations or 0.0) if by_computations else p.effort for p in cell.points] for cell in cells]
    return Curve(np.mean(efforts, axis=0), np.mean(hits, axis=0), np.mean(ndcg, axis=0))


def gain(own: Values, base: Values) -> Ratio:
    """The mean difference of two measures of the same queries, with its interval."""
    means = drawn_queries(len(own)) @ (own - base)
    low, high = np.percentile(means[1:], (2.5, 97.5))
    return Ratio(float(means[0]), float(low), float(high))


def ndcg_at_effort(own: Curve, effort: float) -> float:
    """nDCG@10 at an effort, between measured ones on a logarithmic scale."""
    return float(np.interp(np.log(effort), np.log(own.efforts), own.ndcg))


def spearman(left: Sequence[float], right: Sequence[float]) -> float:
    """The correlation of ranks; 0 where one side is constant."""
    ranks = np.stack([_ranks(np.asarray(side, np.float64)) for side in (left, right)])
    deviations = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((deviations**2).sum(axis=1))
    return float(deviations[0] @ deviations[1] / lengths.prod()) if lengths.all() else 0.0


def _ranks(values: Values) -> Values:
    """Ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Values = (ends - (counts + 1) / 2)[inverse]
    return shared


def correlations(study: Study, structure: str, figure: str, *, without: Sequence[str] = ()) -> list[float]:
    """The rank correlation of a figure of geometry with a structure's recall without rescoring, over the variants: one a group.

    A group is a model, a set and a prefix with five variants or more. `without`: variants that are left out.
    """
    found = []
    for model, name in study.groups():
        for prefix in study.prefixes(model, name):
            pairs = []
            for variant in (each for each in study.variants(model, name) if each not in without):
                own = curve(study.of(model, name, variant, prefix, structure), rescored=False, by_computations=False)
                figures = study.geometry(model, name, variant, prefix)
                if own is not None and figures:
                    pairs.append((figures[figure], float(own.recalls[MIDDLE[structure]].mean())))
            if len(pairs) >= 5:
                found.append(spearman(*zip(*pairs, strict=True)))
    return found


MIDDLE: Mapping[str, int] = {"hnsw": 1, "hnswlib": 1, "ivf-int8": 2, "int8": 0, "pq": 0, "rabitq": 0, "signs": 0}
"""The point of each structure whose recall is compared over the variants: efSearch 16, nprobe 4, the ten best by codes."""
