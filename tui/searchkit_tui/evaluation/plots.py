"""Small plots made of text: points with names, bars with intervals. They do not depend on colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_AXIS_CELLS = 7  # of a number on the vertical axis
_BAR, _HALF_LEFT, _HALF_RIGHT, _WITHIN = "█", "├", "┤", "─"
MARKS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Point:
    """A point in a plot; `mark` is one character."""

    x: float
    y: float
    mark: str


def scatter(
    points: Sequence[Point], width: int, height: int, labels: tuple[str, str], goal: float | None = None
) -> str:
    """Plot points on `width` times `height` characters: x on a logarithmic scale, y up to 1, a line at the y of `goal`.

    `labels` are those of x and y. Points at the same place are put side by side. Returns "" without points or without room.
    """
    columns, rows = width - _AXIS_CELLS - 2, height - 3
    if not points or columns < 10 or rows < 2:
        return ""
    low_x, high_x = _widened([math.log10(max(point.x, 1e-3)) for point in points], 0.1)
    low_y, high_y = _widened([*(point.y for point in points), *([goal] if goal is not None else [])], 0.002)
    high_y = min(high_y, 1.0)
    canvas = [[" "] * columns for _ in range(rows)]

    def row_of(y: float) -> int:
        return round((high_y - y) / (high_y - low_y) * (rows - 1))

    if goal is not None:
        canvas[row_of(goal)] = ["┈"] * columns
    for point in points:
        column = round((math.log10(max(point.x, 1e-3)) - low_x) / (high_x - low_x) * (columns - 1))
        _put(canvas[row_of(point.y)], column, point.mark)
    lines = [f"{labels[1]}"]
    for number, cells in enumerate(canvas):
        y = high_y - number * (high_y - low_y) / (rows - 1)
        is_goal = goal is not None and number == row_of(goal)
        y = goal if goal is not None and is_goal else y
        shown = f"{y:.3f}" if is_goal or number % 2 == 0 else ""
        lines.append(f"{shown:>{_AXIS_CELLS}} │{''.join(cells)}".rstrip())
    lines.append(f"{'':>{_AXIS_CELLS}} └{'─' * columns}")
    lines.append(f"{'':>{_AXIS_CELLS}}  {_x_axis(10**low_x, 10**high_x, labels[0], columns)}")
    return "\n".join(lines)


def interval_bar(mean: float, low: float, high: float, width: int) -> str:
    """Draw a bar from 0 to 1 that ends at the mean, with its interval marked: `██████├──┤`."""
    cells = [_BAR] * round(mean * width) + [" "] * (width - round(mean * width))
    start, end = (min(width - 1, max(0, round(at * width) - 1)) for at in (low, high))
    if end > start:
        for cell in range(start, end + 1):
            cells[cell] = _WITHIN
        cells[start], cells[end] = _HALF_LEFT, _HALF_RIGHT
    return "".join(cells)


def _widened(values: Sequence[float], least: float) -> tuple[float, float]:
    """Widen the range of values a little, and by at least `least`."""
    low, high = min(values), max(values)
    margin = max((high - low) * 0.05, least)
    return low - margin, high + margin


def _put(row: list[str], column: int, mark: str) -> None:
    """Put a mark at a column, or at the nearest free one in the row."""
    free = [at for at, cell in enumerate(row) if cell in " ┈"]
    if free:
        row[min(free, key=lambda at: (abs(at - column), at))] = mark


def _x_axis(low: float, high: float, label: str, columns: int) -> str:
    middle = math.sqrt(low * high)
    left, centre, right = (f"{value:.2g}" for value in (low, middle, high))
    half = columns // 2
    line = f"{left}{centre:^{max(0, 2 * (half - len(left)))}}"[: columns - len(right) - len(label) - 2]
    return f"{line:<{columns - len(right) - len(label) - 1}}{right} {label}"
