"""How well pairs' queries find their passages among a corpus, under any matrix; all from vectors, nothing is embedded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit.embedding.embedder import prefix
from searchkit_indexes import Vectors

Values = npt.NDArray[np.float64]
TEMPERATURE = 0.05  # of the likelihood; see docs/benchmarks/training.md for how it follows real judgements
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class KnownItems:
    """Queries, each with one passage that answers it, among a corpus.

    `rows`: the passage's row in the corpus, which has its vector with the title; `passages` are without.
    """

    queries: Vectors
    passages: Vectors
    rows: npt.NDArray[np.int64]
    corpus: Vectors

    def under(self, matrix: Matrix) -> "KnownItems":
        """The same as a model with this matrix sees it."""
        return KnownItems(
            mapped(self.queries, matrix), mapped(self.passages, matrix), self.rows, mapped(self.corpus, matrix)
        )

    def cut(self, dimension: int) -> "KnownItems":
        """The same at a prefix."""
        return KnownItems(
            prefix(self.queries, dimension), prefix(self.passages, dimension), self.rows, prefix(self.corpus, dimension)
        )

    def cosines(self) -> tuple[Vectors, Vectors]:
        """(n, corpus) of the queries with all passages but their own, which is at -1, and (n,) with their own."""
        others = self.queries @ self.corpus.T
        known = np.flatnonzero(self.rows >= 0)
        others[known, self.rows[known]] = -1.0
        return others, (self.queries * self.passages).sum(axis=1)


def log_likelihood(items: KnownItems) -> Values:
    """(n,) of each query's own passage, by a softmax over the cosines with all; higher is better, 0 at most."""
    others, own = items.cosines()
    logits = np.concatenate([own[:, None], others], axis=1).astype(np.float64) / TEMPERATURE
    highest = logits.max(axis=1)
    total: Values = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    likelihood: Values = logits[:, 0] - total
    return likelihood


def ranks(items: KnownItems) -> npt.NDArray[np.int64]:
    """(n,) of each query's own passage among all, from 1."""
    others, own = items.cosines()
    found: npt.NDArray[np.int64] = (others > own[:, None]).sum(axis=1) + 1
    return found


def ndcg_of_ranks(found: npt.NDArray[np.int64]) -> Values:
    """(n,) nDCG@10 where one passage is relevant: 1 / log2(rank + 1)."""
    values: Values = np.where(found <= _DEPTH, 1 / np.log2(found + 1.0), 0.0)
    return values


def ndcg_at_prefixes(items: KnownItems, prefixes: Sequence[int]) -> Values:
    """(prefixes, n) nDCG@10 at each prefix."""
    return np.stack([ndcg_of_ranks(ranks(items.cut(dimension))) for dimension in prefixes])
