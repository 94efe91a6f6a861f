"""The study as Markdown tables and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.spread_out.analysis import (
    BASE,
    Curve,
    Study,
    correlations,
    curve,
    gain,
    ndcg_at_effort,
)
from benchmarks.spread_out.cells import Cell
from benchmarks.spread_out.plots import draw
from benchmarks.spread_out.structures import SCANS
from benchmarks.spread_out.variants import EXTREME
from searchkit.train.effort import Ratio, effort_at, effort_ratio

GOAL = 0.95  # recall@10 whose effort is compared
_GOAL_OF_CANDIDATES = 0.99
CONTRASTIVE = "contrastive"
_COUNTED = ("hnsw", "ivf-int8")
_GEOMETRY = {
    "mean_cosine": "mean cosine",
    "second_moment": "second moment × d",
    "uniformity": "uniformity",
    "variance_spread": "variances",
    "power_spread": "mean squares",
    "sign_bias": "sign bias",
    "intrinsic_dimension": "intrinsic dimension",
    "hubness": "hubness",
}


def write_report(cells: Sequence[Cell], out: Path) -> None:
    """Write report.md and the pictures into a folder; without matplotlib there are none."""
    if not cells:
        print("Nothing has been measured yet.")
        return
    study = Study(cells)
    (out / "report.md").write_text("\n".join(report(study)) + "\n", "utf-8")
    print(f"{len(cells):,} cells: {out / 'report.md'}")
    try:
        draw(study, out)
    except ModuleNotFoundError as error:
        print(f"No pictures: {error}")


def report(study: Study) -> Iterator[str]:
    """The lines of the report."""
    yield from overview(study)
    for model, name in study.groups():
        yield f"## {name}, {model}: {study.count(model, name):,} passages\n"
        yield from quality(study, model, name)
        for prefix in study.prefixes(model, name):
            yield from efforts(study, model, name, prefix)
            yield from codes(study, model, name, prefix)
        yield from geometry(study, model, name)
    yield from beside_contrastive(study)
    yield from what_goes_with_what(study)


def overview(study: Study) -> Iterator[str]:
    """Each variant against the base: means over models and sets with the least and the largest, at two prefixes."""
    figures = ("second_moment", "intrinsic_dimension", "variance_spread")
    for place, label in ((0, "whole vectors"), (-1, "the shortest prefix")):
        head = [f"{label}, against the base", "nDCG@10, exact", *(f"{each}: distances for {GOAL}" for each in _COUNTED)]
        head += [*SCANS, *(_GEOMETRY[each] for each in figures)]
        rows = []
        for variant in dict.fromkeys(each for group in study.groups() for each in study.variants(*group)):
            groups = [(model, name, study.prefixes(model, name)[place]) for model, name in study.groups()]
            known = [(group, study.geometry(group[0], group[1], variant, group[2])) for group in groups]
            known = [(group, found) for group, found in known if found]
            if not known:
                continue  # measured at other prefixes only
            against = [differences(study, group, variant, BASE) for group, _ in known if variant != BASE]
            columns = [[each.value for each in column if each] for column in zip(*against, strict=True)]
            row = [ranged(column, "+.3f" if not 0 < i < 3 else ".2f") for i, column in enumerate(columns)]
            rows.append(
                [
                    f"{variant} ({len(known)})",
                    *(row or [""] * (3 + len(SCANS))),
                    *(f"{np.mean([found[figure] for _, found in known]):.3g}" for figure in figures),
                ]
            )
        yield from table(head, rows)


def ranged(values: Sequence[float], form: str) -> str:
    """The mean with the least and the largest; values that are no numbers, of recalls that were not reached, are left out."""
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return ""
    return f"{np.mean(known):{form}} ({min(known):{form}} to {max(known):{form}})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, and a blank line."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def quality(study: Study, model: str, name: str) -> Iterator[str]:
    """nDCG@10 by exact search for each prefix, and the gain of the whole vector over the base's."""
    prefixes = study.prefixes(model, name)
    rows = []
    for variant in study.variants(model, name):
        found = [study.ndcg(model, name, variant, prefix) for prefix in prefixes]
        base = study.ndcg(model, name, BASE, prefixes[0])
        difference = interval(gain(found[0], base), "+.3f") if len(found[0]) and len(base) and variant != BASE else ""
        rows.append([variant, *(f"{each.mean():.3f}" if len(each) else "" for each in found), difference])
    yield from table(["nDCG@10, exact", *map(str, prefixes), f"gain at {prefixes[0]}, 95 %"], rows)


def efforts(study: Study, model: str, name: str, prefix: int) -> Iterator[str]:
    """Distances that a recall needs, beside the base's, and nDCG@10 at the base's effort."""
    head = [f"{prefix}-d"]
    for structure in _COUNTED:
        head += [f"{structure}: distances for recall {GOAL}", "of the base's, 95 %", "nDCG@10 at the base's distances"]
    rows = []
    for variant in study.variants(model, name):
        row = [variant]
        for structure in _COUNTED:
            own, base = (
                curve(study.of(model, name, each, prefix, structure), rescored=False) for each in (variant, BASE)
            )
            row += _effort_cells(own, base, variant) if own and base else ["", "", ""]
        rows.append(row)
    yield from table(head, rows)


def _effort_cells(own: Curve, base: Curve, variant: str) -> list[str]:
    needed = effort_at(own.efforts, own.recalls.mean(axis=1), GOAL)
    at_base = effort_at(base.efforts, base.recalls.mean(axis=1), GOAL)
    ratio = interval(effort_ratio(own, base, GOAL), ".2f") if variant != BASE else ""
    shown = f"{needed:,.0f}" if np.isfinite(needed) else "not reached"
    return [shown, ratio, f"{ndcg_at_effort(own, at_base):.3f}" if np.isfinite(at_base) else ""]


def codes(study: Study, model: str, name: str, prefix: int) -> Iterator[str]:
    """Recall of the ten nearest by codes alone, and how many candidates recall .99 needs when whole vectors order them."""
    head = [f"{prefix}-d, recall@10 of codes alone (candidates for {_GOAL_OF_CANDIDATES} when rescored)", *SCANS]
    rows = []
    for variant in study.variants(model, name):
        row = [variant]
        for structure in SCANS:
            cells, bases = (study.of(model, name, each, prefix, structure) for each in (variant, BASE))
            own, base = (curve(each, rescored=False, by_computations=False) for each in (cells, bases))
            rescored = curve(cells, rescored=True, by_computations=False)
            row.append(_code_cell(own, base, rescored, variant) if own and base and rescored else "")
        rows.append(row)
    yield from table(head, rows)


def _code_cell(own: Curve, base: Curve, rescored: Curve, variant: str) -> str:
    candidates = effort_at(rescored.efforts, rescored.recalls.mean(axis=1), _GOAL_OF_CANDIDATES)
    difference = f" {interval(gain(own.recalls[0], base.recalls[0]), '+.3f')}" if variant != BASE else ""
    shown = f"{candidates:.0f}" if np.isfinite(candidates) else "> 200"
    return f"{own.recalls[0].mean():.3f}{difference} ({shown})"


def geometry(study: Study, model: str, name: str) -> Iterator[str]:
    """The figures of the whole vectors."""
    prefix = study.prefixes(model, name)[0]
    rows = []
    for variant in study.variants(model, name):
        figures: Mapping[str, float] = study.geometry(model, name, variant, prefix)
        if figures:
            rows.append([variant, *(f"{figures[figure]:.3g}" for figure in _GEOMETRY)])
    yield from table([f"geometry, {prefix}-d", *_GEOMETRY.values()], rows)


def beside_contrastive(study: Study) -> Iterator[str]:
    """What spread-out adds to the contrastive loss, which is what a default must ask; the best of each group is not chosen."""
    head = [
        "model, set, prefix",
        "variant",
        "nDCG@10, exact",
        *(f"{each}: distances for {GOAL}" for each in _COUNTED),
        *SCANS,
    ]
    rows = []
    for model, name in study.groups():
        for prefix in study.prefixes(model, name):
            for variant in study.variants(model, name):
                if variant.startswith("spread-out"):
                    cells = _against(study, (model, name, prefix), variant, CONTRASTIVE)
                    rows.append([f"{model}, {name}, {prefix}", variant, *cells])
                elif variant.startswith("fine-tuned, "):
                    cells = _against(study, (model, name, prefix), variant, "fine-tuned")
                    rows.append([f"{model}, {name}, {prefix}", variant, *cells])
    yield "## What spread-out adds to the same training without it\n"
    yield "Differences in nDCG@10 and in recall@10 of codes alone, and the share of the distances that are needed; 95 %.\n"
    yield from table(head, rows)


def _against(study: Study, where: tuple[str, str, int], variant: str, other: str) -> list[str]:
    """A row's cells: a variant against another one; "" where one of them was not measured."""
    found = differences(study, where, variant, other)
    return [interval(each, "+.3f" if not 0 < i < 3 else ".2f") if each else "" for i, each in enumerate(found)]


def differences(study: Study, where: tuple[str, str, int], variant: str, other: str) -> list[Ratio | None]:
    """A variant against another: nDCG@10, shares of the distances of HNSW and lists, recall of each code; None if unknown."""
    model, name, prefix = where
    pairs = ((variant, other), (other, variant))
    own, base = (study.ndcg(model, name, each, prefix, beside=beside) for each, beside in pairs)
    row: list[Ratio | None] = [gain(own, base) if len(own) and len(base) else None]
    for structure in (*_COUNTED, *SCANS):
        is_counted = structure in _COUNTED
        one, two = (
            curve(
                study.of(model, name, each, prefix, structure, beside=beside),
                rescored=False,
                by_computations=is_counted,
            )
            for each, beside in pairs
        )
        if one is None or two is None:
            row.append(None)
        elif is_counted:
            row.append(effort_ratio(one, two, GOAL))
        else:
            row.append(gain(one.recalls[0], two.recalls[0]))
    return row


def what_goes_with_what(study: Study) -> Iterator[str]:
    """Rank correlations over the variants, means over the groups with the least and the largest."""
    structures = ("hnsw", "ivf-int8", *SCANS)
    yield "## Rank correlations of geometry and recall, over the variants\n"
    for head, without in (("all variants", ()), ("without whitening and principal axes", EXTREME)):
        rows = [
            [label, *(ranged(correlations(study, each, figure, without=without), "+.2f") for each in structures)]
            for figure, label in _GEOMETRY.items()
        ]
        yield from table([head, *structures], rows)


def interval(estimate: Ratio, form: str) -> str:
    """A figure with its interval; "" if it is not a number."""
    if np.isnan(estimate.value):
        return ""
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
