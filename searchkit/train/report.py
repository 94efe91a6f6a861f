"""What an adapter's training comes to, for people (Markdown, which is the model's card too; plots) and programs (JSON)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.errors import UsageError
from searchkit.paths import make_private_folder, write_atomically
from searchkit.train.gate import CODES, Comparison, Verdict
from searchkit.train.pairs import PairCounts

if TYPE_CHECKING:  # it imports torch
    from searchkit.train.adapter import Trial


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """`model`: "" if the base stays. `used`: pairs by split; `targets`: the first decided, with `general`."""

    collection: str
    base: str
    model: str
    licence: str
    counts: PairCounts
    used: Mapping[str, int]
    is_quick: bool
    seed: int
    chosen: "Trial | None"
    trials: "tuple[Trial, ...]"
    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    verdict: Verdict
    is_forced: bool
    embedded: int
    embed_seconds: float
    train_seconds: float
    prove_seconds: float


def markdown(report: AdapterReport) -> str:
    """The report as Markdown."""
    lines = [
        f"# {report.model or report.base}",
        "",
        _summary(report),
        "",
        f"- Base: {report.base}. Licence, inherited from it: **{report.licence}**. Whoever passes this model on passes those"
        " terms on.",
        f"- Data: {_data(report)}. They are texts of the collection `{report.collection}`, and stay on this machine.",
        f"- Split by document, seed {report.seed}. Embedded for it: {report.embedded:,} texts.",
        f"- Seconds: {report.embed_seconds:.1f} gathering and embedding, {report.train_seconds:.1f} training and choosing,"
        f" {report.prove_seconds:.1f} proving.",
        "",
    ]
    for comparison in (*report.targets, *report.general):
        lines += [*_table(comparison), ""]
    lines += _trials(report)
    return "\n".join(lines)


def report_place(folder: Path) -> Path:
    """The folder, made if need be. Raises UsageError if it cannot be: better before the training than after it."""
    try:
        return make_private_folder(folder)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {folder}: {error.strerror}. Name another folder: --out"
        ) from error


def write_report(folder: Path, report: AdapterReport) -> None:
    """report.md, report.json and, where matplotlib is installed, ndcg.png. Raises UsageError if the folder cannot be written."""
    place = report_place(folder)
    write_atomically(place / "report.md", markdown(report).encode())
    write_atomically(place / "report.json", json.dumps(as_json(report), indent=2).encode())
    _plot(place / "ndcg.png", (*report.targets, *report.general))


def as_json(report: AdapterReport) -> dict[str, Any]:
    """The same for programs."""
    return asdict(report)


def _summary(report: AdapterReport) -> str:
    if not report.model:
        return f"The base stays: {report.verdict.reason}."
    forced = "" if report.verdict.passed else " It did not pass the gate and was made all the same (--force)."
    return (
        f"{report.base} adapted to the collection `{report.collection}` by a linear map of its vectors."
        f" {report.verdict.reason}.{forced}"
    )


def _data(report: AdapterReport) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.kinds.items())
    used = ", ".join(f"{count:,} {split}" for split, count in report.used.items())
    return (
        f"{sum(report.counts.kinds.values()):,} pairs ({kinds}) of {report.counts.documents:,} documents; used: {used}"
    )


def _table(comparison: Comparison) -> list[str]:
    head = f"## {comparison.name}: {comparison.queries:,} queries"
    mean = f"nDCG@10 {comparison.gain:+.4f} on average [{comparison.low:+.4f}, {comparison.high:+.4f}]"
    if comparison.likelihood:
        mean += "; log-likelihood of the answers {:+.3f} [{:+.3f}, {:+.3f}]".format(*comparison.likelihood)
    rows = [
        f"| {cell.prefix} | {cell.code} | {cell.ndcg_before:.4f} | {cell.ndcg_after:.4f} | {cell.gain:+.4f}"
        f" [{cell.gain_low:+.4f}, {cell.gain_high:+.4f}] | {cell.recall_before:.3f} → {cell.recall_after:.3f} |"
        f" {cell.ann_before:.3f} → {cell.ann_after:.3f} |"
        for cell in comparison.cells
    ]
    return [
        head,
        "",
        mean,
        "",
        "| prefix | code | nDCG@10 before | after | gain, 95 % | recall@10 | recall of the code |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


def _trials(report: AdapterReport) -> list[str]:
    rows = [
        f"| {trial.weights.distillation:g} | {trial.weights.spread:g} | {trial.weights.temperature:g} | {trial.mix:g} |"
        f" {trial.likelihood:+.3f} | {trial.ndcg:+.4f} |{' chosen' if trial == report.chosen else ''} |"
        for trial in report.trials
    ]
    return [
        "## What was tried, on the validation pairs",
        "",
        "| distillation | spread | temperature | mix | log-likelihood | nDCG@10 | |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _plot(file: Path, comparisons: Sequence[Comparison]) -> None:
    """nDCG@10 by prefix, before and after, a panel for each set."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    if not comparisons:
        return
    figure = Figure(figsize=(4.2 * len(comparisons), 3.4), layout="constrained")
    panels = figure.subplots(1, len(comparisons), squeeze=False)[0]
    for panel, comparison in zip(panels, comparisons, strict=True):
        for code, style in zip(CODES, ("-", "--", ":"), strict=True):
            cells = [cell for cell in comparison.cells if cell.code == code]
            places = range(len(cells))
            panel.plot(places, [cell.ndcg_before for cell in cells], style, color="#888888", label=f"before, {code}")
            panel.plot(places, [cell.ndcg_after for cell in cells], style, color="#1f6f8b", label=f"after, {code}")
            panel.set_xticks(list(places), [str(cell.prefix) for cell in cells])
        panel.set_title(f"{comparison.name} ({comparison.queries:,} queries)", fontsize=10)
        panel.set_xlabel("prefix dimension")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("nDCG@10")
    panels[0].legend(fontsize=7)
    figure.savefig(file, dpi=120)
