"""The gate for a student: what it loses against its teacher and what it gains in speed, and whether that is a bargain.

A student finds less than its teacher; it passes if it is faster and loses no more than was allowed. Both are measured as they are
used, quantized, on queries and documents that the student has not learned from.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import ModelStore
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.distill.distill import Distillation, Step
from searchkit.train.finetune.proof import (
    ProofOptions,
    compare_embedders,
    converted,
    held_out_pool,
    too_few_to_prove,
)
from searchkit.train.gate import Comparison, Verdict
from searchkit.train.reports import AFTER, BEFORE, can_draw, new_figure, save_picture
from searchkit.types import Passage

SPEED_PICTURE = "speed.png"
MOST_LOSS = 0.03
_LEAST_GAIN = 1.1  # times the teacher's passages per second; a student that is not faster is for nothing
_ROUNDS = 5
_TIMED = 48  # passages in a round
_MODEL = "student"


@dataclass(frozen=True, slots=True)
class Bargain:
    """What is allowed. `most_loss`: nDCG@10 on the held-out pairs and on each of `general`, averaged over prefixes and codes.

    `general`: folders in BEIR's layout; the bundled one is measured and does not decide. `quantization`: the student's.
    """

    most_loss: float = MOST_LOSS
    general: tuple[Path, ...] = ()
    quantization: Quantization = Quantization.INT8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Speeds:
    """Passages per second of teacher and student, medians of alternating rounds. `gain`: the median ratio of a round."""

    teacher: float
    student: float
    gain: float


@dataclass(frozen=True, slots=True)
class StudentProof:
    """The comparisons of a student with its teacher, the teacher first, and the verdict. `speeds`: None if it was not measured."""

    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    speeds: Speeds | None
    verdict: Verdict


def prove_student(
    library: Library,
    run: Distillation,
    checkpoint: Path,
    bargain: Bargain,
    on_progress: ProgressListener = lambda _: None,
) -> StudentProof:
    """Compare a student's checkpoint with its teacher. Nothing is installed; the converted student is in the run's folder."""
    pairs = run.lesson.pairs
    if reason := too_few_to_prove(pairs):
        return StudentProof((), (), None, Verdict(False, reason))
    on_progress(Progress("Converting", 0, None, ""))
    teacher = library.models.open(run.teacher)
    student = converted(ModelStore(run.folder.path / "models"), _MODEL, checkpoint, bargain.quantization)
    options = ProofOptions(bargain.general, bargain.quantization, bargain.seed)
    target, general = compare_embedders(library.home, (teacher, student), pairs, options, on_progress)
    on_progress(Progress("Measuring speed", 0, None, ""))
    speeds = compare_speeds(teacher, student, held_out_pool(pairs, bargain.seed)[:_TIMED])
    return StudentProof((target,), general, speeds, judge_student(target, general, speeds, bargain))


def compare_speeds(teacher: Embedder, student: Embedder, passages: Sequence[Passage], rounds: int = _ROUNDS) -> Speeds:
    """Embed the passages with both in turn, a round each to warm up, so that other work on the machine meets both alike."""
    times: dict[str, list[float]] = {"teacher": [], "student": []}
    for number in range(rounds + 1):
        for name, model in (("teacher", teacher), ("student", student)):
            started = time.perf_counter()
            model.embed_documents(passages)
            if number:
                times[name].append(time.perf_counter() - started)
    old, new = times["teacher"], times["student"]
    gain = median(before / after for before, after in zip(old, new, strict=True))
    return Speeds(len(passages) / median(old), len(passages) / median(new), gain)


def judge_student(target: Comparison, general: Sequence[Comparison], speeds: Speeds, bargain: Bargain) -> Verdict:
    """Pass if the student is faster, and loses no more than is allowed on the held-out pairs and the general sets that were named.

    The first of the general sets is the bundled one.
    """
    if speeds.gain < _LEAST_GAIN:
        return Verdict(False, f"it is not faster than its teacher ({speeds.gain:.2f} times the passages per second)")
    for check in (target, *general[1:]):
        if -check.gain > bargain.most_loss:
            return Verdict(
                False,
                f"{check.name}: it loses {-check.gain:.4f} of nDCG@10 against its teacher; {bargain.most_loss:g} is allowed"
                f" ({speeds.gain:.2f} times the passages per second)",
            )
    changes = ", ".join(
        f"{check.name} {check.gain:+.4f} ({check.low:+.4f} to {check.high:+.4f})" for check in (target, *general)
    )
    return Verdict(True, f"{speeds.gain:.2f} times the passages per second; nDCG@10 against its teacher: {changes}")


def steps_table(steps: Sequence[Step]) -> str:
    """The steps as Markdown, the teacher first."""
    lines = [
        "| step | nDCG@10 on validation | against the teacher | cosine to the teacher | minutes |",
        "|" + "---|" * 5,
    ]
    for step in steps:
        cosine = "" if step.cosine is None else f"{step.cosine:.4f}"
        change = f"{step.score - steps[0].score:+.4f}"
        minutes = f"{step.seconds / 60:.1f}" if step.seconds else ""
        lines.append(f"| {step.name} | {step.score:.4f} | {change} | {cosine} | {minutes} |")
    return "\n".join(lines)


def speeds_table(speeds: Speeds) -> str:
    """The speeds as Markdown."""
    rows = (("teacher", speeds.teacher, 1.0), ("student", speeds.student, speeds.gain))
    lines = ["| | passages per second | times the teacher's |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {speed:.1f} | {gain:.2f} |" for name, speed, gain in rows)])


def draw_speeds(file: Path, steps: Sequence[Step], speeds: Speeds | None) -> None:
    """Draw speed against nDCG@10 on the validation pairs: the teacher, and the student after each step. Nothing without speeds."""
    if speeds is None or not can_draw():
        return
    figure = new_figure(6.5, 4.0)
    panel = figure.subplots()
    teacher, *others = steps
    panel.axhline(teacher.score, color=BEFORE, linestyle="--", linewidth=1)
    places = [speeds.teacher, *[speeds.student] * len(others)]
    panel.plot([places[0], places[-1]], [teacher.score, others[-1].score], color=AFTER, linewidth=1, alpha=0.4)
    for place, step in zip(places, steps, strict=True):
        is_teacher = step is teacher
        panel.plot([place], [step.score], "o", color=BEFORE if is_teacher else AFTER)
        side = {"xytext": (8, 4), "ha": "left"} if is_teacher else {"xytext": (-8, -3), "ha": "right"}
        panel.annotate(step.name, (place, step.score), textcoords="offset points", fontsize=9, parse_math=False, **side)
    panel.set_xlim(0, 1.15 * max(places))
    panel.set_xlabel("passages per second")
    panel.set_ylabel("nDCG@10 on the validation pairs")
    panel.margins(y=0.15)
    panel.grid(alpha=0.3)
    save_picture(figure, file)
