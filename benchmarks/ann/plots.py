"""The results as pictures: recall against latency, memory against latency."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.ann.results import Measured, Results, at_size

_MARKERS = "osD^vP*XpH<>hd"


def draw(results: Results, folder: Path) -> list[Path]:
    """Two pictures for each size, as PNG. Raises ModuleNotFoundError without matplotlib."""
    import_module("matplotlib").use("Agg")
    engines = list(dict.fromkeys(one.engine for one in results.measured))
    made = []
    for size in sorted({one.size for one in results.measured if one.points}):
        shown = at_size(results.measured, size)
        made += [folder / f"recall-{size}.png", folder / f"memory-{size}.png"]
        _recall_picture(shown, engines, made[-2])
        _memory_picture(shown, engines, made[-1])
    return made


def _recall_picture(shown: Sequence[Measured], engines: Sequence[str], file: Path) -> None:
    """A line for each engine, with a point for each way to search."""
    figure, axes = _empty(shown[0].size, "recall@10")
    for one in shown:
        style = _style(one.engine, engines)
        axes.plot([point.p50_ms for point in one.points], [point.recall for point in one.points], **style)
        below = -11 - 8 * (engines.index(one.engine) % 3)  # so that labels of neighbours seldom meet
        for point in one.points:
            place = {"textcoords": "offset points", "xytext": (5, below), "fontsize": 7, "color": style["color"]}
            axes.annotate(point.setting, (point.p50_ms, point.recall), **place)
    _finish(figure, axes, file)


def _memory_picture(shown: Sequence[Measured], engines: Sequence[str], file: Path) -> None:
    """Draw a point for each engine, with its default way to search."""
    figure, axes = _empty(shown[0].size, "memory, MB (growth of resident pages)")
    for one in shown:
        axes.plot(one.points[0].p50_ms, max(one.rss_mb or 0, 0.1), **_style(one.engine, engines))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(which="both", labelsize=8)
    _finish(figure, axes, file)


def _empty(size: int, label: str) -> tuple[Any, Any]:
    figure, axes = import_module("matplotlib.pyplot").subplots(figsize=(9, 5.5), layout="constrained")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("median latency of one query, ms")
    axes.set_ylabel(label)
    axes.set_title(f"{size:,} vectors")
    return figure, axes


def _style(engine: str, engines: Sequence[str]) -> dict[str, Any]:
    """The colours, the same in all pictures: ten strong ones first, then ten pale ones."""
    number = engines.index(engine)
    colour = import_module("matplotlib.pyplot").get_cmap("tab20")((number * 2 + number // 10) % 20)
    return {"label": engine, "color": colour, "marker": _MARKERS[number % len(_MARKERS)]}


def _finish(figure: Any, axes: Any, file: Path) -> None:
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(file, dpi=120)
    import_module("matplotlib.pyplot").close(figure)
