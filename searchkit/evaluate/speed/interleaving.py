"""Interleaves measurements: engines take turns, so that a busy machine affects all of them equally."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

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
