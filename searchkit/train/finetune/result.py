"""From the best states to the tuned checkpoint: averaged, mixed with the base as validation decides, written and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchkit.embedding.graph.trained_form import TrainedForm, write_form
from searchkit.embedding.import_model import form_for
from searchkit.errors import ModelError
from searchkit.files import new_folder
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.checkpoints import Saved, read_tensors
from searchkit.train.finetune.network import (
    TOKEN_TABLES,
    encoder_of,
    heads_of,
    merged_tensors,
    open_network,
    open_plain,
    put_tensors,
)
from searchkit.train.finetune.objective import METRIC, Validation
from searchkit.train.finetune.weights import Tensors, check_same_shape, mean_of, mixed, write_tuned
from searchkit.train.options import FinetuneOptions

SHARES = (0.25, 0.5, 0.75, 1.0)
_SAME = 0.9999  # cosine of the written checkpoint's vectors to those in memory


def tuned_tensors(base: Path, states: Sequence[Saved], options: FinetuneOptions) -> dict[str, dict[str, Tensor]]:
    """Average the states' weights, LoRA merged, by module folder and name, without the token table, which no state has."""
    merged: list[dict[str, dict[str, Tensor]]] = []
    for saved in states:
        network = open_network(
            base, replace(options, quantize=None)
        )  # merging changes it, so each starts from the base
        put_tensors(network, read_tensors(saved.folder))
        merged.append({place: _tuned_only(tensors) for place, tensors in merged_tensors(network, base).items()})
    return {place: mean_of([each[place] for each in merged]) for place in merged[0]}


def _tuned_only(tensors: Tensors) -> dict[str, Tensor]:
    return {
        name: value.detach().cpu()
        for name, value in tensors.items()
        if value.is_floating_point() and not name.endswith(TOKEN_TABLES)
    }


class Mixture:
    """A network between the base and the tuned weights (WiSE-FT). `share`: of the tuned weights."""

    def __init__(self, base: Path, tuned: Mapping[str, Tensors], options: FinetuneOptions) -> None:
        self.base, self.tuned, self.options = base, tuned, options
        self.share = 0.0
        self.network: Any = open_plain(base, options)
        places = {"": encoder_of(self.network), **dict(heads_of(self.network, base))}
        self._weights = [
            (weight, weight.detach().clone(), tuned[place][name])
            for place, module in places.items()
            for name, weight in module.state_dict().items()
            if name in tuned.get(place, {})
        ]

    def set_share(self, share: float) -> None:
        """Put (1 - share) base + share tuned into the network."""
        self.share = share
        with torch.no_grad():
            for weight, before, after in self._weights:
                weight.copy_(mixed(before, after.to(before.device), share))


@dataclass(frozen=True, slots=True)
class Choice:
    """A share of the tuned weights, and its score on the validation pairs."""

    share: float
    score: float


def choose_share(mixture: Mixture, validation: Validation, wanted: float | None) -> Choice:
    """Choose the share that scores best on the validation pairs, the larger of equal ones, and set it in the network."""
    found = []
    for share in SHARES if wanted is None else (wanted,):
        mixture.set_share(share)
        found.append(Choice(share, validation()[METRIC]))
    best = max(found, key=lambda choice: (choice.score, choice.share))
    mixture.set_share(best.share)
    return best


def write_checkpoint(mixture: Mixture, target: Path, texts: Sequence[str], card: str) -> None:
    """Write the tuned checkpoint, whole or not at all; what was written is compared with the base and the network in memory.

    `texts`: whose vectors are compared. Raises ModelError if the checkpoint is not what it should be.
    """
    expected = _exact(mixture.network).embed_texts(texts)
    with new_folder(target) as folder:
        write_tuned(mixture.base, folder, mixture.tuned, share=mixture.share)
        if form := _form_of(mixture):
            write_form(folder, form)
        (folder / "README.md").write_text(card, "utf-8")
        check_same_shape(mixture.base, folder)
        network = open_plain(folder, mixture.options)
        _check_opened(mixture.network, network)
        worst = float((_exact(network).embed_texts(texts) * expected).sum(axis=1).min())
        if not worst >= _SAME:
            raise ModelError(f"The written checkpoint's vectors are not those in memory (worst cosine {worst:.5f}).")


def _form_of(mixture: Mixture) -> TrainedForm | None:
    """The form that the network was trained for, None for floats."""
    quantization = mixture.options.quantize
    return None if quantization is None else form_for(mixture.base, quantization)


def _exact(network: Any) -> Embedding:
    return Embedding(network, tokens_at_once=1, dtype=None)


def _check_opened(before: Any, after: Any) -> None:
    """Raise ModelError unless the written files open with the same window, modules and prompts, and finite float32 weights."""
    for what in ("sliding_window", "max_position_embeddings", "layer_types", "use_bidirectional_attention"):
        old, new = (getattr(encoder_of(network).config, what, None) for network in (before, after))
        if old != new:
            raise ModelError(f"The written checkpoint has {what} {new}, the base has {old}.")
    if [type(module) for module in before] != [type(module) for module in after] or before.prompts != after.prompts:
        raise ModelError("The written checkpoint has other modules or prompts than the base.")
    for name, weight in after.named_parameters():
        if weight.dtype != torch.float32 or not np.isfinite(float(weight.detach().sum())):
            raise ModelError(f"The weight {name} of the written checkpoint is not a finite float32.")
