"""A small fine-tuning run, as the tests and the processes that they kill make it."""

from pathlib import Path

import numpy as np

from searchkit.reports import ProgressListener
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.data import prepare_data
from searchkit.train.finetune.finetune import Run, Tuned, finetune
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.options import FinetuneOptions, LossWeights, Method, Precision
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.types import Passage
from tests.support.tiny_checkpoints import WORDS

OPTIONS = FinetuneOptions(
    method=Method.LORA,
    epochs=3,
    batch_size=16,
    max_tokens=32,
    lora_rank=4,
    precision=Precision.FLOAT32,
    threads=1,
    checkpoint_minutes=0.0,  # a state at every step
)

WEIGHTS = LossWeights(spread=0.1)


def tiny_pairs() -> list[Pair]:
    """Queries of three words, which their passages hold among others; four fifths to train with."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(60):
        query = rng.choice(WORDS, 3, replace=False)
        text = rng.permutation(np.concatenate([query, rng.choice(WORDS, 9)]))
        split = Split.VALIDATION if number % 5 == 0 else Split.TRAIN
        kind = Kind.LINK if number % 3 == 0 else Kind.TITLE
        found.append(Pair(" ".join(query), Passage("", " ".join(text)), kind, f"d{number}", split))
    return found


def finetune_tiny(
    base: Path,
    folder: Path,
    on_progress: ProgressListener = lambda _: None,
    *,
    options: FinetuneOptions = OPTIONS,
    weights: LossWeights = WEIGHTS,
) -> Tuned:
    """Train a tiny checkpoint in a run folder, or go on there."""
    start = Base(base, "tiny")
    run = Run(start, prepare_data(tiny_pairs(), start.prompts), options, weights, RunFolder(folder))
    return finetune(run, on_progress=on_progress, say=lambda _: None)
