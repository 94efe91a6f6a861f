"""Installs a student that passes, as a model of its own, and writes its card and its report; otherwise nothing is installed."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from searchkit.display import size
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.train.distill.distill import Distillation, Student
from searchkit.train.distill.proof import (
    SPEED_PICTURE,
    Bargain,
    StudentProof,
    draw_speeds,
    prove_student,
    speeds_table,
    steps_table,
)
from searchkit.train.finetune.base import model_card
from searchkit.train.finetune.history import HISTORY_PICTURE, draw_history, history_table
from searchkit.train.finetune.install import Made, install_checkpoint, put_away
from searchkit.train.finetune.proof import Proof, proof_table
from searchkit.train.finetune.weights import BASE_CARD
from searchkit.train.reports import COMPARISONS_PICTURE, Draw, Report, draw_comparisons, write_report_folder


@dataclass(frozen=True, slots=True)
class Graduation:
    """The outcome of a run. `model`: the new model's name, "" if nothing was installed. `report`: the folder of its report."""

    model: str
    quantization: str
    licence: str
    student: Student
    proof: StudentProof
    report: Path

    def as_json(self) -> Mapping[str, Any]:
        """The outcome as JSON; only the report has the training's history."""
        student, proof = self.student, self.proof
        tuned = student.tuned
        return {
            "model": self.model or None,
            "layers": list(student.kept),
            "of_layers": student.of_layers,
            "steps": [asdict(step) for step in student.steps],
            "seconds": sum(step.seconds for step in student.steps),
            "epochs": list(tuned.epochs) if tuned and student.is_trained else [],
            "peak_bytes": tuned.peak_bytes if tuned else None,
            "speeds": asdict(proof.speeds) if proof.speeds else None,
            "targets": [asdict(each) for each in proof.targets],
            "general": [asdict(each) for each in proof.general],
            "verdict": asdict(proof.verdict),
            "report": str(self.report),
        }


def install_if_worth_it(  # noqa: PLR0913 - a run, its result, and what to do with that
    library: Library,
    run: Distillation,
    student: Student,
    bargain: Bargain,
    *,
    keep: Path | None,
    is_forced: bool,
    remarks: tuple[str, ...] = (),
    on_progress: ProgressListener,
) -> Graduation:
    """Prove the student; if it passes or `is_forced`, import it and remove the run; otherwise leave both as they are.

    `keep`: where to move the checkpoint once it is installed. Raises ModelError if it cannot be imported.
    """
    name = run.folder.path.name
    proof = prove_student(library, run, student.checkpoint, bargain, on_progress)
    card = _card(library, run, student, proof, remarks)
    licence = model = ""
    if proof.verdict.passed or is_forced:
        _put_base_card(run, student)
        source = {"base": run.source.name, "base_sha256": run.source.weights_checksum, "teacher": run.teacher}
        made = Made(student.checkpoint, name, card, source)
        licence, model = install_checkpoint(library, made, bargain.quantization, "distill", on_progress), name
    report = library.home.finetuning_reports / name
    outcome = Graduation(model, bargain.quantization.value, licence, student, proof, report)
    try:
        _write_report(outcome, card)
    finally:
        if model:
            put_away(run.folder, student.checkpoint, keep)
    return outcome


def _card(library: Library, run: Distillation, student: Student, proof: StudentProof, remarks: tuple[str, ...]) -> str:
    """The model's card with the worth of each step and the proof."""
    of_teacher = library.models.card(run.teacher)
    licence = of_teacher.licence if of_teacher else ""
    head = model_card(run.source, _facts(run, student), teacher=run.teacher, teacher_licence=licence)
    compared = proof_table(Proof(proof.targets, proof.general, proof.verdict))
    speeds = [speeds_table(proof.speeds)] if proof.speeds else []
    about = "\n\n".join((*remarks, proof.verdict.reason, *speeds, compared))
    return f"{head}\n## What each step was worth\n\n{steps_table(student.steps)}\n\n## Proof\n\n{about}\n"


def _facts(run: Distillation, student: Student) -> Mapping[str, object]:
    """The rows of the card's table."""
    lesson, options, weights, tuned = run.lesson, run.options, run.weights, student.tuned
    kept = ", ".join(str(number + 1) for number in student.kept)
    facts: dict[str, object] = {
        "layers": f"{len(student.kept)} of {student.of_layers}: {kept}"
        if len(student.kept) < student.of_layers
        else f"all {student.of_layers}",
        "texts": f"{len(lesson.data.train):,} passages, each with a query; {len(lesson.data.validation):,} pairs to choose with",
        "vectors of the teacher": f"{lesson.stored:,} passages' were stored; {lesson.embedded:,} texts were embedded",
        "training": "none; the head was fitted in closed form",
    }
    if tuned and not student.is_trained:
        facts["training"] = "found less than before, and was left out; the head was fitted in closed form"
    elif tuned:
        facts["training"] = (
            f"{options.method}; epoch {', '.join(f'{epoch:g}' for epoch in tuned.epochs)}, learning rate {options.rate:g},"
            f" batches of {options.batch_size}, seed {options.seed}"
        )
        facts["loss"] = (
            f"distillation {weights.distillation:g}, contrastive (temperature {weights.temperature:g})"
            f" {weights.contrastive:g}, spread-out {weights.spread:g}"
        )
        facts["time, memory"] = f"{tuned.seconds / 60:.1f} minutes of training, {size(tuned.peak_bytes)} at the peak"
    if lesson.too_long:
        facts["left out"] = f"{lesson.too_long:,} passages of more than {options.max_tokens} tokens"
    return {**facts, "weights of the base": f"SHA-256 {run.source.weights_checksum}"}


def _put_base_card(run: Distillation, student: Student) -> None:
    """Lay the source's own card beside the student's."""
    card = run.source.folder / "README.md"
    if card.is_file():
        shutil.copyfile(card, student.checkpoint / BASE_CARD)


def _write_report(outcome: Graduation, card: str) -> None:
    """Write the card with the training's history, for people and programs, with pictures. Raises TrainingError if that fails."""
    proof, student = outcome.proof, outcome.student
    pictures: dict[str, Draw] = {
        SPEED_PICTURE: partial(draw_speeds, steps=student.steps, speeds=proof.speeds),
        COMPARISONS_PICTURE: partial(draw_comparisons, comparisons=(*proof.targets, *proof.general)),
    }
    fields, text = dict(outcome.as_json()), card
    if tuned := student.tuned:
        pictures[HISTORY_PICTURE] = partial(draw_history, history=tuned.history, base_score=tuned.base_score)
        fields["history"] = asdict(tuned.history)
        text = f"{card}\n{history_table(tuned.history, tuned.base_score)}"
    write_report_folder(outcome.report, Report(text, fields, pictures, outcome.model))
