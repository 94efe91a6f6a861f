"""How well a network finds the validation pairs' passages: what decides which checkpoint is the best."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.rows import Row

_DEPTH = 10
_POOL = 256  # passages to find among; more would cost more than the epoch between two looks
METRIC = "ndcg_10"


class Validation(SentenceEvaluator):  # type: ignore[misc]
    """Finds each query's own passage among the validation pairs' and, up to some hundreds, the training pairs'.

    Called as the trainer calls an evaluator. Raises ValueError for no validation rows.
    """

    def __init__(self, rows: Sequence[Row], others: Sequence[Row], embedding: Embedding, seed: int) -> None:
        if not rows:
            raise ValueError("no validation rows")
        super().__init__()
        own = list(dict.fromkeys(row.positive for row in rows))
        known = set(own)
        more = [text for text in dict.fromkeys(row.positive for row in others) if text not in known]
        wanted = max(0, min(_POOL - len(own), len(more)))
        self._passages = own + [more[number] for number in np.random.default_rng(seed).permutation(len(more))[:wanted]]
        self._queries = list(dict.fromkeys(row.query for row in rows))
        relevant = {query: set[str]() for query in self._queries}
        for row in rows:
            relevant[row.query].add(row.positive)
        self._relevant = np.array([[text in relevant[query] for text in self._passages] for query in self._queries])
        self._embedding = embedding

    def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mean nDCG@10, 0 to 1, higher is better. The trainer's arguments say nothing that is not known."""
        queries, passages = (self._embedding.embed_texts(texts) for texts in (self._queries, self._passages))
        ranked = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :_DEPTH]
        gains = np.take_along_axis(self._relevant, ranked, axis=1)
        discounts = 1 / np.log2(np.arange(2, _DEPTH + 2))
        ideal = np.array([discounts[: int(count)].sum() for count in self._relevant.sum(axis=1)])
        return {METRIC: float((gains @ discounts[: gains.shape[1]] / ideal).mean())}
