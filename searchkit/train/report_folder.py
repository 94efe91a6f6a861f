"""The folder that a training's report is written to: Markdown for people, JSON for programs, pictures where they can be drawn."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import TrainingError, UsageError
from searchkit.files import make_private_folder, write_atomically
from searchkit.train.plots import can_draw

Draw = Callable[[Path], None]
TEXT = "report.md"


@dataclass(frozen=True, slots=True)
class Report:
    """What is written. `pictures`: by file name, what draws it; a picture may turn out to have nothing to show.

    `model`: the one that was made, "" if the base stays.
    """

    text: str
    fields: Mapping[str, Any]
    pictures: Mapping[str, Draw]
    model: str


def report_place(folder: Path) -> Path:
    """The folder, made if need be. Raises UsageError if it cannot be: better before the training than after it."""
    try:
        return make_private_folder(folder)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {folder}: {error.strerror}. Name another folder: --out"
        ) from error


def write_report_folder(folder: Path, report: Report) -> None:
    """report.md, which shows the pictures, report.json, and these. Raises TrainingError, which says what holds, if it cannot."""
    try:
        make_private_folder(folder)
        drawn = [name for name, draw in report.pictures.items() if _is_drawn(folder / name, draw)]
        shown = "".join(f"\n![{Path(name).stem}]({name})\n" for name in drawn)
        write_atomically(folder / TEXT, f"{report.text.rstrip()}\n{shown}".encode("utf-8", "replace"))
        write_atomically(folder / "report.json", json.dumps(report.fields, indent=2).encode())
    except OSError as error:
        state = (
            f"The model {report.model} was made all the same, and its README.md has the figures."
            if report.model
            else "The base stays; the same command proves it once more."
        )
        raise TrainingError(f"The report cannot be written to {folder}: {error.strerror or error}. {state}") from error


def where_written(folder: Path, *, has_figures: bool) -> str:
    """The line that says where the report is, and why it has no picture where it should have some."""
    missing = " (no picture: matplotlib is missing)" if has_figures and not can_draw() else ""
    return f"Report: {folder / TEXT}{missing}"


def _is_drawn(file: Path, draw: Draw) -> bool:
    file.unlink(missing_ok=True)  # of an earlier run
    draw(file)
    return file.is_file()
