"""A dialog that asks for a report of an evaluation, or for judged queries to make one with; and the plots of reports."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Footer, Input, Static

from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit.evaluate import RetrievalReport, read_report
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.widgets.dialogs import Dialog
from searchkit_tui.widgets.path_picker import PathPicker

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


@dataclass(frozen=True, slots=True)
class NewJudged:
    """A file of judged queries that is to be begun."""

    file: Path


class ChooseReport(Dialog[Path | tuple[Path, RetrievalReport] | NewJudged | None]):
    """Asks for a report.json or its folder, or for judged queries (.jsonl). Closes only with a file that can be read, or is to be
    begun.

    `collection`: the one to evaluate with the queries, "" for none.
    """

    DEFAULT_CSS = """
    ChooseReport > .box {
        height: 90%;
    }

    ChooseReport #error {
        height: auto;
        max-height: 3;
        padding: 0 1;
        color: $text-error;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "open", "Open", id="report_open", priority=True),
        Binding("ctrl+b", "begin", "Begin judged queries", id="report_begin", priority=True),
    ]

    def __init__(self, start: Path, collection: str) -> None:
        super().__init__()
        self._start, self._collection = start, collection

    def compose(self) -> ComposeResult:
        """Put the path above the buttons."""
        with Vertical(classes="box") as box:
            box.border_title = "A report.json to see, or judged queries (.jsonl)"
            yield PathPicker(self._start, suffix=(".json", ".jsonl"))
            yield Static("", id="error", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Begin judged queries", id="begin", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Open", id="open", variant="primary", compact=True)
        yield Footer(show_command_palette=False)

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Read the chosen file, and close with it."""
        path = Path(self.query_one(PathPicker).value).expanduser()
        if path.suffix != ".jsonl":
            self._read(path)
        elif not self._collection:
            self._refuse("There is no collection to measure. Add a folder first.")
        elif not path.is_file():
            begin = f"searchkit eval init {self._collection} --out {path}"
            self._refuse(f"There is no file {path}. Start one with: {begin}")
        else:
            self.dismiss(path)

    def action_begin(self) -> None:
        """Close with a new file of judged queries: the one that was typed, or one in the folder that was."""
        path = Path(self.query_one(PathPicker).value).expanduser()
        if not self._collection:
            self._refuse("There is no collection to judge queries of. Add a folder first.")
        elif path.suffix == ".jsonl":
            self.dismiss(NewJudged(path))
        else:
            folder = path if path.is_dir() else path.parent
            self.dismiss(NewJudged(folder / f"{self._collection}-queries.jsonl"))

    @on(Button.Pressed)
    def _press(self, pressed: Button.Pressed) -> None:
        if pressed.button.id == "open":
            self.action_open()
        elif pressed.button.id == "begin":
            self.action_begin()
        else:
            self.dismiss(None)

    @work(exclusive=True)
    async def _read(self, path: Path) -> None:
        try:
            report = await asyncio.to_thread(read_report, path)
        except SearchkitError as error:
            self._refuse(error_text(error))
            return
        self.dismiss((path, report))

    def _refuse(self, why: str) -> None:
        self.query_one("#error", Static).update(f"✗ {printable(why)}")
