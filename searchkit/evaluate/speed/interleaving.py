"""What measurements side by side share: engines take turns, so that a busy machine disturbs all alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

T = TypeVar("T")
OnStep = Callable[[str], None]
_PAUSE_SECONDS = 0.1  # threads of the engine before wait for more work in a busy loop for some milliseconds


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of some runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """That of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Of the ratios round by round: what disturbs a whole round cancels out."""
    return Spread.of([above / below for above, below in zip(numerators, denominators, strict=True)])


def rotated(items: Sequence[T], number: int) -> list[T]:
    """The order of a round: each time another one begins."""
    start = number % len(items)
    return [*items[start:], *items[:start]]


def pause() -> None:
    """Let the threads of the engine before fall asleep."""
    time.sleep(_PAUSE_SECONDS)
