"""Measures how many texts engines embed per second, alternating on the same texts."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

import numpy as np

from searchkit.errors import UsageError
from searchkit.evaluate.speed.engine_process import EngineProcess
from searchkit.types import Passage

T = TypeVar("T")
OnStep = Callable[[str], None]
_PAUSE_SECONDS = 0.1  # threads of the previous engine wait for work in a busy loop for some milliseconds


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, minimum and maximum of several runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Summarise the ratios of each round, in which disturbances of a whole round cancel out."""
    return Spread.of([above / below for above, below in zip(numerators, denominators, strict=True)])


def rotated(items: Sequence[T], number: int) -> list[T]:
    """Rotate the order for a round, so that each item is first in turn."""
    start = number % len(items)
    return [*items[start:], *items[:start]]


def pause() -> None:
    """Wait until the threads of the previous engine sleep."""
    time.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """An engine's speed for many texts with one batch size (0: its own).

    `subject_ratio`: the subject's speed divided by the engine's, per round. `counted`: this is the engine's best batch size.
    `peak_megabytes`: the peak memory of its process so far, with any batch size.
    """

    engine: str
    batch_size: int
    chunks_per_second: Spread
    tokens_per_second: float
    subject_ratio: Spread
    counted: bool
    peak_megabytes: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """The speeds of engines on the same texts. `mean_tokens`: of the subject's inputs, special tokens included."""

    what: str
    rounds: int
    texts_per_round: int
    mean_tokens: float
    rows: tuple[SpeedRow, ...]


@dataclass(slots=True)
class _Lane:
    """An engine with one batch size, and its rates in each round."""

    process: EngineProcess
    batch_size: int
    chunk_rates: list[float] = field(default_factory=list)
    token_rates: list[float] = field(default_factory=list)

    def run(self, passages: Sequence[Passage]) -> None:
        inputs = self.process.engine.inputs
        texts = inputs.of_passages(passages)
        seconds = self.process.seconds_to_embed(texts, self.batch_size)
        self.chunk_rates.append(len(texts) / seconds)
        self.token_rates.append(sum(len(inputs.token_ids(text)) for text in texts) / seconds)


def measure_speed(
    what: str, processes: Sequence[EngineProcess], rounds: Sequence[Sequence[Passage]], on_step: OnStep
) -> Speed:
    """Embed passages round by round, alternating engines. The first process is the subject."""
    lanes = [_Lane(process, size) for process in processes for size in process.engine.batch_sizes]
    for lane in lanes:  # memory grows with the first texts of a length
        lane.process.seconds_to_embed(lane.process.engine.inputs.of_passages(rounds[0][:2]), lane.batch_size)
    for number, passages in enumerate(rounds):
        on_step(f"{what}: round {number + 1} of {len(rounds)}")
        for lane in rotated(lanes, number):
            pause()
            lane.run(passages)
    inputs = processes[0].engine.inputs
    lengths = [len(inputs.token_ids(text)) for passages in rounds for text in inputs.of_passages(passages)]
    best = {process.engine.name: _best([lane for lane in lanes if lane.process is process]) for process in processes}
    subject = best[processes[0].engine.name]
    return Speed(
        what=what,
        rounds=len(rounds),
        texts_per_round=max(len(passages) for passages in rounds),
        mean_tokens=statistics.mean(lengths),
        rows=tuple(_row(lane, subject, counted=lane is best[lane.process.engine.name]) for lane in lanes),
    )


def _best(lanes: Sequence[_Lane]) -> _Lane:
    return max(lanes, key=lambda lane: statistics.median(lane.chunk_rates))


def _row(lane: _Lane, subject: _Lane, *, counted: bool) -> SpeedRow:
    return SpeedRow(
        engine=lane.process.engine.name,
        batch_size=lane.batch_size,
        chunks_per_second=Spread.of(lane.chunk_rates),
        tokens_per_second=statistics.median(lane.token_rates),
        subject_ratio=paired_ratio(subject.chunk_rates, lane.chunk_rates),
        counted=counted,
        peak_megabytes=lane.process.memory().peak,
    )


_FILLER = " a"  # one token in every vocabulary


def fixed_length_texts(
    passages: Sequence[str], tokens: int, count_tokens: Callable[[str], int], *, seed: int
) -> Iterator[str]:
    """Yield texts of `tokens` tokens without end, counted by `count_tokens`, which may include a prompt.

    The passages are concatenated in ever new orders and cut. Raises UsageError if even an empty text is longer.
    """
    if count_tokens("") > tokens:
        raise UsageError(
            f"No text fits into {tokens} tokens: the model's prompt is longer.", remedy="Ask for more tokens."
        )
    source = _endless(passages, np.random.default_rng(seed))
    while True:
        text = next(source)
        while count_tokens(text) <= tokens:
            text += " " + next(source)
        yield _cut(text, tokens, count_tokens)


def _endless(passages: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    cleaned = [" ".join(passage.split()) for passage in passages]
    usable = [passage for passage in cleaned if passage]
    if not usable:
        raise UsageError("The texts are all empty.", remedy="Name a file with words in it.")
    while True:
        for index in rng.permutation(len(usable)):
            yield usable[index]


def _cut(text: str, tokens: int, count_tokens: Callable[[str], int]) -> str:
    """Cut a text to the number of tokens, and fill it up where no cut has exactly that many."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count_tokens(text[:middle].strip()) <= tokens:
            fits = middle
        else:
            too_long = middle
    for end in range(fits, -1, -1):  # the first one fits, except for rare words that merge with the filler
        cut = text[:end].strip()
        filled = (cut + _FILLER * (tokens - count_tokens(cut))).strip()
        if count_tokens(filled) == tokens:
            return filled
    raise UsageError(f"No text of exactly {tokens} tokens can be made of these.", remedy="Name others.")
