"""The pairs as rows of texts that a model is fed with, and the order in which batches take them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import BatchSampler

_SMALL_SOURCE = 8  # pairs; what has fewer is put together, for a batch of one pair says nothing


@dataclass(frozen=True, slots=True)
class Row:
    """A training example as the model reads it, prompts included. `source`: of one kind, and with a negative or without."""

    query: str
    positive: str
    negative: str = ""
    source: str = ""


class SourceBatches(BatchSampler):  # type: ignore[misc]
    """Batches of row numbers, each from one source; all rows once an epoch, in an order that follows from seed and epoch alone.

    A source's batches differ by one row at most, so that no epoch ends in one that is too small to tell anything.
    """

    def __init__(self, sources: Sequence[str], batch_size: int, seed: int) -> None:
        self._groups = _groups(sources)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of that epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(self._count(rows) for rows in self._groups)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng((self._seed, self._epoch))
        batches: list[list[int]] = []
        for rows in self._groups:
            parts = np.array_split(generator.permutation(rows), self._count(rows))
            batches += [part.tolist() for part in parts]
        for number in generator.permutation(len(batches)):
            yield batches[number]

    def _count(self, rows: Sequence[int]) -> int:
        return -(-len(rows) // self._batch_size)


def _groups(sources: Sequence[str]) -> list[list[int]]:
    """Row numbers by source; those of small sources together."""
    by_source: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        by_source.setdefault(source, []).append(number)
    groups = [rows for rows in by_source.values() if len(rows) >= _SMALL_SOURCE]
    rest = sorted(number for rows in by_source.values() if len(rows) < _SMALL_SOURCE for number in rows)
    return [*groups, rest] if rest else groups
