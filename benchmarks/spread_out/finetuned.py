"""Fine-tuned variants of the small model, with and without spread-out, by `searchkit train finetune`'s own objective.

The adapters of the study turn a model's vectors; these change the model itself, so that every text is embedded anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.finetune import fine_tuned, title_pairs
from benchmarks.spread_out.sets import StudySet, load_set
from searchkit.evaluate.beir import read_beir
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.train.finetune.base import find_base
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.options import FinetuneOptions, LossWeights, Method

BASE_MODEL = "all-minilm-l6-v2"
FINETUNED: Mapping[str, LossWeights] = {
    "fine-tuned": LossWeights(temperature=0.05),
    "fine-tuned, spread-out 1": LossWeights(temperature=0.05, spread=1.0),
    "fine-tuned, spread-out 10": LossWeights(temperature=0.05, spread=10.0),
}
_LEAST_PAIRS = 100
_OPTIONS = FinetuneOptions(method=Method.FULL, epochs=2, learning_rate=1e-4, mix=1.0)  # unmixed, as the adapters here


@dataclass(frozen=True, slots=True)
class Place:
    """The data directory, a set's folder, and the folder of the study."""

    library: Library
    folder: Path
    out: Path


def finetuned_set(place: Place, variant: str, seed: int, on_progress: ProgressListener) -> StudySet | None:
    """The set's vectors by a fine-tuned model, trained first if it is not there; None for a set with hardly any titles.

    It is named as a variant of the base's set, so that the two are compared. A run that is stopped goes on.
    """
    name = f"{BASE_MODEL}-{place.folder.resolve().name}-{list(FINETUNED).index(variant)}-{seed}"
    models = place.library.models
    if name not in models.names():
        data = read_beir(place.folder)
        pairs = title_pairs(data, 2_000)
        if len(pairs) < _LEAST_PAIRS:
            return None
        base = find_base(models, BASE_MODEL)
        run = RunFolder(place.out / "runs" / name)
        tuned = fine_tuned(base, pairs, replace(_OPTIONS, seed=seed), FINETUNED[variant], run)
        models.add(tuned.checkpoint, name=name)
    found = load_set(place.library.home, place.folder, models.open(name), place.out / "vectors", on_progress)
    return replace(found, model=BASE_MODEL, is_training=np.zeros_like(found.is_training))
