"""The report of an adapter's training: Markdown (also the model's card) and plots for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.train.effort import GOAL, Effort
from searchkit.train.gate import Comparison, Verdict
from searchkit.train.pairs.pair import PairCounts
from searchkit.train.reports import (
    COMPARISONS_PICTURE,
    EFFORT_PICTURE,
    Report,
    draw_comparisons,
    draw_effort,
    write_report_folder,
)

if TYPE_CHECKING:  # it imports torch
    from searchkit.train.adapter.learn import Trial


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """A run's figures. `model`: "" if the base stays. `remarks`: sentences for people on the training data. `used`: pairs by split.

    `targets`: the first of them decides, together with `general` and `effort`, which is None for a collection that is small enough
    to be searched exactly.
    """

    collection: str
    base: str
    model: str
    licence: str
    counts: PairCounts
    remarks: tuple[str, ...]
    used: Mapping[str, int]
    is_quick: bool
    seed: int
    chosen: "Trial | None"
    trials: "tuple[Trial, ...]"
    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    effort: Effort | None
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
        *(part for remark in report.remarks for part in (remark, "")),
        f"- Base: {report.base}. Licence, inherited from it: **{report.licence}**. Whoever passes this model on must pass"
        " those terms on.",
        f"- Data: {_data(report)}. They are texts of the collection `{report.collection}`, and stay on this machine.",
        f"- Split by document, seed {report.seed}. Texts embedded: {report.embedded:,}.",
        f"- Seconds: {report.embed_seconds:.1f} loading and embedding, {report.train_seconds:.1f} training and choosing,"
        f" {report.prove_seconds:.1f} proving.",
        "",
    ]
    lines += proof_lines((*report.targets, *report.general), report.effort)
    lines += _trials(report)
    return "\n".join(lines)


def proof_lines(comparisons: Sequence[Comparison], effort: Effort | None) -> list[str]:
    """The figures before and after as Markdown: a table for each set, and the effort of the index."""
    tables = [line for comparison in comparisons for line in (*_table(comparison), "")]
    return [*tables, *(_effort(effort) if effort else ())]


def write_report(folder: Path, report: AdapterReport) -> None:
    """Write it for people and programs, with a picture. Raises TrainingError if the folder cannot be written."""
    comparisons = (*report.targets, *report.general)
    pictures = {COMPARISONS_PICTURE: partial(draw_comparisons, comparisons=comparisons)}
    if report.effort:
        pictures[EFFORT_PICTURE] = partial(draw_effort, effort=report.effort)
    write_report_folder(folder, Report(markdown(report), as_json(report), pictures, report.model))


def as_json(report: AdapterReport) -> dict[str, Any]:
    """The report's fields as JSON; a rejected trial's reason is named `objection` there, as in earlier reports."""
    fields = asdict(report)
    for trial in (*fields["trials"], *filter(None, [fields["chosen"]])):
        trial["objection"] = trial.pop("rejection_reason")
    return fields


def _summary(report: AdapterReport) -> str:
    if not report.model:
        return f"The base stays: {report.verdict.reason}."
    forced = "" if report.verdict.passed else " It did not pass the gate, but was made because that was asked for."
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


def _effort(effort: Effort) -> list[str]:
    before, after = (
        "not reached" if each is None else f"{each:.0f}" for each in (effort.needed_before, effort.needed_after)
    )
    ratio = "" if effort.ratio is None else f", {effort.ratio:.2f} times as many [{effort.low:.2f}, {effort.high:.2f}]"
    rows = [f"| {each.candidates} | {each.recall_before:.3f} | {each.recall_after:.3f} |" for each in effort.points]
    return [
        f"## The index {effort.index}: {effort.queries:,} queries among {effort.passages:,} passages",
        "",
        f"Candidates that full vectors must score for a recall@10 of {GOAL}: {before} before, {after} after{ratio}.",
        "",
        "| candidates | recall@10 before | after |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _trials(report: AdapterReport) -> list[str]:
    rows = [
        f"| {trial.taught} | {trial.weights.distillation:g} | {trial.weights.spread:g} | {trial.weights.temperature:g}"
        f" | {trial.mix:g} |"
        f" {trial.likelihood:+.3f} | {trial.ndcg:+.4f} | {'chosen' if trial == report.chosen else trial.rejection_reason} |"
        for trial in report.trials
    ]
    return [
        "## What was tried, on the validation pairs",
        "",
        "| learned from | distillation | spread | temperature | mix | log-likelihood | nDCG@10 | chosen, or why rejected |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
