"""Judging any way of ranking on judged queries: rankings, and what each query's is worth by each metric.

It knows queries, documents' ids and judgements; whatever maps a query to documents can be judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchkit.evaluate.metrics import Metric, Relevance
from searchkit.reports import Progress, ProgressListener

Ranking = Sequence[tuple[str, float]]  # (document id, score), best first, no document twice
Search = Callable[[str, int], Ranking]  # of a query's text and the number of documents wanted
Values = npt.NDArray[np.float64]

DEPTH = 100


def _no_listener(_: Progress) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class QueryScores:
    """What some rankings are worth: for each metric a (queries,) array, in the order of `query_ids`."""

    query_ids: tuple[str, ...]
    values: Mapping[Metric, Values]

    def mean(self, metric: Metric) -> float:
        """Over the queries; 0 if there are none."""
        return float(self.values[metric].mean()) if len(self.query_ids) else 0.0


def rank_queries(
    search: Search,
    queries: Mapping[str, str],
    k: int = DEPTH,
    *,
    stage: str = "Searching",
    on_progress: ProgressListener = _no_listener,
) -> dict[str, Ranking]:
    """The k best documents of each query, by query id."""
    rankings: dict[str, Ranking] = {}
    for done, (query_id, text) in enumerate(queries.items(), 1):
        rankings[query_id] = search(text, k)
        on_progress(Progress(stage, done, len(queries), "queries"))
    return rankings


def score_rankings(rankings: Mapping[str, Ranking], qrels: Mapping[str, Relevance]) -> QueryScores:
    """Judge rankings by query id. Every query of the qrels counts, one without a ranking as 0."""
    found = {query_id: [document for document, _ in rankings.get(query_id, ())] for query_id in qrels}
    values = {
        metric: np.array([metric.of(found[query_id], relevance) for query_id, relevance in qrels.items()], np.float64)
        for metric in Metric
    }
    return QueryScores(tuple(qrels), values)


def evaluate_search(
    search: Search, queries: Mapping[str, str], qrels: Mapping[str, Relevance], k: int = DEPTH
) -> QueryScores:
    """Rank and judge in one go. `queries`: text by id, of those that `qrels` judges."""
    return score_rankings(rank_queries(search, {query_id: queries[query_id] for query_id in qrels}, k), qrels)
