"""The report of an adapter's training: Markdown (also the model's card) and plots for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.train.effort import GOAL, Effort
from searchkit.train.gate import Comparison, Verdict
from searchkit.train.options import Taught
from searchkit.train.pairs.pair import PairCounts
from searchkit.train.reports import (
    COMPARISONS_PICTURE,
    EFFORT_PICTURE,
    Draw,
    Report,
    draw_comparisons,
    draw_effort,
    write_report_folder,
)

if TYPE_CHECKING:  # it imports torch
    from searchkit.train.adapter.learn import Trial


@dataclass(frozen=True, slots=True)
class MapReport:
    """The figures that every run has which makes a linear map. `model`: "" if the base stays.

    `remarks`: sentences for people on the training data. `targets`: the first of them decides, together with `general` and
    `effort`, which is None for a collection that is small enough to be searched exactly.
    """

    collection: str
    base: str
    model: str
    licence: str
    counts: PairCounts
    remarks: tuple[str, ...]
    seed: int
    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    effort: Effort | None
    verdict: Verdict
    forced: bool
    embedded: int
    embed_seconds: float
    train_seconds: float
    prove_seconds: float

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All sets that base and model were compared on."""
        return (*self.targets, *self.general)

    def head(self, made_of: str, data: str, remarks: Sequence[str] = ()) -> list[str]:
        """The first lines of its Markdown: what was made, and of what. `made_of`: what the map is; `data`: about the pairs."""
        return [
            f"# {self.model or self.base}",
            "",
            self._summary(made_of),
            "",
            *(part for remark in (*self.remarks, *remarks) for part in (remark, "")),
            f"- Base: {self.base}. Licence, inherited from it: **{self.licence}**. Whoever passes this model on must pass those"
            " terms on.",
            f"- Data: {data}",
            f"- Split by document, seed {self.seed}. Texts embedded: {self.embedded:,}.",
            f"- Seconds: {self.embed_seconds:.1f} loading and embedding, {self.train_seconds:.1f} training and choosing,"
            f" {self.prove_seconds:.1f} proving.",
            "",
        ]

    def proof(self) -> list[str]:
        """The figures before and after as Markdown: a table for each set, and the effort of the index."""
        tables = [line for comparison in self.comparisons for line in (*_table(comparison), "")]
        return [*tables, *(_effort(self.effort) if self.effort else ())]

    def pictures(self) -> "dict[str, Draw]":
        """What draws its pictures, by the names of their files."""
        found: dict[str, Draw] = {COMPARISONS_PICTURE: partial(draw_comparisons, comparisons=self.comparisons)}
        if self.effort:
            found[EFFORT_PICTURE] = partial(draw_effort, effort=self.effort)
        return found

    def _summary(self, made_of: str) -> str:
        if not self.model:
            return f"The base stays: {self.verdict.reason}."
        forced = "" if self.verdict.passed else " It did not pass the gate, but was made because that was asked for."
        what = f"{self.base} adapted to the collection `{self.collection}` by a linear map of its vectors"
        return f"{what}{f': {made_of}' if made_of else ''}. {self.verdict.reason}.{forced}"


@dataclass(frozen=True, slots=True)
class AdapterReport(MapReport):
    """A run's figures. `used`: pairs by split. The others are those of every run."""

    used: Mapping[str, int]
    quick: bool
    chosen: "Trial | None"
    trials: "tuple[Trial, ...]"


def markdown(report: AdapterReport) -> str:
    """The report as Markdown."""
    data = f"{_data(report)}. They are texts of the collection `{report.collection}`, and stay on this machine."
    return "\n".join([*report.head("", data), *report.proof(), *_trials(report)])


def write_report(folder: Path, report: AdapterReport) -> None:
    """Write it for people and programs, with a picture. Raises TrainingError if the folder cannot be written."""
    write_report_folder(folder, Report(markdown(report), as_json(report), report.pictures(), report.model))


def as_json(report: AdapterReport) -> dict[str, Any]:
    """The report's fields as JSON; a rejected trial's reason is named `objection` there, as in earlier reports."""
    fields = asdict(report)
    for trial in (*fields["trials"], *filter(None, [fields["chosen"]])):
        trial["objection"] = trial.pop("rejection_reason")
    return fields


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
        f"| {_learned_from(trial)} | {trial.weights.distillation:g} | {trial.weights.spread:g} | {trial.weights.temperature:g}"
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


def _learned_from(trial: "Trial") -> str:
    return f"{trial.taught}, averaged with {Taught.OTHERS}" if trial.is_soup else trial.taught.value
