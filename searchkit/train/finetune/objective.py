"""The report's objective over the columns of a batch: joins vectors with what is known of their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.rows import Row
from searchkit.train.losses import Batch, LossWeights, Objective

_AT_ONCE = 64  # texts that are tokenized together


@dataclass(frozen=True, slots=True)
class Teacher:
    """(rows, dimension) float32 unit vectors of the untuned base, which distillation pulls towards.

    `negatives`: zeros where a row has none.
    """

    queries: npt.NDArray[np.float32]
    positives: npt.NDArray[np.float32]
    negatives: npt.NDArray[np.float32]


def base_as_teacher(rows: Sequence[Row], embedding: Embedding) -> Teacher:
    """The vectors that a network gives now; each distinct text is embedded once."""
    columns = [[row.query for row in rows], [row.positive for row in rows], [row.negative for row in rows]]
    texts = sorted({text for column in columns for text in column if text}, key=len)
    parts = [embedding.embed_texts(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    vectors = dict(zip(texts, np.concatenate(parts), strict=True))
    nothing = np.zeros_like(parts[0][0])
    return Teacher(*(np.stack([vectors.get(text, nothing) for text in column]) for column in columns))


class RowObjective:
    """The loss of a batch's vectors, which lie on the processor or on a graphics card; it is computed on the processor."""

    def __init__(self, rows: Sequence[Row], teacher: Teacher, weights: LossWeights, prefixes: Sequence[int]) -> None:
        self._objective = Objective(weights, prefixes)
        self._query_ids = _numbered([row.query for row in rows])
        self._passage_ids = _numbered([row.positive for row in rows])
        self._teacher = [torch.from_numpy(part) for part in (teacher.queries, teacher.positives, teacher.negatives)]

    @property
    def parts(self) -> Mapping[str, float]:
        """See the protocol."""
        return self._objective.parts

    def __call__(self, columns: Sequence[Tensor], rows: Tensor) -> Tensor:
        """See the protocol: queries, positives, and negatives if the batch has them."""
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


def _numbered(texts: Sequence[str]) -> Tensor:
    """The same number for the same text."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(text, len(numbers)) for text in texts])
