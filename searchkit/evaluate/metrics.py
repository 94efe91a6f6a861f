"""Ranking metrics as trec_eval computes them. They know ids and judgements, nothing of where rankings come from."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from searchkit_indexes import Vectors

Relevance = Mapping[str, int]  # by document; one that is not judged counts as 0


class Metric(StrEnum):
    """What a ranking is judged by."""

    NDCG_10 = "ndcg@10"
    RECALL_10 = "recall@10"
    RECALL_100 = "recall@100"
    MRR_10 = "mrr@10"

    def of(self, ranking: Sequence[str], relevance: Relevance) -> float:
        """Its value for one query, 0 to 1, higher is better. The ranking holds no document twice."""
        name, k = self.value.split("@")
        return {"ndcg": ndcg_at, "recall": recall_at, "mrr": mrr_at}[name](int(k), ranking, relevance)


def ndcg_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """Normalised discounted cumulative gain of the first k, 0 to 1; 0 if nothing is relevant.

    The gain is the relevance itself, divided by log2(rank + 1); below 0 it counts as 0 (Järvelin and Kekäläinen 2002).
    """
    ideal = _discounted(sorted(relevance.values(), reverse=True)[:k])
    return _discounted([relevance.get(document, 0) for document in ranking[:k]]) / ideal if ideal else 0.0


def recall_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """The share of the relevant documents (a relevance above 0) that is among the first k; 0 if nothing is relevant."""
    relevant = sum(value > 0 for value in relevance.values())
    return sum(relevance.get(document, 0) > 0 for document in ranking[:k]) / relevant if relevant else 0.0


def mrr_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """1 / rank of the first relevant document among the first k, 0 if none is; its mean over queries has the name MRR."""
    ranks = (rank for rank, document in enumerate(ranking[:k], 1) if relevance.get(document, 0) > 0)
    return 1 / next(ranks, math.inf)


def rank_exactly(queries: Vectors, documents: Vectors, document_ids: Sequence[str], k: int) -> list[list[str]]:
    """For each query the ids of the k documents with the highest dot products, best first.

    Equal scores are ordered by id, the last one first.
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
