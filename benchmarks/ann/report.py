"""The results as Markdown."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.ann.results import Measured, Point, Results

_COLUMNS = (
    "engine, recall@10, p50 ms, p99 ms, filtered recall@10, filtered p50 ms, memory MB (Rss / Pss), library MB, disk MB,"
    " build s, build peak MB, open s, add 1,000 s, delete 1,000 s, remarks"
)
_FIGURES = (
    "cosine_1",
    "cosine_10",
    "intrinsic_dimension",
    "contrast",
    "second_moment",
    "query_cosine_1",
    "query_cosine_10",
)


def markdown(results: Results) -> str:
    """A section for each size: the engines, and how real the vectors are."""
    sizes = sorted({one.size for one in results.measured})
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    parts = [f"{machine}\n"]
    for size in sizes:
        parts.append(f"## {size:,} vectors\n\n{table([one for one in results.measured if one.size == size])}")
        if about := results.sets.get(str(size)):
            parts.append(realism(about))
    return "\n".join(parts)


def table(measured: Sequence[Measured]) -> str:
    """A row for each engine and way to search."""
    rows = [_COLUMNS.split(", "), ["---"] * len(_COLUMNS.split(", "))]
    for one in measured:
        rows += _rows(one)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(one: Measured) -> Iterator[list[str]]:
    """The figures that do not depend on the way to search, which are in the first row only."""
    if not one.points:
        yield [one.engine, *[""] * 13, one.state]
    for number, point in enumerate(one.points):
        yield [
            f"{one.engine} {point.setting}".strip(),
            *_of_point(point),
            *(_of_index(one) if number == 0 else [""] * 9),
        ]


def _of_point(point: Point) -> list[str]:
    filtered = [number(point.filtered_recall, 3), number(point.filtered_p50_ms, 2)]
    if point.filtered_recall is None:
        filtered = ["cannot", ""]
    return [number(point.recall, 3), number(point.p50_ms, 2), number(point.p99_ms, 2), *filtered]


def _of_index(one: Measured) -> list[str]:
    return [
        f"{number(one.rss_mb, 0)} / {number(one.pss_mb, 0)}",
        *(number(value, 0) for value in (one.library_mb, one.disk_mb)),
        number(one.build_seconds, 1),
        number(one.build_peak_mb, 0),
        number(one.open_seconds, 3),
        *("cannot" if value is None else number(value, 2) for value in (one.add_seconds, one.remove_seconds)),
        "; ".join(filter(None, [one.version, "" if one.state == "measured" else one.state, one.changes])),
    ]


def number(value: float | None, digits: int) -> str:
    """Nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def realism(about: dict[str, Any]) -> str:
    """Write the figures of the real vectors by their number, the extrapolation, and the set's own figures."""
    recipe, figures = about["recipe"], about["figures"]
    made = figures["count"] - about["real"]
    rows = [["vectors", "", *(name.replace("_", " ") for name in _FIGURES)], ["---"] * (len(_FIGURES) + 2)]
    rows += [_figure_row(each, "real") for each in about["real_curve"]]
    if made > 0:
        rows.append(_figure_row({"count": figures["count"], **about["expected"]}, "continued"))
        rows.append(_figure_row(figures, "this set"))
    text = f"\n{about['real']:,} of the vectors are real"
    if made > 0:
        made_with = f"t = {recipe['towards']:g}, s = {recipe['aside']:.2f}"
        text += f"; the others were made with {made_with}, distances spread as in {recipe['dimensions']:g} dimensions"
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{text}.\n\n{lines}"


def _figure_row(figures: dict[str, Any], what: str) -> list[str]:
    return [f"{figures['count']:,}", what, *(number(figures.get(name), 3) for name in _FIGURES)]
