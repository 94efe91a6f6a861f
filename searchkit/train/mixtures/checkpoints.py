"""Soups of fine-tuned checkpoints of one base: the mean of their weights, chosen by validation pairs, mixed with the base.

The result is proven and installed as one of `train finetune` is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.errors import TrainingError
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.base import Base, check_trained_in, model_card
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.data import Data, prepare_data
from searchkit.train.finetune.finetune import Run, Tuned
from searchkit.train.finetune.history import History
from searchkit.train.finetune.install import Outcome, Prepared, install_if_better
from searchkit.train.finetune.network import compute_dtype, encoder_of, heads_of, open_plain
from searchkit.train.finetune.objective import METRIC, Validation
from searchkit.train.finetune.proof import ProofOptions
from searchkit.train.finetune.result import Mixture, choose_share, write_checkpoint
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.finetune.weights import Tensors, check_same_shape, mean_of
from searchkit.train.mixtures.blends import greedy_members
from searchkit.train.options import FinetuneOptions, LossWeights, Method, Precision, writing_to
from searchkit.train.pairs.pair import Pair, Split

_CHECKED_TEXTS = 8
_IDENTITY = "soup"  # of its run folder: nothing of it is resumed
Weights = Mapping[str, Tensors]
"""Tensors by module folder, "" for the encoder, and by name."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A checkpoint or a soup with its nDCG@10, on the validation pairs, which chose, and on the held-out ones."""

    name: str
    members: tuple[int, ...]
    validation: float
    held_out: float


@dataclass(frozen=True, slots=True)
class CheckpointSoup:
    """The result: the base, each checkpoint, the uniform and the greedy soup, and the better of the two, scored."""

    base: Scored
    singles: tuple[Scored, ...]
    soups: tuple[Scored, ...]
    chosen: Scored
    outcome: Outcome

    def as_json(self) -> Mapping[str, Any]:
        """The result as JSON: the scores of all, which was chosen, what the soups gain, and the outcome."""
        scores = {
            one.name: {"validation": one.validation, "held_out": one.held_out}
            for one in (self.base, *self.singles, *self.soups)
        }
        gains = {soup.name: dict(zip(("over_best", "over_mean"), self.over(soup), strict=True)) for soup in self.soups}
        return {**self.outcome.as_json(), "scores": scores, "gains": gains, "chosen": self.chosen.name}

    def over(self, soup: Scored) -> tuple[float, float]:
        """What a soup gains on the held-out pairs over the checkpoint that validation found best, and over the mean of all."""
        best = max(self.singles, key=lambda one: one.validation)
        mean = float(np.mean([one.held_out for one in self.singles]))
        return soup.held_out - best.held_out, soup.held_out - mean


@dataclass(frozen=True, slots=True)
class SoupRun:
    """What a soup of checkpoints is made of and proven with. `name`: of the new model."""

    base: Base
    folders: tuple[Path, ...]
    pairs: tuple[Pair, ...]
    name: str
    proof: ProofOptions
    is_forced: bool = False


def soup_checkpoints(
    library: Library, request: SoupRun, on_progress: ProgressListener = lambda _: None
) -> CheckpointSoup:
    """Average checkpoints, mix the mean with the base as validation decides, prove it, and install it if it passes.

    Raises TrainingError for fewer than two checkpoints, too few pairs, or weights that were trained in int4, ModelError for
    checkpoints of another base, UnsupportedCheckpointError for folders that are none.
    """
    if len(set(request.folders)) < 2:
        raise TrainingError("A soup needs two checkpoints at least.", remedy="Name another one too.")
    for folder in request.folders:
        Checkpoint(folder).check_modules()
        check_same_shape(request.base.folder, folder)
        check_trained_in(folder, None)
    data = prepare_data(request.pairs, request.base.prompts)
    options = FinetuneOptions(method=Method.FULL, precision=Precision.AUTO, seed=request.proof.seed)
    run = Run(request.base, data, options, LossWeights(), RunFolder(library.home.finetuning / request.name))
    run.folder.open(_IDENTITY, fresh=False)
    kitchen = _Kitchen(run, request, on_progress)
    singles = [kitchen.scored(folder.name, (number,)) for number, folder in enumerate(request.folders)]
    members = greedy_members([one.validation for one in singles], lambda some: kitchen.scored("", some).validation)
    soups = [kitchen.scored("uniform soup", range(len(singles))), kitchen.scored("greedy soup", members)]
    chosen = max(soups, key=lambda soup: soup.validation)  # the uniform one of equal ones
    found = _Found(kitchen.scored(request.base.name, ()), tuple(singles), tuple(soups), chosen)
    tuned = _written(run, kitchen, found, on_progress)
    prepared = Prepared(run, request.pairs, request.proof)
    outcome = install_if_better(
        library, prepared, tuned, keep=None, is_forced=request.is_forced, on_progress=on_progress
    )
    return CheckpointSoup(found.base, found.singles, found.soups, chosen, outcome)


@dataclass(frozen=True, slots=True)
class _Found:
    base: Scored
    singles: tuple[Scored, ...]
    soups: tuple[Scored, ...]
    chosen: Scored


class _Kitchen:
    """Averages and scores checkpoints; of each, only what differs from the base is in memory."""

    def __init__(self, run: Run, request: SoupRun, on_progress: ProgressListener) -> None:
        self._run, self._on_progress = run, on_progress
        self._base = _weights_of(run.base.folder, run.options)
        self._tuned = [self._changed(_weights_of(folder, run.options)) for folder in request.folders]
        self._held_out = _as_validation(request.pairs, run)
        self._known: dict[tuple[int, ...], tuple[float, float]] = {}

    def _changed(self, weights: Weights) -> dict[str, dict[str, Tensor]]:
        return {
            place: {name: value for name, value in tensors.items() if not torch.equal(value, self._base[place][name])}
            for place, tensors in weights.items()
        }

    def mean(self, members: Sequence[int]) -> dict[str, dict[str, Tensor]]:
        """The mean of some checkpoints' weights: of those that differ from the base in any of them."""
        some = [self._tuned[number] for number in members]
        found = {}
        for place, before in self._base.items():
            names = {name for each in some for name in each[place]}
            complete = [{name: each[place].get(name, before[name]) for name in sorted(names)} for each in some]
            found[place] = mean_of(complete) if complete else {}
        return found

    def scored(self, name: str, members: Sequence[int]) -> Scored:
        """Score the mean of some checkpoints, the base for none; each mean once."""
        key = tuple(sorted(members))
        if key not in self._known:
            self._on_progress(Progress("Comparing", len(self._known), None, "checkpoints"))
            mixture = Mixture(self._run.base.folder, self.mean(key), self._run.options)
            mixture.set_share(1.0)
            chosen, proven = (scores(mixture)() for scores in (self.validation, self.held_out))
            self._known[key] = chosen[METRIC], proven[METRIC]
        return Scored(name, key, *self._known[key])

    def validation(self, mixture: Mixture) -> Validation:
        """What chooses, of a network."""
        return _validation(self._run.data, mixture, self._run.options)

    def held_out(self, mixture: Mixture) -> Callable[[], dict[str, float]]:
        """What compares the soups with their ingredients, of a network."""
        return _validation(self._held_out, mixture, self._run.options)


def _weights_of(folder: Path, options: FinetuneOptions) -> Weights:
    """The weights of a checkpoint, in float32."""
    network = open_plain(folder, options)
    places = {"": encoder_of(network), **dict(heads_of(network, folder))}
    return {
        place: {name: value.detach().cpu() for name, value in module.state_dict().items() if value.is_floating_point()}
        for place, module in places.items()
    }


def _as_validation(pairs: Sequence[Pair], run: Run) -> Data:
    """The held-out pairs in place of the validation pairs. Raises TrainingError if there are too few."""
    others = [pair for pair in pairs if pair.split is Split.TRAIN]
    held_out = [replace(pair, split=Split.VALIDATION) for pair in pairs if pair.split is Split.TEST]
    return prepare_data([*others, *held_out], run.base.prompts)


def _validation(data: Data, mixture: Mixture, options: FinetuneOptions) -> Validation:
    embedding = Embedding(
        mixture.network, tokens_at_once=options.tokens_at_once, dtype=compute_dtype(options.precision)
    )
    return Validation(data.validation, data.train, embedding, options.seed)


def _written(run: Run, kitchen: _Kitchen, found: _Found, on_progress: ProgressListener) -> Tuned:
    """Mix the chosen soup with the base as scores best, and write the checkpoint."""
    on_progress(Progress("Writing the checkpoint", 0, None, ""))
    mixture = Mixture(run.base.folder, kitchen.mean(found.chosen.members), run.options)
    choice = choose_share(mixture, kitchen.validation(mixture), None)
    tuned = Tuned(run.folder.checkpoint, found.base.validation, choice.score, choice.share, (), 0.0, 0, History({}, ()))
    texts = [row.positive for row in run.data.validation[:_CHECKED_TEXTS]]
    with writing_to(tuned.checkpoint, "The checkpoint of the soup", SafetensorError):
        write_checkpoint(mixture, tuned.checkpoint, texts, model_card(run.base, _facts(run, found, choice.share)))
    return tuned


def _facts(run: Run, found: _Found, share: float) -> Mapping[str, object]:
    """The rows of the model card's table."""
    chosen = ", ".join(found.singles[number].name for number in found.chosen.members)
    rows: dict[str, object] = {
        "soup": f"the {found.chosen.name} of {chosen}; {share:.0%} its weights, the rest the base's",
        "pairs": f"{len(run.data.validation):,} to choose with; seed {run.options.seed}",
        "weights of the base": f"SHA-256 {run.base.weights_checksum}",
    }
    for one in (found.base, *found.singles, *found.soups):
        rows[f"nDCG@10, {one.name}"] = f"{one.validation:.4f} on validation pairs, {one.held_out:.4f} on held-out ones"
    return rows
