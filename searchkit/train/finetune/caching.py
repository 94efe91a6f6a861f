"""Trains on large batches in little memory, by gradient caching (Gao et al. 2021, GradCache).

First the vectors of a batch are computed without activations, then the loss and its gradient by vector; then each group of texts
is embedded again with activations, and the vectors' gradients are propagated through it. The result is the gradient of the
whole batch. Knows nothing of the loss. There must be no dropout, because each text is embedded twice.
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
        """The terms of the loss of the last batch, by name; they add up to it."""
        ...

    def __call__(self, columns: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Compute the loss, a scalar, of (batch, dimension) float32 unit vectors by column and (batch,) row numbers."""
        ...


class Embedding:
    """Embeds texts as in training, one group at a time.

    `tokens_at_once`: of a group, padding included. `dtype`: what the encoder computes in, None for float32.
    """

    def __init__(self, network: Any, *, tokens_at_once: int, dtype: torch.dtype | None) -> None:
        self.network = network
        self._tokens_at_once = tokens_at_once
        self._dtype = dtype

    def embed(self, column: Feature) -> Tensor:
        """Embed a column of tokenized texts: (batch, dimension) float32 unit vectors."""
        groups, vectors = zip(*((rows, self.vectors(part)) for rows, part in self.groups(column)), strict=True)
        found = torch.cat(vectors)
        return torch.empty_like(found).index_copy(0, torch.cat(groups), found)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts with their prompts, without gradients: (n, dimension) float32 unit vectors."""
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad():
            vectors: npt.NDArray[np.float32] = self.embed(self.tokenized(texts)).cpu().numpy()
        self.network.train(was_training)
        return vectors

    def tokenized(self, texts: Sequence[str]) -> Feature:
        """A column of texts that have their prompts, on the network's device."""
        tokenized = self.network.preprocess(list(texts))
        return {name: _on(self.network.device, value) for name, value in tokenized.items()}

    def vectors(self, part: Feature) -> Tensor:
        """Embed one group, in its order: (group, dimension) float32 unit vectors."""
        with self.precision():
            vectors: Tensor = self.network(dict(part))["sentence_embedding"]
        return nn.functional.normalize(vectors.float(), dim=-1)

    def precision(self) -> torch.autocast:
        """The context in which the encoder computes in its precision."""
        device = self.network.device.type
        return torch.autocast(device, self._dtype or torch.bfloat16, enabled=self._dtype is not None)

    def groups(self, column: Feature) -> Iterator[tuple[Tensor, Feature]]:
        """Yield (row numbers, their features) of texts of similar length, without padding that none of them needs."""
        lengths = column["attention_mask"].sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        start = 0
        while start < len(order):
            width = int(lengths[order[start]])
            group = order[start : start + max(1, self._tokens_at_once // width)]
            yield group, {name: _cut(value, group, width, len(lengths)) for name, value in column.items()}
            start += len(group)


class CachedObjective(nn.Module):  # type: ignore[misc]
    """A loss with gradient caching, as the trainer of sentence-transformers calls it."""

    def __init__(self, embedding: Embedding, objective: Objective) -> None:
        super().__init__()
        self.model = embedding.network  # where the trainer finds what to train
        self._embedding = embedding
        self._objective = objective

    def forward(self, features: Sequence[Feature], labels: Tensor) -> dict[str, Tensor]:
        """Compute the terms of the loss by name; backpropagating their sum reaches the model's weights."""
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
        """Embed again, group by group, and propagate each vector's gradient; `scale` is the trainer's."""
        with torch.enable_grad():
            for column, gradient in zip(columns, gradients, strict=True):
                if gradient is None:
                    continue
                for rows, part in self._embedding.groups(column):
                    self._embedding.vectors(part).backward(gradient[rows] * scale)


def _cut(value: Any, rows: Tensor, width: int, batch: int) -> Any:
    """The first `width` tokens of some rows of a tensor by row; anything else unchanged."""
    if not isinstance(value, Tensor) or value.ndim == 0 or value.shape[0] != batch:
        return value
    return value[rows, :width] if value.ndim == 2 else value[rows]


def _on(device: torch.device, value: Any) -> Any:
    """A tensor on the device; anything else unchanged."""
    return value.to(device) if isinstance(value, Tensor) else value
