"""Measures students with fewer layers on judged queries that they never saw: what each step is worth, and how fast they are.

Usage: python -m benchmarks.distill FOLDER... --base FOLDER [--layers 18 12 6] [--train 12] [--passages N] [--home DIR]

The FOLDERs, in BEIR's layout, are one corpus without labels: its passages and mined queries teach, as `searchkit train distill`
has it, and the judgements are used for nothing but the figures. For each number of layers: nDCG@10 with layers removed, with
the head fitted, and after training for those in --train, each in 8 bits against the teacher in 8 bits; and passages per second
in alternating rounds. Runs are stored below --home and resume after a stop; the order of removal is found once.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.home import Home
from searchkit.library import Library
from searchkit.train.distill.distill import Distillation, Student, distill
from searchkit.train.distill.head import own_head
from searchkit.train.distill.lesson import Assignment, Lesson, prepare_lesson
from searchkit.train.distill.proof import compare_speeds
from searchkit.train.distill.student import write_student
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.network import open_plain
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.gate import JudgedQueries, compare_models
from searchkit.train.judged_sets import judged_folder
from searchkit.train.options import DISTILLING, LossWeights
from searchkit.types import Passage

_WEIGHTS = LossWeights(contrastive=0.0)
_TIMED = 48  # passages


class Study:
    """The judged sets with the teacher's vectors, and the corpus to learn from."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.home = Home(arguments.home)
        self.store = ModelStore(self.home.models)
        self.base = Base(arguments.base, arguments.base.name)
        if self.base.name not in self.store.names():
            self.store.add(self.base.folder, name=self.base.name)
        self.teacher = self.store.open(self.base.name)
        self.judged = [judged_folder(self.home, folder, self.teacher, lambda _: None) for folder in arguments.folders]
        documents = {
            f"{folder.name}/{key}": passage
            for folder in arguments.folders
            for key, passage in read_beir(folder).documents.items()
        }
        corpus = Corpus("-".join(folder.name for folder in arguments.folders), documents)
        collection = corpus_collection(self.home, corpus, self.teacher)
        self.sample = [passage for passage in documents.values() if passage.text][:: max(1, len(documents) // _TIMED)]
        self.lesson = self._lesson(collection.name)

    def _lesson(self, collection: str) -> Lesson:
        assignment = Assignment(
            collection, None, self.arguments.home, self.arguments.passages, self.arguments.max_tokens, seed=0
        )
        with Library(self.home.evaluation) as library:
            return prepare_lesson(library, assignment, self.base, self.teacher)

    def student(self, layers: int, order: Sequence[int], epochs: int) -> Student:
        """Make a student, or go on with it."""
        folder = RunFolder(self.home.finetuning / f"{layers}-layers")
        if order and not folder.manifest():
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.note(order=list(order))
        arguments = self.arguments
        options = replace(
            DISTILLING,
            epochs=epochs,
            max_tokens=arguments.max_tokens,
            method=arguments.method,
            learning_rate=arguments.learning_rate,
            threads=arguments.threads,
            checkpoint_minutes=3.0,
        )
        run = Distillation(
            source=self.base,
            teacher=self.base.name,
            lesson=self.lesson,
            layers=layers,
            speaks_teacher=True,
            prefixes=self.teacher.info.prefix_dimensions,
            options=options,
            weights=_WEIGHTS,
            folder=folder,
        )
        return distill(run, on_progress=lambda _: None, say=lambda text: print(f"  {text}", flush=True))

    def states(self, layers: int, student: Student) -> tuple[Embedder, list[JudgedQueries]]:
        """A model of the student that ends before its head, in 8 bits, and the judged sets as its pooled states."""
        name = f"states-{layers}"
        if name not in self.store.names():
            width = int(self.base.checkpoint.config["hidden_size"])
            folder = self.home.finetuning / name
            if not folder.is_dir():
                write_student(self.base.folder, folder, student.kept, np.eye(width, dtype=np.float32))
            self.store.add(folder, name=name)
        model = self.store.open(name)
        return model, [judged_folder(self.home, folder, model, lambda _: None) for folder in self.arguments.folders]

    def trained(self, layers: int, student: Student) -> list[JudgedQueries]:
        """The judged sets as embedded by the trained student, in 8 bits."""
        name = f"trained-{layers}-{student.steps[-1].score:.4f}"
        if name not in self.store.names():
            self.store.add(student.checkpoint, name=name)
        model = self.store.open(name)
        return [judged_folder(self.home, folder, model, lambda _: None) for folder in self.arguments.folders]

    def speeds(self, model: Embedder) -> dict[str, float]:
        """Passages per second of teacher and student, and the ratio."""
        passages = [Passage(passage.title, passage.text) for passage in self.sample[:_TIMED]]
        found = compare_speeds(self.teacher, model, passages)
        return {"teacher": found.teacher, "student": found.student, "gain": found.gain}

    def shown(self, layers: int, step: str, after: Sequence[JudgedQueries]) -> list[dict[str, object]]:
        """Figures of a step, printed."""
        rows: list[dict[str, object]] = []
        for old, new in zip(self.judged, after, strict=True):
            compared = compare_models(old, new, self.teacher.info.prefix_dimensions)
            plain = {
                cell.prefix: (cell.ndcg_before, cell.ndcg_after) for cell in compared.cells if cell.code == "float32"
            }
            low, high = next((c.gain_low, c.gain_high) for c in compared.cells if c.code == "float32")
            rows.append({"layers": layers, "step": step, "set": old.name, "ndcg": plain, "low": low, "high": high})
            values = " ".join(f"{size}: {after:.4f} ({after - before:+.4f})" for size, (before, after) in plain.items())
            print(
                f"{layers} layers, {step}, {old.name}: {values}; at full length {low:+.4f} to {high:+.4f}", flush=True
            )
        return rows


def main() -> None:
    arguments = _arguments()
    study = Study(arguments)
    lesson = study.lesson
    print(
        f"{len(lesson.data.train):,} passages, {lesson.stored:,} stored, {lesson.embedded:,} texts embedded", flush=True
    )
    head = own_head(open_plain(study.base.folder, DISTILLING), int(study.base.checkpoint.config["hidden_size"]))
    rows: list[dict[str, object]] = []
    order: list[int] = []
    for layers in sorted(arguments.layers):  # the fewest first: their order begins with that of more
        student = study.student(layers, order, epochs=0)
        order = order or list(RunFolder(study.home.finetuning / f"{layers}-layers").manifest()["order"])
        print(f"{layers} layers: {', '.join(str(number + 1) for number in student.kept)}", flush=True)
        model, states = study.states(layers, student)
        fitted = own_head(open_plain(student.checkpoint, DISTILLING), head.shape[1])
        rows += study.shown(layers, "removed", [each.under(head.T) for each in states])
        rows += study.shown(layers, "head fitted", [each.under(fitted.T) for each in states])
        rows.append({"layers": layers, "speeds": study.speeds(model)})
        print(f"  {rows[-1]['speeds']}", flush=True)
        _write(arguments.home, rows)
    for layers in arguments.train:
        student = study.student(layers, order, arguments.epochs)
        rows += study.shown(layers, f"trained, {arguments.epochs} epochs", study.trained(layers, student))
        _write(arguments.home, rows)


def _write(home: Path, rows: Sequence[dict[str, object]]) -> None:
    (home / "distill.json").write_text(json.dumps(rows, indent=2), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--base", type=Path, required=True, help="the teacher's original weights")
    parser.add_argument("--home", type=Path, default=Path("distill-benchmark"))
    parser.add_argument("--layers", type=int, nargs="+", default=[18, 12, 6])
    parser.add_argument("--train", type=int, nargs="*", default=[12])
    parser.add_argument("--epochs", type=int, default=DISTILLING.epochs)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--max-tokens", type=int, default=DISTILLING.max_tokens)
    parser.add_argument("--method", default=DISTILLING.method)
    parser.add_argument("--learning-rate", type=float, default=DISTILLING.learning_rate)
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
