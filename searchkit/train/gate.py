"""The gate: compares a new model with its base on held-out and general queries, at every prefix and code, and passes or fails it.

The base stays unless the collection's queries gain and the general ones lose next to nothing. Queries judged by people must gain
in nDCG@10. Held-out pairs have one answer each: its likelihood must gain significantly, and nDCG@10 may lose next to nothing.
Real queries have several answers, and their nDCG@10 follows that likelihood (docs/benchmarks/training.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit.embedding.embedder import prefix
from searchkit.evaluate.metrics import ndcg_at, recall_at
from searchkit.evaluate.statistics import intervals
from searchkit.train.effort import GOAL, Effort
from searchkit.train.likelihoods import KnownItems, Values, log_likelihood
from searchkit_indexes import Code, Ids, IndexSpec, Structure, Vectors, build_index

GENERAL_LOSS = 0.005  # nDCG@10 that a general check may lose, averaged over prefixes and codes
PAIRS_LOSS = 0.01  # nDCG@10 that held-out pairs may lose if their likelihood gains
FLOATS = "float32"
CODES: Mapping[str, tuple[Structure, Code]] = {
    FLOATS: (Structure.FLAT, Code.FLOAT32),
    "int8": (Structure.FLAT, Code.INT8),
    "1-bit": (Structure.RABITQ, Code.BIT1),
}
_DEPTH = 10
_CANDIDATES = 50  # passages that a code finds, to be rescored by the whole prefix
_AT_ONCE = 64
NONE_HIDDEN: Ids = np.empty(0, np.int64)
NO_GAINS: Values = np.empty(0)


@dataclass(frozen=True, slots=True)
class JudgedQueries:
    """Queries with the documents that answer them, all as vectors; `name` is for people.

    `relevance`: by document number. `document_of`: (corpus,) the document of each passage. `hidden`: of each query, the rows of the
    corpus that are hidden from it, because the query was taken out of them.
    """

    name: str
    queries: Vectors
    corpus: Vectors
    document_of: Ids
    relevance: tuple[Mapping[str, int], ...]
    hidden: tuple[Ids, ...]

    def of_rows(self, rows: Ids) -> "JudgedQueries":
        """Some of the queries, with the whole corpus."""
        relevance, hidden = (tuple(each[row] for row in rows.tolist()) for each in (self.relevance, self.hidden))
        return replace(self, queries=self.queries[rows], relevance=relevance, hidden=hidden)

    def under(self, matrix: Matrix) -> "JudgedQueries":
        """Map the queries and the corpus by a matrix."""
        queries, corpus = mapped(self.queries, matrix), mapped(self.corpus, matrix)
        return JudgedQueries(self.name, queries, corpus, self.document_of, self.relevance, self.hidden)


@dataclass(frozen=True, slots=True)
class Cell:
    """Figures before and after, for one prefix and one code.

    nDCG@10 with the 95 % interval of its gain, recall@10 of the relevant documents, and `ann`: the code's recall of the ten
    nearest passages.
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
        """The gain in nDCG@10."""
        return self.ndcg_after - self.ndcg_before


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set of judged queries before and after. `gain`: in nDCG@10, averaged over prefixes and codes, with its 95 % interval.

    `likelihood`: the mean gain in log-likelihood with its 95 % interval, for queries with one answer, perhaps with that of
    cross-validated pairs; None for others.
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
    """The gate's decision, and its reason as a sentence."""

    passed: bool
    reason: str


def compare(judged: JudgedQueries, matrix: Matrix, prefixes: Sequence[int]) -> Comparison:
    """Measure a set before and after it is mapped by a matrix."""
    return compare_models(judged, judged.under(matrix), prefixes)


def compare_models(before: JudgedQueries, after: JudgedQueries, prefixes: Sequence[int]) -> Comparison:
    """Measure a set that two models have embedded."""
    settings = [(dimension, code) for dimension in prefixes for code in CODES]
    pairs = [(_measure(before, *setting), _measure(after, *setting)) for setting in settings]
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
        for (dimension, code), (old, new), (low, high) in zip(settings, pairs, ranges, strict=True)
    )
    return Comparison(before.name, len(before.queries), cells, float(mean.mean()), *overall)


def compare_pairs(
    name: str, items: KnownItems, matrix: Matrix, prefixes: Sequence[int], beside: Values = NO_GAINS
) -> Comparison:
    """Measure held-out pairs before and after a matrix, with the likelihood of their answers at full dimension.

    `beside`: (n,) what the likelihood of other pairs gains in cross-validation. It counts beside that of the held-out ones if
    these gain themselves: a few dozen alone prove nothing.
    """
    gains = log_likelihood(items.under(matrix)) - log_likelihood(items)
    if gains.mean() > 0:
        gains = np.concatenate([gains, beside])
    ((low, high),) = intervals(gains[None]).tolist()
    return replace(compare(held_out(name, items), matrix, prefixes), likelihood=(float(gains.mean()), low, high))


def ndcg_by_prefix(judged: JudgedQueries, prefixes: Sequence[int]) -> npt.NDArray[np.float64]:
    """(prefixes, queries) nDCG@10 by exact search of each prefix."""
    return np.stack([_measure(judged, dimension, FLOATS).ndcg for dimension in prefixes])


def held_out(name: str, items: KnownItems) -> JudgedQueries:
    """Pairs as judged queries: each is answered by its own passage, without what was taken out of it.

    A query sees neither the passage as it is stored nor what is left of it beside another query: that still has this one.
    """
    count = len(items.corpus)
    documents = np.where(items.rows >= 0, items.rows, count + np.arange(len(items.rows)))
    return JudgedQueries(
        name=name,
        queries=items.queries,
        corpus=np.concatenate([items.corpus, items.passages]),
        document_of=np.concatenate([np.arange(count), documents]),
        relevance=tuple({str(document): 1} for document in documents),
        hidden=tuple(_forms_but_own(documents, count)),
    )


def _forms_but_own(documents: Ids, count: int) -> Iterator[Ids]:
    """For each query, all forms of its passage but its own. `documents`: of the queries; `count`: of stored passages."""
    order = np.argsort(documents, kind="stable")
    for query, document in enumerate(documents.tolist()):
        same = order[slice(*np.searchsorted(documents[order], [document, document + 1]))]
        stored = [document] if document < count else []
        yield np.concatenate([np.array(stored, np.int64), count + same[same != query]])


def judge(targets: Sequence[Comparison], general: Sequence[Comparison], effort: Effort | None = None) -> Verdict:
    """Pass if every target gains, no general set loses more than GENERAL_LOSS, and the index needs hardly more candidates.

    `effort`: of the collection's index; None where it compares every full vector, or is not known.
    """
    for target in targets:
        if problem := _problem(target):
            return Verdict(False, f"{target.name}: {problem}")
    if loss := _general_loss(general):
        return Verdict(False, loss)
    if effort is not None and effort.is_too_much:
        return Verdict(False, f"the index {effort.index} needs {_candidates(effort)} for a recall of {GOAL}")
    gained = ", ".join(f"{target.name} {target.gain:+.4f}{_likelier(target)}" for target in targets)
    needs = f"; candidates of the index for a recall of {GOAL}: {_candidates(effort)}" if effort else ""
    return Verdict(True, f"nDCG@10: {gained}{_kept(general)}{_significant_loss([*targets, *general])}{needs}")


def judge_recovery(target: Comparison, general: Sequence[Comparison], nearer: tuple[float, float, float]) -> Verdict:
    """Pass a model that only wins back what its quantization loses: nearer to its base in floats, and as good.

    `nearer`: the gain in the cosine to the base's vectors in floats on held-out texts, with its 95 % interval. nDCG@10 may fall by
    PAIRS_LOSS on held-out pairs, and by GENERAL_LOSS on a general set.
    """
    mean, low, _ = nearer
    if not low > 0:
        return Verdict(
            False, f"held-out texts come no nearer to the base in floats (cosine {mean:+.4f}, at least {low:+.4f})"
        )
    if target.gain < -PAIRS_LOSS:
        return Verdict(False, f"{target.name}: nDCG@10 falls ({target.gain:+.4f})")
    if loss := _general_loss(general):
        return Verdict(False, loss)
    lost = _significant_loss([target, *general])
    kept = f"nDCG@10: {target.name} {target.gain:+.4f}{_kept(general)}{lost}"
    return Verdict(True, f"cosine to the base in floats {mean:+.4f}; {kept}")


def _general_loss(general: Sequence[Comparison]) -> str:
    """Say which general check loses too much, "" if none does."""
    failing = next((check for check in general if loses_too_much(check)), None)
    if failing is None:
        return ""
    return f"the general check {failing.name} loses {-failing.gain:.4f} of nDCG@10; {GENERAL_LOSS} is allowed"


def _kept(general: Sequence[Comparison]) -> str:
    return "".join(f", {check.name} {check.gain:+.4f}" for check in general)


def _candidates(effort: Effort) -> str:
    """How many candidates are needed, and how many were before."""
    after, before = (
        f"more than {effort.points[-1].candidates if effort.points else 0}" if each is None else f"{each:.0f}"
        for each in (effort.needed_after, effort.needed_before)
    )
    return f"{after} candidates instead of {before}" if effort.is_too_much else f"{before} → {after}"


def loses_too_much(check: Comparison) -> bool:
    """True if a general check loses more than GENERAL_LOSS."""
    return check.gain < -GENERAL_LOSS


def _likelier(target: Comparison) -> str:
    """The gain in likelihood, which decides for pairs."""
    return f" (answers likelier by {target.likelihood[0]:.2f} nats)" if target.likelihood else ""


def _significant_loss(comparisons: Sequence[Comparison]) -> str:
    """The largest significant loss of a cell, which the mean may hide; "" if there is none."""
    losing = [(cell.gain, one.name, cell) for one in comparisons for cell in one.cells if cell.gain_high < 0]
    if not losing:
        return ""
    gain, name, cell = min(losing, key=lambda found: found[0])
    return f" (but {name} {gain:+.4f} at {cell.prefix} dimensions, {cell.code})"


def _problem(target: Comparison) -> str:
    """Why a target does not pass, "" if it does."""
    if target.likelihood is None:
        return "" if target.gain > 0 else f"nDCG@10 does not rise ({target.gain:+.4f})"
    mean, low, _ = target.likelihood
    if not low > 0:
        return f"answer likelihood does not improve significantly ({mean:+.3f}, 95 % lower bound {low:+.3f})"
    return "" if target.gain >= -PAIRS_LOSS else f"nDCG@10 falls ({target.gain:+.4f})"


@dataclass(frozen=True, slots=True)
class _Measured:
    ndcg: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    ann: npt.NDArray[np.float64]


def _measure(judged: JudgedQueries, dimension: int, code: str) -> _Measured:
    """Search as a collection is searched: candidates by the code, rescored by the whole prefix. Figures by query."""
    queries, corpus = prefix(judged.queries, dimension), prefix(judged.corpus, dimension)
    structure, coded = CODES[code]
    ids = np.arange(len(corpus), dtype=np.int64)
    is_exact = code == FLOATS
    index = None if is_exact else build_index(IndexSpec(structure, coded, dimension), [(ids, corpus)])
    values: list[tuple[float, float, float]] = []
    for start in range(0, len(queries), _AT_ONCE):
        scores = queries[start : start + _AT_ONCE] @ corpus.T
        found = (
            None if index is None else index.search(queries[start : start + _AT_ONCE], min(_CANDIDATES, len(ids))).ids
        )
        for i, row in enumerate(scores, start):
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
