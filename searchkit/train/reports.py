"""Writes the report of a training to a folder: Markdown for people, JSON for programs, pictures if they can be drawn."""

import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import Action, Option, Remedy, TrainingError, UsageError
from searchkit.files import make_private_folder, write_atomically
from searchkit.train.effort import GOAL, Effort
from searchkit.train.gate import Cell, Comparison

Draw = Callable[[Path], None]
TEXT = "report.md"
BEFORE, AFTER = "#8a8a8a", "#1f6f8b"
COMPARISONS_PICTURE = "ndcg.png"
EFFORT_PICTURE = "effort.png"
_PANELS_PER_ROW = 3
_LEAST_SPAN = 0.05  # of nDCG@10 on the axis: noise must not look like a landslide
_LONGEST_NAME = 34  # characters of a set's name


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report. `pictures`: what draws each, by file name; one that has nothing to show draws nothing.

    `model`: the one that was made, "" if the base stays.
    """

    text: str
    fields: Mapping[str, Any]
    pictures: Mapping[str, Draw]
    model: str


def report_place(folder: Path) -> Path:
    """Create the folder if necessary. Raises UsageError if that fails, before anything is trained."""
    try:
        return make_private_folder(folder)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.OUT_FOLDER, sentence="Name another folder"),
        ) from error


def write_report_folder(folder: Path, report: Report) -> None:
    """Write report.md, report.json and the pictures. Raises TrainingError, which says what was made nevertheless."""
    try:
        make_private_folder(folder)
        drawn = [name for name, draw in report.pictures.items() if _is_drawn(folder / name, draw)]
        shown = "".join(f"\n![{Path(name).stem}]({name})\n" for name in drawn)
        write_atomically(folder / TEXT, f"{report.text.rstrip()}\n{shown}".encode("utf-8", "replace"))
        write_atomically(folder / "report.json", json.dumps(report.fields, indent=2).encode())
    except OSError as error:
        state = (
            f"The model {report.model} was made nevertheless, and its README.md has the figures."
            if report.model
            else "The base stays."
        )
        message = f"The report cannot be written to {folder}: {error.strerror or error}. {state}"
        raise TrainingError(
            message, remedy=None if report.model else "Repeat the proof with the same command."
        ) from error


def where_written(folder: Path, *, has_figures: bool) -> str:
    """A line that says where the report is, and why it has no pictures if they are missing."""
    missing = " (no picture: matplotlib is missing)" if has_figures and not can_draw() else ""
    return f"Report: {folder / TEXT}{missing}"


def _is_drawn(file: Path, draw: Draw) -> bool:
    file.unlink(missing_ok=True)  # from an earlier run
    draw(file)
    return file.is_file()


def can_draw() -> bool:
    """True if matplotlib is installed. Imports nothing."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_comparisons(file: Path, comparisons: Sequence[Comparison]) -> None:
    """Draw nDCG@10 before and after by prefix and code, with the interval of the gain: one panel per set. No set, no picture."""
    if not (comparisons and can_draw()):
        return
    columns = min(_PANELS_PER_ROW, len(comparisons))
    rows = -(-len(comparisons) // columns)
    height = 1.5 + 0.26 * max(len(comparison.cells) for comparison in comparisons)
    figure = new_figure(1.2 + 3.6 * columns, 0.4 + height * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, comparison in zip(panels, comparisons, strict=False):
        _draw_set(panel, comparison)
    for panel in panels[len(comparisons) :]:
        panel.axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    save_picture(figure, file)


def draw_effort(file: Path, effort: Effort) -> None:
    """Draw recall@10 by the number of candidates, before and after."""
    if not can_draw():
        return
    figure = new_figure(5.2, 3.6)
    panel = figure.subplots()
    candidates = [point.candidates for point in effort.points]
    panel.plot(candidates, [point.recall_before for point in effort.points], "o-", color=BEFORE, label="before")
    panel.plot(candidates, [point.recall_after for point in effort.points], "o-", color=AFTER, label="after")
    panel.axhline(GOAL, color="black", linewidth=0.8, linestyle=":")
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_xlabel("candidates that full vectors score")
    panel.set_ylabel("recall@10")
    panel.grid(alpha=0.3)
    panel.legend(frameon=False)
    panel.set_title(f"{effort.index}, {effort.passages:,} passages", fontsize=10)
    save_picture(figure, file)


def new_figure(width: float, height: float) -> Any:
    """Create a figure of this size in inches that makes room for its labels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_picture(figure: Any, file: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    content = io.BytesIO()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # not that it is looking for fonts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters missing in its font are drawn as boxes
        figure.savefig(content, format="png", dpi=120)
    write_atomically(file, content.getvalue())


def _draw_set(panel: Any, comparison: Comparison) -> None:
    """Draw one line per prefix and code, the largest prefix on top."""
    cells = comparison.cells
    places = list(range(len(cells)))
    before, after = [cell.ndcg_before for cell in cells], [cell.ndcg_after for cell in cells]
    lows, highs = ([ends[i] for ends in map(_interval, cells)] for i in (0, 1))
    panel.hlines(places, lows, highs, color=AFTER, alpha=0.3, linewidth=5, label="95 % interval of the gain")
    panel.hlines(places, before, after, color=AFTER, linewidth=1.2)
    panel.plot(before, places, "o", color=BEFORE, markerfacecolor="white", label="before")
    panel.plot(after, places, "o", color=AFTER, label="after")
    panel.set_yticks(places, [f"{cell.prefix}, {cell.code}" for cell in cells])
    panel.invert_yaxis()
    panel.set_ylim(len(cells) - 0.4, -0.6)
    panel.set_xlim(*_span([*before, *after, *lows, *highs]))
    panel.locator_params(axis="x", nbins=5)
    panel.set_xlabel("nDCG@10")
    panel.grid(axis="x", alpha=0.3)
    name = comparison.name
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    panel.set_title(f"{short}\n{comparison.queries:,} queries", fontsize=10, parse_math=False)


def _interval(cell: Cell) -> tuple[float, float]:
    """nDCG@10 at the ends of the gain's interval, within 0 and 1."""
    return max(0.0, cell.ndcg_before + cell.gain_low), min(1.0, cell.ndcg_before + cell.gain_high)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that shows the values with some margin."""
    low, high = min(values), max(values)
    room = max(0.08 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    return low - room, high + room
