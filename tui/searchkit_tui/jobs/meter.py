"""Turns reports of progress into a job's speed and the time left."""

import time
from collections import deque
from collections.abc import Callable

from searchkit.display import printable
from searchkit.reports import Progress

_PERIOD_SECONDS = 20.0  # over which a rate is taken: it changes, as files come by date and not by size
_SETTLED_SECONDS = 1.0  # before that a rate is meaningless
_STALE_SECONDS = 15.0  # without a report; embedding reports every few seconds on the slowest machine
_BAR_DONE, _BAR_LEFT = "━", "╌"


class Meter:
    """Takes the reports of one job, from one thread. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress: Progress | None = None
        self._clock = clock
        self._samples: deque[tuple[float, int, float]] = deque()

    def note(self, progress: Progress) -> None:
        """Take the next report; a new stage starts from nothing."""
        now = self._clock()
        samples = self._samples
        if self.progress is None or self.progress.stage != progress.stage:
            samples = deque()
        samples.append((now, progress.done, progress.work_done))
        while samples[0][0] < now - _PERIOD_SECONDS and len(samples) > 2:
            samples.popleft()
        self.progress, self._samples = progress, samples

    @property
    def fraction(self) -> float | None:
        """The part of the stage that is done, 0 to 1; None while unknown."""
        progress = self.progress
        if progress is None:
            return None
        if progress.work_total > 0:
            return min(1.0, progress.work_done / progress.work_total)
        return min(1.0, progress.done / progress.total) if progress.total else None

    @property
    def rate(self) -> float | None:
        """Units a second; None while unknown."""
        seconds, done, _ = self._recent()
        return done / seconds if seconds >= _SETTLED_SECONDS and done else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest of this stage takes at the current rate; None while unknown."""
        seconds, done, work = self._recent()
        progress = self.progress
        if progress is None or seconds < _SETTLED_SECONDS:
            return None
        if progress.work_total > 0 and work > 0:
            return (progress.work_total - progress.work_done) * seconds / work
        return (progress.total - progress.done) * seconds / done if progress.total and done else None

    @property
    def is_fresh(self) -> bool:
        """True if the last report is recent."""
        return bool(self._samples) and self._clock() - self._samples[-1][0] < _STALE_SECONDS

    def clear(self) -> None:
        """Forget all reports: their work has ended."""
        self.progress, self._samples = None, deque()

    def _recent(self) -> tuple[float, int, float]:
        """Sum up the samples: seconds, units and work."""
        samples = list(self._samples)
        if len(samples) < 2:
            return 0.0, 0, 0.0
        (start, done, work), (end, done_now, work_now) = samples[0], samples[-1]
        return end - start, done_now - done, work_now - work


def amount(meter: Meter) -> str:
    """Describe a job's progress: `Reading 1,203 of 4,000 files, 5,120 passages · 310 files/s · 0:12 left`."""
    progress = meter.progress
    if progress is None:
        return ""
    parts = [progress.stage]
    if progress.unit:
        total = f" of {progress.total:,}" if progress.total is not None else ""
        parts[0] += f" {progress.done:,}{total} {progress.unit}" + (f", {progress.note}" if progress.note else "")
    if meter.rate is not None:
        parts.append(f"{meter.rate:.{0 if meter.rate >= 10 else 1}f} {progress.unit}/s")
    if meter.seconds_left is not None:
        parts.append(f"{duration(meter.seconds_left)} left")
    return printable(" · ".join(parts))


def duration(seconds: float) -> str:
    """Write seconds as `0:07`, `12:30` or `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(fraction: float | None, width: int) -> str:
    """Draw a bar of `width` cells, with the share in figures; an empty one without a fraction."""
    filled = round((fraction or 0.0) * width)
    share = f"{fraction:4.0%}" if fraction is not None else "  …"
    return f"{_BAR_DONE * filled}{_BAR_LEFT * (width - filled)} {share}"
