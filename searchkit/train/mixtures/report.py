"""The report of a search of mixtures or of a soup: Markdown (also the model's card) and pictures for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchkit.train.adapter.report import MapReport
from searchkit.train.reports import (
    AFTER,
    BEFORE,
    Report,
    can_draw,
    new_figure,
    save_picture,
    write_report_folder,
)

if TYPE_CHECKING:  # they import torch
    from searchkit.train.mixtures.blends import Difference, Measured
    from searchkit.train.mixtures.search import Tried

TRIALS_PICTURE = "mixtures.png"


@dataclass(frozen=True, slots=True)
class BlendRow:
    """A single matrix or a soup: its effect on the validation pairs, and on the held-out ones, which chose nothing.

    `held_out`: gains in nDCG@10, averaged over the prefixes, and in log-likelihood.
    """

    name: str
    members: tuple[str, ...]
    mix: float
    measured: "Measured"
    held_out: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MixtureReport(MapReport):
    """A run's figures. `sources`: training pairs by source.

    `chosen`: a name of `blends`, "" for none. `trials`: the mixtures that were tried, none for a soup of other things.
    `differences`: by soup. `judged`: the number of judged queries that chose. The others are those of every run.
    """

    sources: Mapping[str, int]
    judged: int
    trials: "tuple[Tried, ...]"
    resumed: int
    blends: tuple[BlendRow, ...]
    chosen: str
    differences: "Mapping[str, tuple[Difference, ...]]"


def markdown(report: MixtureReport) -> str:
    """The report as Markdown."""
    sources = ", ".join(f"{name} {size:,}" for name, size in report.sources.items())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.kinds.items())
    data = (
        f"{kinds} pairs of {report.counts.documents:,} documents of the collection `{report.collection}`; they stay on this"
        f" machine. Sources, with the pairs to train with: {sources}."
    )
    chose = f"Half of the judged queries ({report.judged:,}) chose; the others are the target."
    head = report.head(report.chosen, data, (chose,) if report.judged else ())
    return "\n".join([*head, *_blends(report), *_differences(report), *_trials(report), *report.proof()])


def write_report(folder: Path, report: MixtureReport) -> None:
    """Write it for people and programs, with pictures. Raises TrainingError if the folder cannot be written."""
    pictures = report.pictures()
    if report.trials:
        pictures[TRIALS_PICTURE] = partial(draw_trials, trials=report.trials, sources=tuple(report.sources))
    write_report_folder(folder, Report(markdown(report), as_json(report), pictures, report.model))


def as_json(report: MixtureReport) -> dict[str, Any]:
    """The report's fields as JSON; a trial's weights are by source."""
    fields = asdict(report)
    for trial in fields["trials"]:
        trial["weights"] = dict(zip(report.sources, trial["weights"], strict=True))
    return fields


def draw_trials(file: Path, trials: "Sequence[Tried]", sources: Sequence[str]) -> None:
    """Draw the score of each trial with the best so far, and below it the weights of the sources."""
    if not can_draw():
        return
    numbers = [trial.number for trial in trials]
    gains = [trial.measured.likelihood if trial.measured.judged is None else trial.measured.judged for trial in trials]
    usable = [not trial.measured.rejection_reason for trial in trials]
    best = [max((g for g, u in zip(gains[: n + 1], usable, strict=False) if u), default=0.0) for n in range(len(gains))]
    figure = new_figure(1.5 + 0.16 * max(len(trials), 24), 4.8)
    above, below = figure.subplots(2, 1, sharex=True)
    for is_usable, face in ((True, AFTER), (False, "white")):
        chosen = [(n, g) for n, g, u in zip(numbers, gains, usable, strict=True) if u is is_usable]
        if chosen:
            label = "a mixture" if is_usable else "rejected"
            above.plot(*zip(*chosen, strict=True), "o", color=AFTER, markerfacecolor=face, label=label)
    above.step(numbers, best, where="post", color=BEFORE, label="the best so far")
    above.set_ylabel("gain: nDCG@10" if trials[0].measured.judged is not None else "gain: log-likelihood")
    above.grid(axis="y", alpha=0.3)
    # Above the panel, since points are anywhere in it.
    above.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    bottoms = [0.0] * len(trials)
    for number, source in enumerate(sources):
        weights = [trial.weights[number] for trial in trials]
        below.bar(numbers, weights, bottom=bottoms, label=source)
        bottoms = [bottom + weight for bottom, weight in zip(bottoms, weights, strict=True)]
    below.set_xlabel("trial")
    below.set_ylabel("weight")
    figure.legend(*below.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    save_picture(figure, file)


def _blends(report: MixtureReport) -> list[str]:
    rows = []
    for row in report.blends:
        judged = "" if row.measured.judged is None else f"{row.measured.judged:+.4f}"
        state = "**chosen**" if row.name == report.chosen else row.measured.rejection_reason
        rows.append(
            f"| {row.name} | {', '.join(row.members)} | {row.mix:g} | {row.measured.likelihood:+.3f} | {row.measured.ndcg:+.4f} |"
            f" {judged} | {row.held_out[1]:+.3f} | {row.held_out[0]:+.4f} | {state} |"
        )
    return [
        "## Single ones and soups",
        "",
        "Gains over the base in log-likelihood and nDCG@10: of the validation pairs, which chose, and of the held-out ones.",
        "",
        "| | of | mix | log-likelihood | nDCG@10 | judged | held out: log-likelihood | nDCG@10 | |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _differences(report: MixtureReport) -> list[str]:
    rows = [
        f"| {soup} | {each.instead_of} | {each.ndcg[0]:+.4f} [{each.ndcg[1]:+.4f}, {each.ndcg[2]:+.4f}] |"
        f" {each.likelihood[0]:+.3f} [{each.likelihood[1]:+.3f}, {each.likelihood[2]:+.3f}] |"
        for soup, found in report.differences.items()
        for each in found
    ]
    return [
        "## What the soups gain on the held-out pairs",
        "",
        "| soup | over | nDCG@10, 95 % | log-likelihood, 95 % |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _trials(report: MixtureReport) -> list[str]:
    if not report.trials:
        return []
    rows = []
    for trial in report.trials:
        weights = " | ".join(f"{weight:.2f}" for weight in trial.weights)
        judged = "" if trial.measured.judged is None else f"{trial.measured.judged:+.4f}"
        rows.append(
            f"| {trial.number} | {weights} | {trial.pull} | {trial.mix:g} | {trial.measured.likelihood:+.3f} |"
            f" {trial.measured.ndcg:+.4f} | {judged} | {trial.measured.rejection_reason} |"
        )
    return [
        "## Mixtures that were tried, on the validation pairs",
        "",
        f"{len(report.trials)} trials, {report.resumed} of them kept from an earlier run.",
        "",
        f"| trial | {' | '.join(report.sources)} | pull | mix | log-likelihood | nDCG@10 | judged | rejected because |",
        f"|---|{'---|' * len(report.sources)}---|---|---|---|---|---|",
        *rows,
        "",
    ]
