"""A small distillation, as the tests and the processes that they kill make it."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from searchkit.reports import Progress, ProgressListener
from searchkit.train.distill.distill import Distillation, Student, distill
from searchkit.train.distill.lesson import Lesson
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.data import prepare_data
from searchkit.train.finetune.network import open_plain
from searchkit.train.finetune.objective import base_as_teacher
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.options import FinetuneOptions, LossWeights, Method
from tests.support.finetune_runs import OPTIONS, tiny_pairs

LAYERS = 6  # of the teacher
DISTILLING = replace(OPTIONS, method=Method.FULL, epochs=2, learning_rate=2e-4, mix=1.0)
WEIGHTS = LossWeights(contrastive=0.0)


def lesson_of(base: Path) -> Lesson:
    """The tiny pairs with the vectors of a checkpoint, the teacher."""
    teacher, pairs = Base(base, "tiny"), tiny_pairs()
    data = prepare_data(pairs, teacher.prompts)
    embedding = Embedding(open_plain(base, OPTIONS), tokens_at_once=1000, dtype=None)
    texts = [text for row in data.validation for text in (row.query, row.positive)]
    known = dict(zip(texts, embedding.embed_texts(texts), strict=True))
    return Lesson(data, base_as_teacher(data.train, embedding), known, tuple(pairs), stored=0, embedded=0, too_long=0)


def distill_tiny(
    base: Path,
    folder: Path,
    on_progress: ProgressListener = lambda _: None,
    *,
    layers: int = LAYERS // 2,
    options: FinetuneOptions = DISTILLING,
) -> Student:
    """Make a student of a tiny checkpoint in a run folder, or go on there."""
    lesson = lesson_of(base)
    dimension = lesson.teacher.queries.shape[1]
    run = Distillation(
        source=Base(base, "tiny"),
        teacher="tiny",
        lesson=lesson,
        layers=layers,
        speaks_teacher=True,
        prefixes=(dimension,),
        options=options,
        weights=WEIGHTS,
        folder=RunFolder(folder),
    )
    return distill(run, on_progress=on_progress, say=lambda _: None)


def mean_cosine(student: Student) -> dict[str, float]:
    """By step, the mean cosine to the teacher's vectors."""
    return {step.name: float(np.float64(step.cosine or 0.0)) for step in student.steps}


def main() -> None:
    """Make a student in a process of its own, to be killed: `BASE FOLDER STAGE DONE`; there it kills itself."""
    base, folder, stage, done = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])

    def on_progress(progress: Progress) -> None:
        if (progress.stage, progress.done) == (stage, done):
            os.kill(os.getpid(), signal.SIGKILL)

    print(distill_tiny(base, folder, on_progress))  # noqa: T201


if __name__ == "__main__":
    main()
