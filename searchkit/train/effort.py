"""Compares how many candidates of an approximate index full vectors must score for a recall, before and after a model changes.

An index of codes or a graph proposes candidates, and full vectors decide their order. A model whose vectors are harder to tell
apart by their codes needs more of them for the same recall of its own nearest passages. Works on vectors alone.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit_indexes import DEFAULT_EFFORT, IndexSpec, Structure, StructureMissingError, Vectors, build_index

Values = npt.NDArray[np.float64]
GOAL = 0.99  # recall@10 whose candidates are compared
EFFORT_LOSS = 1.25  # times the candidates that an adapted model may need, as far as its interval is certain
RECALL_LOSS = 0.02  # with the largest number of candidates, where GOAL was not reached before
_CANDIDATES = (10, 15, 20, 30, 50, 80, 120, 200, 320)
_NEAREST = 10
_MOST_PASSAGES, _MOST_QUERIES = (
    30_000,
    500,
)  # a sample of a larger collection: both indexes are built for the comparison
_SAMPLES = 2_000
_GRAPHS = {Structure.HNSW, Structure.HNSWLIB}


@dataclass(frozen=True, slots=True)
class RecallCurve:
    """Recall by effort. `efforts`: (m,) ascending; `recalls`: (m, queries), from 0 to 1."""

    efforts: Values
    recalls: Values


@dataclass(frozen=True, slots=True)
class Ratio:
    """An effort over another one, below 1 if it is less, with its 95 % interval; NaN where one does not reach the recall."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EffortPoint:
    """recall@10 of a model's own nearest passages with so many candidates, before and after."""

    candidates: int
    recall_before: float
    recall_after: float


@dataclass(frozen=True, slots=True)
class Effort:
    """An index before and after. `needed_before`, `needed_after`: candidates for a recall of GOAL, None if it is not reached.

    `ratio`, `low`, `high`: of the two with the 95 % interval over the queries, None if one does not reach it. `passages`: how many
    of the collection were in the index.
    """

    index: str
    passages: int
    queries: int
    points: tuple[EffortPoint, ...]
    needed_before: float | None
    needed_after: float | None
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def is_too_much(self) -> bool:
        """True if the candidates grow by more than EFFORT_LOSS even at the lower end, or reach GOAL no longer.

        Where they did not reach it before either, the largest number of them may lose RECALL_LOSS of recall.
        """
        if self.needed_before is None:
            return bool(self.points) and self.points[-1].recall_after < self.points[-1].recall_before - RECALL_LOSS
        return self.needed_after is None or (self.low is not None and self.low > EFFORT_LOSS)


def compare_effort(spec: IndexSpec, queries: Vectors, corpus: Vectors, matrix: Matrix) -> Effort | None:
    """Compare an index of a corpus with the same index of the corpus mapped by a matrix.

    None for an index that compares every full vector, without queries or passages, or if the index's library is not installed.
    """
    if not is_approximate(spec) or len(corpus) <= _NEAREST or not len(queries):
        return None
    rows = np.sort(np.random.default_rng(0).permutation(len(corpus))[:_MOST_PASSAGES])
    queries, corpus = queries[:_MOST_QUERIES], corpus[rows]
    try:
        before = recall_curve(spec, queries, corpus)
        after = recall_curve(spec, mapped(queries, matrix), mapped(corpus, matrix))
    except StructureMissingError:
        return None
    needed = [effort_at(each.efforts, each.recalls.mean(axis=1), GOAL) for each in (before, after)]
    ratio = effort_ratio(after, before, GOAL)
    means = zip(before.efforts.tolist(), before.recalls.mean(axis=1), after.recalls.mean(axis=1), strict=True)
    return Effort(
        index=str(spec),
        passages=len(corpus),
        queries=len(queries),
        points=tuple(EffortPoint(int(number), float(old), float(new)) for number, old, new in means),
        needed_before=_finite(needed[0]),
        needed_after=_finite(needed[1]),
        ratio=_finite(ratio.value),
        low=_finite(ratio.low),
        high=_finite(ratio.high),
    )


def is_approximate(spec: IndexSpec) -> bool:
    """True if searches of an index look at a part of its full vectors only."""
    return spec.structure is not Structure.FLAT


def recall_curve(spec: IndexSpec, queries: Vectors, corpus: Vectors) -> RecallCurve:
    """Measure recall@10 by candidates, which are ordered by full vectors. Raises StructureMissingError.

    A graph is searched as far as it must propose so many; lists are visited as many as by default.
    """
    ids = np.arange(len(corpus), dtype=np.int64)
    index = build_index(spec, [(ids, corpus)], effort=DEFAULT_EFFORT.get(spec.structure))
    nearest = np.argpartition(-(queries @ corpus.T), _NEAREST - 1, axis=1)[:, :_NEAREST]
    counts = sorted({min(count, len(corpus)) for count in _CANDIDATES})
    widest = index.search(queries, counts[-1]).ids
    recalls = []
    for count in counts:
        found = widest[:, :count]
        if spec.structure in _GRAPHS:
            index.set_effort(count)
            found = index.search(queries, count).ids
        recalls.append([_recall(*each, corpus) for each in zip(queries, found, nearest, strict=True)])
    return RecallCurve(np.array(counts, np.float64), np.array(recalls, np.float64))


def _recall(query: Vectors, found: "npt.NDArray[np.int64]", nearest: "npt.NDArray[np.int64]", corpus: Vectors) -> float:
    """The share of the nearest that are first when full vectors order what was found."""
    known = found[found >= 0]
    best = known[np.argsort(-(corpus[known] @ query), kind="stable")[:_NEAREST]]
    return float(np.isin(nearest, best).mean())


def effort_at(efforts: Values, recall: Values, goal: float) -> float:
    """The effort at which a recall (m,) is reached, between measured ones on a logarithmic scale; infinite if it is not."""
    return float(efforts_at(efforts, recall[None], goal)[0])


def efforts_at(efforts: Values, recalls: Values, goal: float) -> Values:
    """The same for each row of (n, m) recalls: (n,)."""
    rising = np.maximum.accumulate(recalls, axis=1)
    rows, first = np.arange(len(rising)), np.argmax(rising >= goal, axis=1)
    before = np.maximum(first - 1, 0)
    step = rising[rows, first] - rising[rows, before]
    share = np.divide(goal - rising[rows, before], step, out=np.ones_like(step), where=step > 0)
    logarithms = np.log(efforts)
    found = np.exp((1 - share) * logarithms[before] + share * logarithms[first])
    return np.where(rising[:, -1] < goal, np.inf, np.where(first == 0, efforts[0], found))


def effort_ratio(own: RecallCurve, base: RecallCurve, goal: float) -> Ratio:
    """The effort for a recall over the base's; the interval by a percentile bootstrap over the queries, the same of both."""
    drawn = drawn_queries(base.recalls.shape[1])
    one, other = (efforts_at(each.efforts, drawn @ each.recalls.T, goal) for each in (own, base))
    ratios = np.divide(one, other, out=np.full_like(one, np.nan), where=np.isfinite(one) & np.isfinite(other))
    known = ratios[1:][~np.isnan(ratios[1:])]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) > _SAMPLES / 2 else (np.nan, np.nan)
    return Ratio(float(ratios[0]), float(low), float(high))


@lru_cache(maxsize=8)
def drawn_queries(count: int) -> Values:
    """(1 + samples, count) shares of the queries: all of them alike, then as samples with replacement have them."""
    alike = np.full(count, 1 / count)
    drawn: Values = np.random.default_rng(1).multinomial(count, alike, _SAMPLES) / count
    return np.concatenate([alike[None], drawn])


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
