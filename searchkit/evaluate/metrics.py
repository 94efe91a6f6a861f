"""Ranking metrics as trec_eval computes them, and scores of rankings over a set of judged queries.

Knows queries, document ids and judgements; any function from a query to documents can be judged.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from searchkit.reports import Progress, ProgressListener
from searchkit_indexes import Vectors

Relevance = Mapping[str, int]  # by document; unjudged documents count as 0


class Metric(StrEnum):
    """A ranking metric."""

    NDCG_10 = "ndcg@10"
    RECALL_10 = "recall@10"
    RECALL_100 = "recall@100"
    MRR_10 = "mrr@10"

    def of(self, ranking: Sequence[str], relevance: Relevance) -> float:
        """Compute the metric for one query, 0 to 1, higher is better. The ranking must not repeat documents."""
        name, k = self.value.split("@")
        return {"ndcg": ndcg_at, "recall": recall_at, "mrr": mrr_at}[name](int(k), ranking, relevance)


def ndcg_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """Compute the normalised discounted cumulative gain of the first k, 0 to 1; 0 if nothing is relevant.

    The gain is the relevance divided by log2(rank + 1); negative relevance counts as 0 (Järvelin and Kekäläinen 2002).
    """
    ideal = _discounted(sorted(relevance.values(), reverse=True)[:k])
    return _discounted([relevance.get(document, 0) for document in ranking[:k]]) / ideal if ideal else 0.0


def recall_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """Compute the share of relevant documents (relevance above 0) among the first k; 0 if nothing is relevant."""
    relevant = sum(value > 0 for value in relevance.values())
    return sum(relevance.get(document, 0) > 0 for document in ranking[:k]) / relevant if relevant else 0.0


def mrr_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """Compute 1 / rank of the first relevant document among the first k, else 0; its mean over queries is the MRR."""
    ranks = (rank for rank, document in enumerate(ranking[:k], 1) if relevance.get(document, 0) > 0)
    return 1 / next(ranks, math.inf)


def rank_exactly(queries: Vectors, documents: Vectors, document_ids: Sequence[str], k: int) -> list[list[str]]:
    """Rank for each query the k documents with the highest dot products, as ids, best first.

    Equal scores are ordered by descending id.
    """
    order = sorted(range(len(document_ids)), key=lambda row: document_ids[row], reverse=True)
    ids = [document_ids[row] for row in order]
    rankings = []
    for scores in (documents @ query for query in queries):
        best = np.argsort(-scores[order], kind="stable")[:k]
        rankings.append([ids[place] for place in best])
    return rankings


def _discounted(gains: Sequence[int]) -> float:
    return sum(max(gain, 0) / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


Ranking = Sequence[tuple[str, float]]  # (document id, score), best first, no repeated document
Search = Callable[[str, int], Ranking]  # takes a query's text and the number of documents
Values = npt.NDArray[np.float64]

DEPTH = 100


def _no_listener(_: Progress) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class QueryScores:
    """The scores of rankings: for each metric a (queries,) array, in the order of `query_ids`."""

    query_ids: tuple[str, ...]
    values: Mapping[Metric, Values]

    def mean(self, metric: Metric) -> float:
        """Average a metric over the queries; 0 if there are none."""
        return float(self.values[metric].mean()) if len(self.query_ids) else 0.0


def rank_queries(
    search: Search,
    queries: Mapping[str, str],
    k: int = DEPTH,
    *,
    stage: str = "Searching",
    on_progress: ProgressListener = _no_listener,
) -> dict[str, Ranking]:
    """Search the k best documents of each query; rankings by query id."""
    rankings: dict[str, Ranking] = {}
    for done, (query_id, text) in enumerate(queries.items(), 1):
        rankings[query_id] = search(text, k)
        on_progress(Progress(stage, done, len(queries), "queries"))
    return rankings


def score_rankings(rankings: Mapping[str, Ranking], qrels: Mapping[str, Relevance]) -> QueryScores:
    """Score rankings by query id. Every query of the qrels counts; one without a ranking scores 0."""
    found = {query_id: [document for document, _ in rankings.get(query_id, ())] for query_id in qrels}
    values = {
        metric: np.array([metric.of(found[query_id], relevance) for query_id, relevance in qrels.items()], np.float64)
        for metric in Metric
    }
    return QueryScores(tuple(qrels), values)


def evaluate_search(
    search: Search, queries: Mapping[str, str], qrels: Mapping[str, Relevance], k: int = DEPTH
) -> QueryScores:
    """Rank and score. `queries`: texts by id of at least the queries in `qrels`."""
    return score_rankings(rank_queries(search, {query_id: queries[query_id] for query_id in qrels}, k), qrels)
