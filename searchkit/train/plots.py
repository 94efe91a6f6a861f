"""Pictures of what training comes to, as PNG; none where matplotlib is not installed."""

import importlib.util
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from searchkit.files import write_atomically
from searchkit.train.gate import Cell, Comparison

BEFORE, AFTER = "#8a8a8a", "#1f6f8b"
COMPARISONS_PICTURE = "ndcg.png"
_PANELS_A_ROW = 3
_LEAST_SPAN = 0.05  # of nDCG@10 on the axis: noise is not to look like a landslide
_LONGEST_NAME = 34  # characters of a set's name


def can_draw() -> bool:
    """Whether matplotlib is installed. Imports nothing."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_comparisons(file: Path, comparisons: Sequence[Comparison]) -> None:
    """nDCG@10 before and after by prefix and code, with the interval of the gain, a panel for each set; nothing for none."""
    if not (comparisons and can_draw()):
        return
    columns = min(_PANELS_A_ROW, len(comparisons))
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


def new_figure(width: float, height: float) -> Any:
    """A figure of so many inches that makes room for its labels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_picture(figure: Any, file: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    content = io.BytesIO()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it looks for fonts is no news
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that its font lacks are drawn as boxes
        figure.savefig(content, format="png", dpi=120)
    write_atomically(file, content.getvalue())


def _draw_set(panel: Any, comparison: Comparison) -> None:
    """A line for each prefix and code, the largest prefix on top."""
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
    """Where the gain's ends would have taken it, as far as there is an nDCG."""
    return max(0.0, cell.ndcg_before + cell.gain_low), min(1.0, cell.ndcg_before + cell.gain_high)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """An axis that holds the values with some room beside them."""
    low, high = min(values), max(values)
    room = max(0.08 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    return low - room, high + room
