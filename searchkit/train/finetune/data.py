"""Turns pairs into rows of text and into batches; refuses pairs from which nothing can be learned."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from torch.utils.data import BatchSampler

from searchkit.display import plural
from searchkit.embedding.model_info import Prompts
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.train.pairs.pair import Pair, Split, normalize, of_split, one_per_passage

FEWEST_PAIRS = 32  # with fewer, each step sees all of them, and the result depends on which they happen to be
FEWEST_VALIDATION = 8  # queries; with fewer, chance would choose the checkpoint
_OWN_PAIRS = Remedy(Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Name a file of pairs of your own")
_MORE = Remedy(sentence="Index more documents") | _OWN_PAIRS
_SMALL_SOURCE = 8  # pairs; sources with fewer share batches, because a batch of one pair teaches nothing


@dataclass(frozen=True, slots=True)
class Row:
    """A training example as the model reads it, prompts included. `source`: its kind, and whether it has a negative."""

    query: str
    positive: str
    negative: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """The rows to train on, and those that decide which checkpoint is the best."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]


def prepare_data(pairs: Sequence[Pair], prompts: Prompts, left_out: Mapping[str, int] = MappingProxyType({})) -> Data:
    """Make rows of the training and validation pairs. `left_out`: number of pairs left out, by reason, for the message.

    Raises TrainingError if there is too little to learn from.
    """
    train, validation = of_split(pairs, Split.TRAIN), one_per_passage(of_split(pairs, Split.VALIDATION))
    distinct = {(normalize(pair.query), normalize(pair.passage.text)) for pair in train}
    if len(distinct) < FEWEST_PAIRS:
        copies = {"copies": len(train) - len(distinct)} if len(train) > len(distinct) else {}
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in {**left_out, **copies}.items())
        others = f" (left out: {reasons})" if reasons else ""
        raise TrainingError(
            f"There are {len(distinct)} training pairs{others}; at least {FEWEST_PAIRS} are needed.", remedy=_MORE
        )
    documents, passages = {pair.document for pair in train}, {text for _, text in distinct}
    for noun, count in (("document", len(documents)), ("passage", len(passages))):
        if count < FEWEST_VALIDATION:
            raise TrainingError(
                f"All training pairs are from {plural(count, noun)}, too few to distinguish answers; at least"
                f" {FEWEST_VALIDATION} are needed.",
                remedy=_MORE,
            )
    check_validation(validation)
    return Data(tuple(row_of(pair, prompts) for pair in train), tuple(row_of(pair, prompts) for pair in validation))


def check_validation(pairs: Sequence[Pair]) -> None:
    """Raise TrainingError if there are too few validation pairs to choose by."""
    if len({normalize(pair.query) for pair in pairs}) < FEWEST_VALIDATION:
        raise TrainingError(
            f"There are {len(pairs)} validation pairs; {FEWEST_VALIDATION} different ones are needed to choose the best"
            " checkpoint.",
            remedy='In a file of your own, give some lines "split": "validation".',
        )


def row_of(pair: Pair, prompts: Prompts) -> Row:
    """Make the row of a pair, with the first of its negatives."""
    negative = prompts.of_passage(pair.negatives[0]) if pair.negatives else ""
    source = f"{pair.kind.value}{' with negatives' if negative else ''}"
    return Row(prompts.of_query(pair.query), prompts.of_passage(pair.passage), negative, source)


class SourceBatches(BatchSampler):  # type: ignore[misc]
    """Batches of row numbers, each from one source; all rows once per epoch, in an order that only seed and epoch determine.

    The batches of a source differ by one row at most, so that none is too small to teach anything.
    """

    def __init__(self, sources: Sequence[str], batch_size: int, seed: int) -> None:
        self._groups = _groups(sources)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Use the order of that epoch."""
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
    """Row numbers by source; small sources are one group."""
    by_source: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        by_source.setdefault(source, []).append(number)
    groups = [rows for rows in by_source.values() if len(rows) >= _SMALL_SOURCE]
    rest = sorted(number for rows in by_source.values() if len(rows) < _SMALL_SOURCE for number in rows)
    return [*groups, rest] if rest else groups
