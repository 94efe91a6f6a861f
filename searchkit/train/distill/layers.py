"""The layers of an encoder: what the removal of each costs, and the order in which to remove them, measured on texts.

A layer adds to the states that pass through it, so that a network without it still works, somewhat worse. The order is greedy: in
each round every layer that is left is passed over once, and the one goes whose absence changes the vectors least. Knows
nothing of files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from searchkit.errors import UnsupportedCheckpointError
from searchkit.train.finetune.caching import Embedding, Feature
from searchkit.train.finetune.network import encoder_of
from searchkit_indexes import Vectors

STACKS = {"bert": "encoder.layer", "gemma3_text": "layers"}  # where the encoder of a family has its layers
Costs = Mapping[int, float]


def layers_of(network: Any) -> nn.ModuleList:
    """The layers of a network's encoder. Raises UnsupportedCheckpointError for a family whose layers cannot be removed."""
    encoder = encoder_of(network)
    family = str(encoder.config.model_type)
    if family not in STACKS:
        known = ", ".join(STACKS)
        raise UnsupportedCheckpointError(
            f"Layers can be removed from these families: {known}; not from {family} models."
        )
    layers: nn.ModuleList = encoder.get_submodule(STACKS[family])
    return layers


class Passing(nn.Module):  # type: ignore[misc]
    """Stands for a layer that is removed: states pass unchanged, or are replaced by `states` if those are given."""

    def __init__(self, states: Tensor | None = None) -> None:
        super().__init__()
        self._states = states

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Return the states, (batch, tokens, width)."""
        return hidden_states if self._states is None else self._states


def removal_order(
    embedding: Embedding,
    texts: Sequence[str],
    left: int,
    known: Sequence[int] = (),
    on_round: Callable[[Sequence[int], Costs], None] = lambda *_: None,
) -> list[int]:
    """Choose the layers to remove until `left` are left: their numbers, the first to go first.

    `known`: how the order begins, from an earlier start. `on_round`: gets the order so far, and what each layer would have
    cost, after each round.
    """
    count = len(layers_of(embedding.network))
    order = list(known)[: max(0, count - left)]
    groups = _groups(embedding, texts)
    whole = _vectors(embedding, groups)
    while count - len(order) > left:
        costs = removal_costs(embedding, groups, whole, order)
        order.append(min(costs, key=lambda layer: (costs[layer], layer)))
        on_round(order, costs)
    return order


def removal_costs(embedding: Embedding, groups: Sequence[Feature], whole: Vectors, removed: Sequence[int]) -> Costs:
    """What the removal of each layer that is left costs, if those in `removed` are gone: see `change`.

    A group is embedded once as it is, keeping the states before each layer, and then once for each layer from there on.
    """
    layers = layers_of(embedding.network)
    kept = [number for number in range(len(layers)) if number not in set(removed)]
    found: dict[int, list[Vectors]] = {number: [] for number in kept}
    for group in groups:
        with torch.no_grad(), _without(layers, dict.fromkeys(removed)):
            before = _states_before(embedding, group, layers, kept)
        for number in kept:
            passed: dict[int, Tensor | None] = dict.fromkeys(removed)
            passed.update(dict.fromkeys(range(number)))  # what they do is in the states
            with torch.no_grad(), _without(layers, {**passed, number: before[number]}):
                found[number].append(embedding.vectors(group).cpu().numpy())
    return {number: change(np.concatenate(vectors), whole) for number, vectors in found.items()}


def change(vectors: Vectors, whole: Vectors) -> float:
    """How far (n, dimension) unit vectors are from what they were, 0 for not at all: the mean squared distance of centred vectors.

    What moves all vectors alike is left out, because the head takes it back.
    """
    moved = (vectors - vectors.mean(axis=0)) - (whole - whole.mean(axis=0))
    return float(np.square(moved).sum(axis=1).mean())


def remove_layers(network: Any, removed: Sequence[int]) -> None:
    """Remove layers from a network in memory; those that stay keep what kind each is."""
    gone, config = set(removed), encoder_of(network).config
    layers = layers_of(network)
    kept = [number for number in range(len(layers)) if number not in gone]
    modules = [layers[number] for number in kept]
    del layers[:]
    layers.extend(modules)
    config.num_hidden_layers = len(kept)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in kept]


@contextmanager
def _without(layers: nn.ModuleList, passed: Mapping[int, Tensor | None]) -> Iterator[None]:
    """Pass over some layers for a while; where states are given, they go on from there."""
    before = {number: layers[number] for number in passed}
    try:
        for number, states in passed.items():
            layers[number] = Passing(states)
        yield
    finally:
        for number, layer in before.items():
            layers[number] = layer


def _states_before(
    embedding: Embedding, group: Feature, layers: nn.ModuleList, kept: Sequence[int]
) -> dict[int, Tensor]:
    """The states of a group's tokens before each layer, (group, tokens, width)."""
    found: dict[int, Tensor] = {}

    def keep(number: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, given: found.__setitem__(number, given[0])

    hooks = [layers[number].register_forward_pre_hook(keep(number)) for number in kept]
    try:
        embedding.vectors(group)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _groups(embedding: Embedding, texts: Sequence[str]) -> list[Feature]:
    """The texts, tokenized, in groups of similar length."""
    column = embedding.tokenized(texts)
    return [part for _, part in embedding.groups(column)]


def _vectors(embedding: Embedding, groups: Sequence[Feature]) -> Vectors:
    with torch.no_grad():
        return np.concatenate([embedding.vectors(group).cpu().numpy() for group in groups])
