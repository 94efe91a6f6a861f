"""Proves a tuned checkpoint, and imports it like any other if it passes; otherwise the base stays. Writes the report."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from searchkit.embedding.model_info import Quantization
from searchkit.files import write_atomically
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.finetune import Run, Tuned
from searchkit.train.finetune.history import HISTORY_PICTURE, draw_history, history_table
from searchkit.train.finetune.objective import NDCG
from searchkit.train.finetune.proof import Proof, ProofOptions, floats_table, proof_table, prove
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.gate import Verdict
from searchkit.train.options import writing_to
from searchkit.train.pairs.pair import Pair
from searchkit.train.reports import COMPARISONS_PICTURE, Report, draw_comparisons, write_report_folder

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run with all its pairs, how it will be proven, and remarks on the pairs for the card."""

    run: Run
    pairs: tuple[Pair, ...]
    proof: ProofOptions
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run. `model`: the new model's name, "" if the base stays. `report`: the folder of its report."""

    model: str
    quantization: str
    licence: str
    tuned: Tuned
    proof: Proof
    report: Path

    def as_json(self) -> Mapping[str, Any]:
        """The outcome as JSON; only the report has the run's history."""
        tuned = {name: value for name, value in asdict(self.tuned).items() if name not in ("checkpoint", "history")}
        return {"model": self.model or None, **tuned, **asdict(self.proof), "report": str(self.report)}


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint to install under a name. `card`: Markdown, with its licence; `source`: what it was made from, for model.json."""

    checkpoint: Path
    name: str
    card: str
    source: Mapping[str, str]


def install_if_better(
    library: Library,
    prepared: Prepared,
    tuned: Tuned,
    *,
    keep: Path | None,
    is_forced: bool,
    on_progress: ProgressListener,
) -> Outcome:
    """Prove the checkpoint; if it passes or `is_forced`, import it and remove the run; otherwise leave both as they are.

    `keep`: where to move the checkpoint once it is installed. Raises ModelError if it cannot be imported.
    """
    run, name = prepared.run, prepared.run.folder.path.name
    nothing = "finds nothing better than the base" if tuned.measure == NDCG else "is no nearer to the base in floats"
    proof = Proof((), (), Verdict(False, f"on the validation pairs it {nothing}"))
    if tuned.helps or is_forced:
        proof = prove(library, run.base, run.folder, prepared.pairs, prepared.proof, on_progress)
    tables = (proof_table(proof), floats_table(proof, prepared.proof.quantization))
    about = "\n\n".join((*prepared.remarks, proof.verdict.reason, *filter(None, tables)))
    card = f"{(tuned.checkpoint / CARD).read_text('utf-8')}\n## Proof\n\n{about}\n"
    report = library.home.finetuning_reports / name
    licence = model = ""
    if proof.verdict.passed or is_forced:
        made = Made(tuned.checkpoint, name, card, {"base": run.base.name, "base_sha256": run.base.weights_checksum})
        quantization, method = prepared.proof.quantization, f"finetune-{run.options.method}"
        licence, model = install_checkpoint(library, made, quantization, method, on_progress), name
    outcome = Outcome(model, prepared.proof.quantization.value, licence, tuned, proof, report)
    try:
        _write_report(outcome, card)
    finally:
        if model:
            put_away(run.folder, tuned.checkpoint, keep)
    return outcome


def _write_report(outcome: Outcome, card: str) -> None:
    """Write the card with the run's history, for people and programs, with pictures. Raises TrainingError if that fails."""
    tuned, proof = outcome.tuned, outcome.proof
    pictures = {
        COMPARISONS_PICTURE: partial(draw_comparisons, comparisons=(*proof.targets, *proof.general)),
        HISTORY_PICTURE: partial(
            draw_history, history=tuned.history, base_score=tuned.base_score, measure=tuned.measure
        ),
    }
    fields = {**outcome.as_json(), "history": asdict(tuned.history)}
    text = f"{card}\n{history_table(tuned.history, tuned.base_score, tuned.measure)}"
    write_report_folder(outcome.report, Report(text, fields, pictures, outcome.model))


def put_away(run: RunFolder, checkpoint: Path, keep: Path | None) -> None:
    """Move the checkpoint of a run that is over to `keep`, if it is to be kept, and remove the run."""
    if keep:
        shutil.move(checkpoint, keep)
    run.remove()


def install_checkpoint(
    library: Library, made: Made, quantization: Quantization, method: str, on_progress: ProgressListener
) -> str:
    """Import a checkpoint as a model of its own, with its card, and return its licence. Raises ModelError, TrainingError."""
    on_progress(Progress("Installing", 0, None, ""))
    (made.checkpoint / CARD).write_text(made.card, "utf-8")
    source = {**made.source, "method": method}
    with writing_to(library.home.models, f"The model {made.name}"):
        card = library.models.add(made.checkpoint, name=made.name, quantization=quantization, source=source)
    write_atomically(library.home.models / made.name / CARD, made.card.encode())
    return card.licence
