"""Ranking metrics as trec_eval computes them. They know ids and judgements, nothing of where rankings come from."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from searchkit.embedding.embedder import Vectors

Relevance = Mapping[str, int]  # by document; one that is not judged counts as 0


def ndcg_at(k: int, ranking: Sequence[str], relevance: Relevance) -> float:
    """Normalised discounted cumulative gain of the first k, 0 to 1; 0 if nothing is relevant.

    The gain is the relevance itself, divided by log2(rank + 1); below 0 it counts as 0 (Järvelin and Kekäläinen 2002).
    """
    ideal = _discounted(sorted(relevance.values(), reverse=True)[:k])
    return _discounted([relevance.get(document, 0) for document in ranking[:k]]) / ideal if ideal else 0.0


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
