"""The results of an evaluation: means with intervals, differences, and the queries that changed most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchkit.evaluate.metrics import Metric, QueryScores
from searchkit.evaluate.statistics import paired_interval, randomization_p

CHANGES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries and its 95 % interval (percentile bootstrap)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two ways on the same queries: its mean, 95 % interval, and p by the randomization test."""

    way: str
    other: str
    metric: Metric
    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Change:
    """A query's nDCG@10 with a way, `value`, and with the one it is compared with, `other`. `text`: "" if unknown."""

    query_id: str
    text: str
    value: float
    other: float


@dataclass(frozen=True, slots=True)
class Changes:
    """The queries that a way answers better or worse than another, by descending difference."""

    way: str
    other: str
    winners: tuple[Change, ...]
    losers: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a warm search for ten hits, from the text to the snippets.

    `query_embedding_ms`: median time for the query's vector. `embedding_ms`: median time in the model, which includes the
    sentences among which snippets are chosen.
    """

    queries: int
    median_ms: float
    percentile_95_ms: float
    query_embedding_ms: float
    embedding_ms: float


@dataclass(frozen=True, slots=True)
class WayRow:
    """The scores of a way of searching. `index`: the one that semantic search used, "" for lexical search."""

    way: str
    mode: str
    index: str
    scores: Mapping[Metric, Estimate]
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class SetReport:
    """The ways of searching compared on one set of judged queries; `k`: documents per ranking."""

    name: str
    model: str
    documents: int
    passages: int
    queries: int
    k: int
    rows: tuple[WayRow, ...]
    differences: tuple[Difference, ...]
    changes: Changes | None


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """All sets; `means`: each way's metrics averaged over the sets with equal weights, empty for a single set."""

    sets: tuple[SetReport, ...]
    means: Mapping[str, Mapping[Metric, float]]


def estimates(scores: QueryScores) -> dict[Metric, Estimate]:
    """Compute the mean of each metric, with its interval."""
    return {metric: _estimate(scores, metric) for metric in Metric}


def differences(way: str, scores: QueryScores, other: str, others: QueryScores) -> list[Difference]:
    """Compute the difference of each metric. Raises ValueError unless both have the same queries in the same order."""
    if scores.query_ids != others.query_ids:
        raise ValueError(f"{way} and {other} are not of the same queries")
    found = []
    for metric in Metric:
        values, reference = scores.values[metric].tolist(), others.values[metric].tolist()
        low, high = paired_interval(values, reference)
        mean = scores.mean(metric) - others.mean(metric)
        found.append(Difference(way, other, metric, mean, low, high, randomization_p(values, reference)))
    return found


def most_changed(way: str, scores: QueryScores, other: str, others: QueryScores, texts: Mapping[str, str]) -> Changes:
    """List the queries whose nDCG@10 differs most, a few in each direction."""
    values = zip(scores.values[Metric.NDCG_10].tolist(), others.values[Metric.NDCG_10].tolist(), strict=True)
    changes = [Change(key, texts.get(key, ""), *pair) for key, pair in zip(scores.query_ids, values, strict=True)]
    ordered = sorted(changes, key=lambda change: change.other - change.value)
    winners = [change for change in ordered if change.value > change.other]
    losers = [change for change in reversed(ordered) if change.value < change.other]
    return Changes(way, other, tuple(winners[:CHANGES_SHOWN]), tuple(losers[:CHANGES_SHOWN]))


def report_of(sets: Sequence[SetReport]) -> RetrievalReport:
    """Combine sets, and average the ways that all of them have."""
    if len(sets) < 2:
        return RetrievalReport(tuple(sets), {})
    rows = [{row.way: row for row in one.rows} for one in sets]
    shared = [way for way in rows[0] if all(way in one for one in rows)]
    means = {
        way: {metric: sum(one[way].scores[metric].mean for one in rows) / len(rows) for metric in Metric}
        for way in shared
    }
    return RetrievalReport(tuple(sets), means)


def _estimate(scores: QueryScores, metric: Metric) -> Estimate:
    values = scores.values[metric].tolist()
    low, high = paired_interval(values, [0.0] * len(values))
    return Estimate(scores.mean(metric), low, high)
