"""The loss over the rows of a batch, and the score on the validation pairs that decides which checkpoint is the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from torch import Tensor

from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.data import Row
from searchkit.train.losses import Batch, Objective
from searchkit.train.options import LossWeights
from searchkit_indexes import Vectors

_DEPTH = 10
_POOL = 256  # passages to search; more would cost more than the epoch between two validations
METRIC = "ndcg_10"  # the name of the score in the trainer's log
NDCG, NEARNESS = "nDCG@10", "cosine to the base in floats"  # what the score may be
_AT_ONCE = 64  # texts tokenized together


@dataclass(frozen=True, slots=True)
class Teacher:
    """The vectors towards which distillation pulls, the untuned base's or another teacher's: (rows, dimension), of unit length.

    `negatives`: zeros where a row has none.
    """

    queries: npt.NDArray[np.float32]
    positives: npt.NDArray[np.float32]
    negatives: npt.NDArray[np.float32]


def base_as_teacher(rows: Sequence[Row], embedding: Embedding) -> Teacher:
    """Embed the rows with a network that is not trained yet; each distinct text once."""
    columns = [[row.query for row in rows], [row.positive for row in rows], [row.negative for row in rows]]
    texts = sorted({text for column in columns for text in column if text}, key=len)
    parts = [embedding.embed_texts(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    vectors = dict(zip(texts, np.concatenate(parts), strict=True))
    nothing = np.zeros_like(parts[0][0])
    return Teacher(*(np.stack([vectors.get(text, nothing) for text in column]) for column in columns))


class RowObjective:
    """The loss of a batch's vectors; the vectors may be on a graphics card, the loss is computed on the processor."""

    def __init__(self, rows: Sequence[Row], teacher: Teacher, weights: LossWeights, prefixes: Sequence[int]) -> None:
        self._objective = Objective(weights, prefixes)
        self._query_ids = _numbered([row.query for row in rows])
        self._passage_ids = _numbered([row.positive for row in rows])
        self._teacher = [torch.from_numpy(part) for part in (teacher.queries, teacher.positives, teacher.negatives)]

    @property
    def parts(self) -> Mapping[str, float]:
        """See `caching.Objective`."""
        return self._objective.parts

    def __call__(self, columns: Sequence[Tensor], rows: Tensor) -> Tensor:
        """See `caching.Objective`. The columns: queries, positives, and negatives if the batch has them."""
        here = rows.cpu()
        queries, positives, *negatives = (column.cpu() for column in columns)
        taught = [part[here] for part in self._teacher]
        return self._objective(
            Batch(
                queries=queries,
                positives=positives,
                query_ids=self._query_ids[here],
                passage_ids=self._passage_ids[here],
                negatives=negatives[0] if negatives else None,
                teacher_queries=taught[0],
                teacher_positives=taught[1],
                teacher_negatives=taught[2] if negatives else None,
            )
        )


class HeldOut:
    """The validation queries, to search each one's own passage among theirs and some hundred of the training pairs.

    `queries`, `passages`: the texts, with their prompts. Raises ValueError for no validation rows.
    """

    def __init__(self, rows: Sequence[Row], others: Sequence[Row], seed: int) -> None:
        if not rows:
            raise ValueError("no validation rows")
        own = list(dict.fromkeys(row.positive for row in rows))
        known = set(own)
        more = [text for text in dict.fromkeys(row.positive for row in others) if text not in known]
        wanted = max(0, min(_POOL - len(own), len(more)))
        self.passages = own + [more[number] for number in np.random.default_rng(seed).permutation(len(more))[:wanted]]
        self.queries = list(dict.fromkeys(row.query for row in rows))
        relevant = {query: set[str]() for query in self.queries}
        for row in rows:
            relevant[row.query].add(row.positive)
        self._relevant = np.array([[text in relevant[query] for text in self.passages] for query in self.queries])

    def ndcg(self, queries: Vectors, passages: Vectors) -> float:
        """Compute the mean nDCG@10, 0 to 1, higher is better, of the vectors of `queries` and `passages`, in their order."""
        ranked = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :_DEPTH]
        gains = np.take_along_axis(self._relevant, ranked, axis=1)
        discounts = 1 / np.log2(np.arange(2, _DEPTH + 2))
        ideal = np.array([discounts[: int(count)].sum() for count in self._relevant.sum(axis=1)])
        return float((gains @ discounts[: gains.shape[1]] / ideal).mean())


class Validation(SentenceEvaluator):  # type: ignore[misc]
    """Scores a network on the validation queries, as the trainer calls an evaluator.

    `wanted`: the vectors that the queries and then the passages of `HeldOut` should have; the score is the mean cosine to them, and
    not nDCG@10. The trainer logs either under the same name.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        others: Sequence[Row],
        embedding: Embedding,
        seed: int,
        wanted: npt.NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__()
        self._held_out = HeldOut(rows, others, seed)
        self._embedding = embedding
        self._wanted = wanted

    def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
        """Compute the score. The trainer's arguments are not needed."""
        held_out = self._held_out
        queries, passages = (self._embedding.embed_texts(texts) for texts in (held_out.queries, held_out.passages))
        if self._wanted is not None:
            return {METRIC: float((np.concatenate([queries, passages]) * self._wanted).sum(axis=1).mean())}
        return {METRIC: held_out.ndcg(queries, passages)}

    def vectors(self) -> npt.NDArray[np.float32]:
        """Embed the queries and then the passages: (n, dimension) of unit length."""
        return self._embedding.embed_texts([*self._held_out.queries, *self._held_out.passages])


def _numbered(texts: Sequence[str]) -> Tensor:
    """Numbers of texts, equal for equal texts."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(text, len(numbers)) for text in texts])
