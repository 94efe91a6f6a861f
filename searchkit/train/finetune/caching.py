"""Large batches in little memory: a batch's vectors first, its loss over them, then gradients group by group.

Gradient caching (Gao et al. 2021, GradCache): vectors without activations; loss and its gradient by vector; then each group
of texts is embedded again with activations, and the vectors' gradients go back through it. What comes out is the gradient
of the whole batch. Knows nothing of which loss it is. There must be no dropout, for a text is embedded twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Feature = Mapping[str, Any]


class Objective(Protocol):
    """A loss over vectors."""

    @property
    def parts(self) -> Mapping[str, float]:
        """What the loss of the last batch was made of, by name; they add up to it."""
        ...

    def __call__(self, columns: Sequence[Tensor], rows: Tensor) -> Tensor:
        """The loss, a scalar, of (batch, dimension) float32 unit vectors by column and (batch,) row numbers of the data set."""
        ...


class Embedding:
    """Texts to vectors as in training, a group of them at a time.

    `tokens_at_once`: of a group, padding included. `dtype`: what the encoder computes in; None for float32.
    """

    def __init__(self, network: Any, *, tokens_at_once: int, dtype: torch.dtype | None) -> None:
        self.network = network
        self._tokens_at_once = tokens_at_once
        self._dtype = dtype

    def embed(self, column: Feature) -> Tensor:
        """(batch, dimension) float32 unit vectors of a column of tokenized texts."""
        groups, vectors = zip(*((rows, self.vectors(part)) for rows, part in self.groups(column)), strict=True)
        found = torch.cat(vectors)
        return torch.empty_like(found).index_copy(0, torch.cat(groups), found)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, dimension) float32 unit vectors of texts with their prompts, without dropout or gradients."""
        was_training = self.network.training
        self.network.eval()
        tokenized = self.network.preprocess(list(texts))
        column = {name: _on(self.network.device, value) for name, value in tokenized.items()}
        with torch.no_grad():
            vectors: npt.NDArray[np.float32] = self.embed(column).cpu().numpy()
        self.network.train(was_training)
        return vectors

    def vectors(self, part: Feature) -> Tensor:
        """The same of one group, in its order."""
        device = self.network.device.type
        with torch.autocast(device, self._dtype or torch.bfloat16, enabled=self._dtype is not None):
            vectors: Tensor = self.network(dict(part))["sentence_embedding"]
        return nn.functional.normalize(vectors.float(), dim=-1)

    def groups(self, column: Feature) -> Iterator[tuple[Tensor, Feature]]:
        """(row numbers, their features) of texts of like length, without the padding that none of them needs."""
        lengths = column["attention_mask"].sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        start = 0
        while start < len(order):
            width = int(lengths[order[start]])
            group = order[start : start + max(1, self._tokens_at_once // width)]
            yield group, {name: _cut(value, group, width, len(lengths)) for name, value in column.items()}
            start += len(group)


class CachedObjective(nn.Module):  # type: ignore[misc]
    """A loss as the trainer of sentence-transformers calls it; see the module."""

    def __init__(self, embedding: Embedding, objective: Objective) -> None:
        super().__init__()
        self.model = embedding.network  # where the trainer looks for what to train
        self._embedding = embedding
        self._objective = objective

    def forward(self, features: Sequence[Feature], labels: Tensor) -> dict[str, Tensor]:
        """The loss's parts by name, as numbers; going backward from their sum reaches the model's weights."""
        columns = list(features)
        with torch.no_grad():
            leaves = [self._embedding.embed(column).requires_grad_() for column in columns]
        with torch.enable_grad():
            loss = self._objective(leaves, labels)
            gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        values = {name: loss.new_tensor(part) for name, part in self._objective.parts.items()}
        if torch.is_grad_enabled():
            first = next(iter(values.values())).requires_grad_()
            first.register_hook(partial(self._replay, columns, gradients))
        return values

    def _replay(self, columns: Sequence[Feature], gradients: Sequence[Tensor | None], scale: Tensor) -> None:
        """Embed once more, group by group, and send each vector's gradient back; `scale` is what the trainer asks for."""
        with torch.enable_grad():
            for column, gradient in zip(columns, gradients, strict=True):
                if gradient is None:
                    continue
                for rows, part in self._embedding.groups(column):
                    self._embedding.vectors(part).backward(gradient[rows] * scale)


def _cut(value: Any, rows: Tensor, width: int, batch: int) -> Any:
    """Some rows of what there is by row, and of their tokens the first `width`; anything else as it is."""
    if not isinstance(value, Tensor) or value.ndim == 0 or value.shape[0] != batch:
        return value
    return value[rows, :width] if value.ndim == 2 else value[rows]


def _on(device: torch.device, value: Any) -> Any:
    """A tensor there; anything else as it is."""
    return value.to(device) if isinstance(value, Tensor) else value
