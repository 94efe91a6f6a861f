"""The study as pictures: recall against distances, and what codes gain or lose against how vectors lie."""

from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.spread_out.analysis import BASE, MIDDLE, Study, curve

_FIGURES = {
    "variance_spread": "spread of the coordinates' variances",
    "second_moment": "second moment × d",
    "intrinsic_dimension": "intrinsic dimension",
}
_LEAST_RECALL = 0.75  # shown
_CODES = ("signs", "rabitq")


def draw(study: Study, out: Path) -> list[Path]:
    """Write the pictures as PNG. Raises ModuleNotFoundError without matplotlib."""
    import_module("matplotlib").use("Agg")
    made = [out / "recall-distances.png", out / "codes-geometry.png"]
    _recall_picture(study, made[0])
    _codes_picture(study, made[1])
    return made


def _recall_picture(study: Study, file: Path) -> None:
    """A panel for each model and set: HNSW over whole vectors, a line for each variant."""
    groups = study.groups()
    figure, panels = _panels(len(groups), columns=2)
    names = list(dict.fromkeys(variant for group in groups for variant in study.variants(*group)))
    for axes, (model, name) in zip(panels, groups, strict=False):
        prefix = study.prefixes(model, name)[0]
        for variant in study.variants(model, name):
            own = curve(study.of(model, name, variant, prefix, "hnsw"), rescored=False)
            if own is not None:
                axes.plot(own.efforts, own.recalls.mean(axis=1), **_style(variant, names), lw=1.2)
        axes.set_xscale("log")
        axes.set_ylim(_LEAST_RECALL, 1.005)
        axes.set_title(f"{name} ({study.count(model, name):,}), {model}, {prefix}-d", fontsize=9)
        axes.set_xlabel("distances computed for a query (HNSW, M = 16)", fontsize=8)
        axes.set_ylabel("recall@10", fontsize=8)
    _finish(figure, panels, len(groups), file)


def _codes_picture(study: Study, file: Path) -> None:
    """A panel for each code and figure of geometry; a point for each variant, model, set and prefix."""
    figure, panels = _panels(len(_CODES) * len(_FIGURES), columns=len(_FIGURES))
    names = list(dict.fromkeys(variant for group in study.groups() for variant in study.variants(*group)))
    shown = [(structure, name) for structure in _CODES for name in _FIGURES]
    for axes, (structure, measured) in zip(panels, shown, strict=True):
        for variant in names:
            points = list(_points(study, structure, measured, variant))
            if points:
                axes.scatter(*zip(*points, strict=True), s=14, **_style(variant, names))
        axes.set_xscale("log")
        axes.set_xlabel(_FIGURES[measured], fontsize=8)
        axes.set_ylabel(f"recall@10 of {structure} alone, against the base", fontsize=8)
    _finish(figure, panels, len(shown), file)


def _points(study: Study, structure: str, measured: str, variant: str) -> Any:
    for model, name in study.groups():
        for prefix in study.prefixes(model, name):
            own, base = (
                curve(study.of(model, name, each, prefix, structure), rescored=False, by_computations=False)
                for each in (variant, BASE)
            )
            figures = study.geometry(model, name, variant, prefix)
            if own is not None and base is not None and figures:
                place = MIDDLE[structure]
                yield figures[measured], float(own.recalls[place].mean() - base.recalls[place].mean())


def _panels(count: int, columns: int) -> tuple[Any, list[Any]]:
    rows = -(-count // columns)
    figure, axes = import_module("matplotlib.pyplot").subplots(
        rows, columns, figsize=(10, 3.4 * rows), layout="constrained", squeeze=False
    )
    return figure, list(axes.ravel())


def _style(variant: str, names: list[str]) -> dict[str, Any]:
    """The same colour in all pictures; the base is black."""
    colour = import_module("matplotlib.pyplot").get_cmap("tab10")((names.index(variant) - 1) % 10)
    return {
        "label": variant,
        "color": "black" if variant == BASE else colour,
        "marker": "o" if variant == BASE else ".",
    }


def _finish(figure: Any, panels: list[Any], used: int, file: Path) -> None:
    for axes in panels[:used]:
        axes.grid(alpha=0.3, which="both")
        axes.tick_params(which="both", labelsize=6)
        axes.xaxis.set_minor_locator(import_module("matplotlib.ticker").LogLocator(subs=(2, 5)))
        for each in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            each("{x:g}")
    for axes in panels[used:]:
        axes.set_visible(False)
    shown = {
        label: handle for axes in panels[:used] for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(shown.values(), shown.keys(), fontsize=8, loc="outside lower center", ncols=6)
    figure.savefig(file, dpi=90)
    import_module("matplotlib.pyplot").close(figure)
