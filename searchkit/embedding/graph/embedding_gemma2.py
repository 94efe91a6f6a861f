"""The text encoder of EmbeddingGemma 2 as a fused graph.

Layout after transformers' `embedding_gemma2_text`: layers as in Gemma 3, attending within a window or, with wider heads,
everywhere, and values normalised too. Each layer ends with a third part: its states gate a signal that is derived from the
tokens alone ("per-layer embeddings"). The projection to the size of the vectors comes after the last norm; it is folded into
the head (`Checkpoint.head`), since a mean of products is a product of the mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.attention import Attention, Heads, Rotary, steps_of, window_reach
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.gemma import ACTIVATION, GemmaParts, rotary_bases
from searchkit.embedding.graph.weights import Floats, Product, Weights
from searchkit.errors import UnsupportedCheckpointError

_WINDOW, _EVERYWHERE = "sliding_attention", "full_attention"
_OF_HEADS = {"head_dim", "num_key_value_heads"}  # what may differ between layers
_USUAL: Mapping[str, Any] = {
    "hidden_size": 512,
    "hidden_size_per_layer_input": 512,
    "num_hidden_layers": 24,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "num_global_key_value_heads": 1,
    "global_head_dim": 512,
    "hidden_activation": ACTIVATION,
    "rms_norm_eps": 1e-6,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "rope_parameters": {_WINDOW: {"rope_theta": 10_000.0}, _EVERYWHERE: {"rope_theta": 1_000_000.0}},
}


@dataclass(frozen=True, slots=True)
class EmbeddingGemma2Shape:
    """The validated dimensions of a checkpoint. `reach`: the distance in tokens, to each side, that a window layer sees.

    `signal`: the width of the per-layer embeddings. `heads`, `is_global`: by layer.
    """

    width: int
    signal: int
    epsilon: float
    reach: int
    max_tokens: int
    heads: tuple[Heads, ...]
    is_global: tuple[bool, ...]
    local_base: float
    global_base: float


def embedding_gemma2_shape(given: Mapping[str, Any], max_tokens: int) -> EmbeddingGemma2Shape:
    """Read the dimensions from config.json, in which transformers leaves out what is usual.

    Raises UnsupportedCheckpointError for a variant with other parts.
    """
    config = {**_USUAL, **{name: value for name, value in given.items() if value is not None}}
    if config["hidden_activation"] != ACTIVATION:
        raise UnsupportedCheckpointError(f"The activation {config['hidden_activation']} is not EmbeddingGemma 2's.")
    for part in ("attention_bias", "attn_logit_softcapping", "final_logit_softcapping"):
        if config.get(part):
            raise UnsupportedCheckpointError(f"EmbeddingGemma 2 with {part} is not supported.")
    kinds = _layer_kinds(config)
    bases = rotary_bases(config)
    return EmbeddingGemma2Shape(
        width=int(config["hidden_size"]),
        signal=int(config["hidden_size_per_layer_input"]),
        epsilon=float(config["rms_norm_eps"]),
        reach=window_reach(int(config["sliding_window"])),
        max_tokens=max_tokens,
        heads=_heads(config, kinds),
        is_global=tuple(kind == _EVERYWHERE for kind in kinds),
        local_base=bases[0],
        global_base=bases[1],
    )


class EmbeddingGemma2Encoder:
    """See Encoder."""

    def __init__(self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._weights = weights
        self._shape = shape = checkpoint.read(lambda config: embedding_gemma2_shape(config, checkpoint.max_tokens))
        self._parts = GemmaParts(graph, weights, checkpoint, epsilon=shape.epsilon, offset=0)
        self._attention = Attention(graph, shape.reach)

    @property
    def layers(self) -> int:
        """See Encoder."""
        return len(self._shape.is_global)

    def start(self) -> str:
        """See Encoder."""
        return self._words

    def layer(self, states: str, index: int) -> str:
        """Add x + norm(part(x)) for the three parts, times the layer's scalar."""
        parts, at = self._parts, f"layers.{index}"
        x = parts.add_normed(states, self._attended(states, index), f"{at}.post_attention_layernorm.weight")
        x = parts.add_normed(x, parts.mlp(x, index), f"{at}.post_feedforward_layernorm.weight")
        x = parts.add_normed(x, self._gated_signal(x, index), f"{at}.ple_block.post_per_layer_input_norm.weight")
        scalar = parts.tensor(f"{at}.layer_scalar")
        if (scalar == 1).all():
            return x
        return self._graph.node("Mul", [x, self._graph.constant(f"{index}.scalar", scalar)])

    def end(self, states: str) -> str:
        """See Encoder."""
        return self._parts.norm(states, "norm.weight")

    def _attended(self, x: str, layer: int) -> str:
        parts, shape, heads = self._parts, self._shape, self._shape.heads[layer]
        is_global = shape.is_global[layer]
        base = shape.global_base if is_global else shape.local_base
        q, k, v = parts.queries_keys_values(x, layer, heads)
        q, k = (parts.turned(y, layer, part, heads, self._rotary, base) for part, y in (("q", q), ("k", k)))
        scale = self._value_scale(layer, heads)
        v = parts.flat(
            parts.rms_norm(parts.by_head(v, heads.keys, heads.size), f"{layer}.v_norm", np.float32(1) / scale)
        )
        attend = self._attention.everywhere if is_global else self._attention.within
        return parts.out(attend(q, k, v, heads), layer, np.tile(scale, heads.queries))

    def _value_scale(self, layer: int, heads: Heads) -> Floats:
        """The smoothing scales of the product behind attention, (size,): a mean over its heads folds into the values' norm."""
        scale = self._weights.smoothing(f"{layer}.o", self._parts.tensor(f"layers.{layer}.self_attn.o_proj.weight"))
        return np.asarray(np.exp(np.log(scale.reshape(heads.queries, heads.size)).mean(axis=0)), np.float32)

    def _gated_signal(self, x: str, layer: int) -> str:
        """Add project(gelu(gate(x)) · signal). The smoothing scales of `project` fold into the signal's norm."""
        parts, graph, at, size = self._parts, self._graph, f"layers.{layer}.ple_block", self._shape.signal
        project = Product(f"{layer}.signal_out", parts.tensor(f"{at}.per_layer_projection.weight"))
        scale = self._weights.smoothing(project.name, project.weight)
        rows = slice(layer * size, (layer + 1) * size)
        words, product = self._signals
        own = Product(f"{layer}.signal", product.weight[rows])
        signal = self._weights.products(words, product.name, [own], even=True)[0]
        norm = parts.norm_weight("ple.per_layer_projection_norm.weight") / scale
        signal = parts.rms_norm(signal, f"{layer}.signal_norm", norm)
        gate = Product(f"{layer}.signal_gate", parts.tensor(f"{at}.per_layer_input_gate.weight"))
        x, gate = self._weights.smoothed(x, gate)
        active = graph.node("Gelu", self._weights.products(x, gate.name, [gate], even=True), approximate="tanh")
        smoothed = Product(project.name, project.weight * scale)
        return self._weights.products(graph.node("Mul", [active, signal]), project.name, [smoothed], even=True)[0]

    @cached_property
    def _words(self) -> str:
        return self._parts.words(INPUT_IDS, self._shape.width)

    @cached_property
    def _signals(self) -> tuple[str, Product]:
        """The tokens and the product that gives the signals of all layers, which are computed layer by layer."""
        weight = self._parts.tensor("ple.per_layer_model_projection.weight") * np.float32(self._shape.width**-0.5)
        return self._weights.smoothed(self._words, Product("signal", weight))

    @cached_property
    def _rotary(self) -> Rotary:
        tokens = self._graph.node("Reshape", [self._attention.token_count, self._graph.integers(1)])
        return Rotary(self._graph, self._shape.max_tokens, steps_of(self._graph, tokens))


def _layer_kinds(config: Mapping[str, Any]) -> list[str]:
    layers, pattern = int(config["num_hidden_layers"]), int(config["sliding_window_pattern"])
    kinds = list(
        config.get("layer_types") or [_WINDOW if number % pattern else _EVERYWHERE for number in range(1, layers + 1)]
    )
    if strange := sorted(set(kinds) - {_WINDOW, _EVERYWHERE}):
        raise UnsupportedCheckpointError(f"Layers of the kind {strange[0]} are not supported.")
    return [*kinds[:-1], _EVERYWHERE]  # as transformers has it


def _heads(config: Mapping[str, Any], kinds: list[str]) -> tuple[Heads, ...]:
    """Read the heads of each layer: the usual ones, those of global layers, or what the layer's own entry says."""
    usual = {name: int(config[name]) for name in _OF_HEADS}
    wide = {"head_dim": config["global_head_dim"], "num_key_value_heads": config["num_global_key_value_heads"]}
    own: Mapping[int, Mapping[str, Any]] = {
        int(layer): entry
        for layer, entry in (
            config.get("per_layer_config") or {layer: wide for layer, kind in enumerate(kinds) if kind == _EVERYWHERE}
        ).items()
    }
    if strange := sorted({name for entry in own.values() for name in entry} - _OF_HEADS):
        raise UnsupportedCheckpointError(f"Layers that differ in {strange[0]} are not supported.")
    entries = [{**usual, **own.get(layer, {})} for layer in range(len(kinds))]
    heads = tuple(
        Heads(int(config["num_attention_heads"]), int(entry["num_key_value_heads"]), int(entry["head_dim"]), scale=1.0)
        for entry in entries
    )
    if odd := [each for each in heads if each.queries % each.keys]:
        raise UnsupportedCheckpointError(f"{odd[0].queries} heads cannot share {odd[0].keys} heads of keys.")
    return heads
