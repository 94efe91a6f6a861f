"""From pairs to rows: the base's prompts around every text, and a clear refusal of what nothing can be learned from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from torch.utils.data import BatchSampler

from searchkit.embedding.model_info import Prompts
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.train.pairs.pair import Pair, Split, of_split
from searchkit.train.pairs.texts import normalize

FEWEST_PAIRS = 32  # fewer, and each step sees all of them; what comes of it is what they happen to be
FEWEST_VALIDATION = 8  # queries; with fewer, chance would choose the checkpoint
_OWN_PAIRS = Remedy(Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Name a file of pairs of your own")
_MORE = Remedy(sentence="Index more documents") | _OWN_PAIRS
_SMALL_SOURCE = 8  # pairs; what has fewer is put together, for a batch of one pair says nothing


@dataclass(frozen=True, slots=True)
class Row:
    """A training example as the model reads it, prompts included. `source`: of one kind, and with a negative or without."""

    query: str
    positive: str
    negative: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, and what decides which checkpoint is the best."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]


def prepare_data(pairs: Sequence[Pair], prompts: Prompts, left_out: Mapping[str, int] = MappingProxyType({})) -> Data:
    """Rows of the training and validation pairs. `left_out`: how many others there were, by reason, for the message.

    Raises TrainingError, with what to do, if there is too little to learn from.
    """
    train, validation = of_split(pairs, Split.TRAIN), of_split(pairs, Split.VALIDATION)
    distinct = {(normalize(pair.query), normalize(pair.passage.text)) for pair in train}
    if len(distinct) < FEWEST_PAIRS:
        copies = {"copies": len(train) - len(distinct)} if len(train) > len(distinct) else {}
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in {**left_out, **copies}.items())
        others = f" (left out: {reasons})" if reasons else ""
        raise TrainingError(
            f"There are {len(distinct)} training pairs{others}; {FEWEST_PAIRS} are the least.", remedy=_MORE
        )
    for what, count in (("documents", _count(train, "document")), ("passages", len({text for _, text in distinct}))):
        if count < FEWEST_VALIDATION:
            raise TrainingError(
                f"All training pairs are from {count} {what}, which gives nothing to tell apart; {FEWEST_VALIDATION} are the"
                " least.",
                remedy=_MORE,
            )
    if len({normalize(pair.query) for pair in validation}) < FEWEST_VALIDATION:
        raise TrainingError(
            f"There are {len(validation)} validation pairs; {FEWEST_VALIDATION} different ones are needed to choose the best"
            " checkpoint.",
            remedy='In a file of your own, give some lines "split": "validation".',
        )
    return Data(tuple(_row(pair, prompts) for pair in train), tuple(_row(pair, prompts) for pair in validation))


def _row(pair: Pair, prompts: Prompts) -> Row:
    negative = prompts.of_passage(pair.negatives[0]) if pair.negatives else ""
    source = f"{pair.kind.value}{' with negatives' if negative else ''}"
    return Row(prompts.of_query(pair.query), prompts.of_passage(pair.passage), negative, source)


def _count(pairs: Sequence[Pair], name: str) -> int:
    return len({getattr(pair, name) for pair in pairs})


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
