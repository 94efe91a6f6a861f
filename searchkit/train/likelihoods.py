"""Measures how well the queries of pairs find their passages in a corpus, under any matrix; works on vectors alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchkit.embedding.adapted_model import Matrix, mapped
from searchkit.embedding.embedder import prefix
from searchkit_indexes import Vectors

Values = npt.NDArray[np.float64]
TEMPERATURE = 0.05  # of the softmax; docs/benchmarks/training.md shows how the likelihood follows real judgements
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class KnownItems:
    """Queries, each with one passage that answers it, in a corpus.

    `rows`: the passages' rows in the corpus, -1 for none. The corpus has the vectors of passages with their titles; `passages`
    are without.
    """

    queries: Vectors
    passages: Vectors
    rows: npt.NDArray[np.int64]
    corpus: Vectors

    def under(self, matrix: Matrix) -> "KnownItems":
        """Map the queries, passages and corpus by a matrix."""
        return KnownItems(
            mapped(self.queries, matrix), mapped(self.passages, matrix), self.rows, mapped(self.corpus, matrix)
        )

    def cut(self, dimension: int) -> "KnownItems":
        """Cut all vectors to a prefix."""
        return KnownItems(
            prefix(self.queries, dimension), prefix(self.passages, dimension), self.rows, prefix(self.corpus, dimension)
        )

    def cosines(self) -> tuple[Vectors, Vectors]:
        """(n, corpus) cosines of the queries with the corpus, their own passages set to -1, and (n,) with their own passages."""
        others = self.queries @ self.corpus.T
        known = np.flatnonzero(self.rows >= 0)
        others[known, self.rows[known]] = -1.0
        return others, (self.queries * self.passages).sum(axis=1)


def log_likelihood(items: KnownItems) -> Values:
    """(n,) log-likelihood of each query's own passage, by a softmax over its cosines with all; higher is better, at most 0."""
    others, own = items.cosines()
    logits = np.concatenate([own[:, None], others], axis=1).astype(np.float64) / TEMPERATURE
    highest = logits.max(axis=1)
    total: Values = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    likelihood: Values = logits[:, 0] - total
    return likelihood


def ranks(items: KnownItems) -> npt.NDArray[np.int64]:
    """(n,) rank of each query's own passage among all, from 1."""
    others, own = items.cosines()
    found: npt.NDArray[np.int64] = (others > own[:, None]).sum(axis=1) + 1
    return found


def ndcg_of_ranks(found: npt.NDArray[np.int64]) -> Values:
    """(n,) nDCG@10 of queries with one relevant passage: 1 / log2(rank + 1)."""
    values: Values = np.where(found <= _DEPTH, 1 / np.log2(found + 1.0), 0.0)
    return values


def ndcg_at_prefixes(items: KnownItems, prefixes: Sequence[int]) -> Values:
    """(prefixes, n) nDCG@10 at each prefix."""
    return np.stack([ndcg_of_ranks(ranks(items.cut(dimension))) for dimension in prefixes])
