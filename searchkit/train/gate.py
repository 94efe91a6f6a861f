"""The gate: what a matrix does to held-out queries of the collection and to general ones, at every prefix and code.

The base stays unless the collection's queries gain and the general ones lose next to nothing. Queries that people have judged
gain in nDCG@10. Held-out pairs, each with one answer, gain in the likelihood of that answer, for sure, and lose next to nothing
in nDCG@10: real queries have several answers, and their nDCG@10 follows the likelihood (docs/benchmarks/training.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit.embedding.embedder import prefix
from searchkit.evaluate.metrics import ndcg_at, recall_at
from searchkit.evaluate.statistics import intervals
from searchkit.train.likelihoods import KnownItems, log_likelihood
from searchkit_indexes import Code, Ids, IndexSpec, Structure, Vectors, build_index

GENERAL_LOSS = 0.005  # nDCG@10 that the general check may lose, a mean over prefixes and codes
PAIRS_LOSS = 0.01  # the same of held-out pairs, if their likelihood gains
CODES: Mapping[str, tuple[Structure, Code]] = {
    "float32": (Structure.FLAT, Code.FLOAT32),
    "int8": (Structure.FLAT, Code.INT8),
    "1-bit": (Structure.RABITQ, Code.BIT1),
}
_DEPTH = 10
_CANDIDATES = 50  # of a code, that are put in order by the whole prefix
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class JudgedQueries:
    """Queries with the documents that answer them, all as vectors; `name` is for people.

    `relevance`: by document number. `document_of`: (corpus,) the document of each passage. `hidden`: for each query a row of the
    corpus that it does not see, -1 for none: the passage that holds the query as its title.
    """

    name: str
    queries: Vectors
    corpus: Vectors
    document_of: Ids
    relevance: tuple[Mapping[str, int], ...]
    hidden: Ids

    def under(self, matrix: Matrix) -> "JudgedQueries":
        """The same as a model with this matrix sees them."""
        queries, corpus = mapped(self.queries, matrix), mapped(self.corpus, matrix)
        return JudgedQueries(self.name, queries, corpus, self.document_of, self.relevance, self.hidden)


@dataclass(frozen=True, slots=True)
class Cell:
    """Before and after at a prefix and in a code: nDCG@10 with the 95 % interval of its gain, recall@10 of what is relevant, and
    the code's recall of the exact ten nearest.
    """

    prefix: int
    code: str
    ndcg_before: float
    ndcg_after: float
    gain_low: float
    gain_high: float
    recall_before: float
    recall_after: float
    ann_before: float
    ann_after: float

    @property
    def gain(self) -> float:
        """Of nDCG@10."""
        return self.ndcg_after - self.ndcg_before


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set of judged queries before and after. `gain`: of nDCG@10, a mean over prefixes and codes, with its 95 % interval.

    `likelihood`: mean, low and high of the gain in log-likelihood, of queries with one answer; None for others.
    """

    name: str
    queries: int
    cells: tuple[Cell, ...]
    gain: float
    low: float
    high: float
    likelihood: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the new model is better, and why, as a sentence."""

    passed: bool
    reason: str


def compare(judged: JudgedQueries, matrix: Matrix, prefixes: Sequence[int]) -> Comparison:
    """Measure a set before and after a matrix."""
    return compare_models(judged, judged.under(matrix), prefixes)


def compare_models(before: JudgedQueries, after: JudgedQueries, prefixes: Sequence[int]) -> Comparison:
    """Measure a set that two models have embedded."""
    places = [(dimension, code) for dimension in prefixes for code in CODES]
    pairs = [(_measure(before, *place), _measure(after, *place)) for place in places]
    gains = np.stack([new.ndcg - old.ndcg for old, new in pairs])
    mean = gains.mean(axis=0)
    *ranges, overall = intervals(np.concatenate([gains, mean[None]])).tolist()
    cells = tuple(
        Cell(
            prefix=dimension,
            code=code,
            ndcg_before=float(old.ndcg.mean()),
            ndcg_after=float(new.ndcg.mean()),
            gain_low=low,
            gain_high=high,
            recall_before=float(old.recall.mean()),
            recall_after=float(new.recall.mean()),
            ann_before=float(old.ann.mean()),
            ann_after=float(new.ann.mean()),
        )
        for (dimension, code), (old, new), (low, high) in zip(places, pairs, ranges, strict=True)
    )
    return Comparison(before.name, len(before.queries), cells, float(mean.mean()), *overall)


def compare_pairs(name: str, items: KnownItems, matrix: Matrix, prefixes: Sequence[int]) -> Comparison:
    """The same of held-out pairs, with the likelihood of their answers at the whole vector."""
    gains = log_likelihood(items.under(matrix)) - log_likelihood(items)
    ((low, high),) = intervals(gains[None]).tolist()
    return replace(compare(held_out(name, items), matrix, prefixes), likelihood=(float(gains.mean()), low, high))


def held_out(name: str, items: KnownItems) -> JudgedQueries:
    """Pairs as judged queries: each one's own passage answers it, and does not show its title to it."""
    count = len(items.corpus)
    documents = np.where(items.rows >= 0, items.rows, count + np.arange(len(items.rows)))
    return JudgedQueries(
        name=name,
        queries=items.queries,
        corpus=np.concatenate([items.corpus, items.passages]),
        document_of=np.concatenate([np.arange(count), documents]),
        relevance=tuple({str(document): 1} for document in documents),
        hidden=items.rows,
    )


def judge(targets: Sequence[Comparison], general: Sequence[Comparison]) -> Verdict:
    """Pass if every target gains and no general set loses more than GENERAL_LOSS."""
    for target in targets:
        if problem := _problem(target):
            return Verdict(False, f"{target.name}: {problem}")
    for check in general:
        if check.gain < -GENERAL_LOSS:
            return Verdict(
                False, f"the general check {check.name} loses {-check.gain:.4f} of nDCG@10, {GENERAL_LOSS} is allowed"
            )
    gained = ", ".join(f"{target.name} {target.gain:+.4f}{_likelier(target)}" for target in targets)
    kept = "".join(f", {check.name} {check.gain:+.4f}" for check in general)
    return Verdict(True, f"nDCG@10: {gained}{kept}{_clear_loss([*targets, *general])}")


def _likelier(target: Comparison) -> str:
    """What decided, of pairs."""
    return f" (answers likelier by {target.likelihood[0]:.2f} nats)" if target.likelihood else ""


def _clear_loss(comparisons: Sequence[Comparison]) -> str:
    """The cell that loses most among those that lose for sure, which a mean may hide; "" if none does."""
    losing = [(cell.gain, one.name, cell) for one in comparisons for cell in one.cells if cell.gain_high < 0]
    if not losing:
        return ""
    gain, name, cell = min(losing, key=lambda found: found[0])
    return f" (but {name} {gain:+.4f} at {cell.prefix} dimensions, {cell.code})"


def _problem(target: Comparison) -> str:
    """What a target lacks, "" if nothing."""
    if target.likelihood is None:
        return "" if target.gain > 0 else f"nDCG@10 does not rise ({target.gain:+.4f})"
    mean, low, _ = target.likelihood
    if not low > 0:
        return f"the answers do not get likelier for sure ({mean:+.3f}, at least {low:+.3f})"
    return "" if target.gain >= -PAIRS_LOSS else f"nDCG@10 falls ({target.gain:+.4f})"


@dataclass(frozen=True, slots=True)
class _Measured:
    ndcg: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    ann: npt.NDArray[np.float64]


def _measure(judged: JudgedQueries, dimension: int, code: str) -> _Measured:
    """Per query: candidates come from the code, their order from the whole prefix, as in a search."""
    queries, corpus = prefix(judged.queries, dimension), prefix(judged.corpus, dimension)
    structure, coded = CODES[code]
    ids = np.arange(len(corpus), dtype=np.int64)
    is_exact = code == "float32"
    index = None if is_exact else build_index(IndexSpec(structure, coded, dimension), [(ids, corpus)])
    values: list[tuple[float, float, float]] = []
    for start in range(0, len(queries), _AT_ONCE):
        scores = queries[start : start + _AT_ONCE] @ corpus.T
        found = (
            None if index is None else index.search(queries[start : start + _AT_ONCE], min(_CANDIDATES, len(ids))).ids
        )
        for i, row in enumerate(scores, start):
            if judged.hidden[i] >= 0:
                row[judged.hidden[i]] = -2.0
            order = np.argpartition(-row, _CANDIDATES)[:_CANDIDATES] if len(row) > _CANDIDATES else np.arange(len(row))
            order = order[np.argsort(-row[order], kind="stable")]
            chosen = order if found is None else found[i - start][found[i - start] >= 0]
            chosen = chosen[np.argsort(-row[chosen], kind="stable")]
            documents = list(dict.fromkeys(str(judged.document_of[place]) for place in chosen))
            ann = len(set(order[:_DEPTH].tolist()) & set(chosen[:_DEPTH].tolist())) / min(_DEPTH, len(order))
            relevance = judged.relevance[i]
            values.append((ndcg_at(_DEPTH, documents, relevance), recall_at(_DEPTH, documents, relevance), ann))
    columns = np.array(values, np.float64).reshape(-1, 3).T
    return _Measured(*columns)
