"""The Gemma 3 text encoder with bidirectional attention (EmbeddingGemma) as a fused graph.

Layout after the technical report (arXiv 2509.20354) and transformers' `gemma3_text`: RMSNorm before and after attention
and MLP, RMSNorm of queries and keys, rotary positions with two bases, every sixth layer global, the others within a
window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.attention import NEVER, Attention, Heads, Rotary
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.gemma import ACTIVATION, GemmaParts, rotary_bases
from searchkit.embedding.graph.weights import Weights
from searchkit.errors import UnsupportedCheckpointError

_TRUE_WINDOW = 512


@dataclass(frozen=True, slots=True)
class Gemma3Shape:
    """The validated dimensions of a checkpoint. `reach`: the distance in tokens, to each side, that a window layer sees."""

    width: int
    heads: Heads
    epsilon: float
    reach: int
    max_tokens: int
    is_global: tuple[bool, ...]
    local_base: float
    global_base: float


def gemma3_shape(config: Mapping[str, Any]) -> Gemma3Shape:
    """Read the dimensions from config.json.

    Raises UnsupportedCheckpointError for a decoder (causal attention) or a variant with other parts.
    """
    if config.get("use_bidirectional_attention") is not True:
        raise UnsupportedCheckpointError(
            "The checkpoint is a Gemma 3 decoder (causal attention), not an embedding model."
        )
    if config.get("hidden_activation", ACTIVATION) != ACTIVATION:
        raise UnsupportedCheckpointError(f"The activation {config['hidden_activation']} is not Gemma 3's.")
    if config.get("attention_bias") or config.get("attn_logit_softcapping"):
        raise UnsupportedCheckpointError(
            "Gemma 3 encoders with attention bias or logit soft-capping are not supported."
        )
    bases = rotary_bases(config)
    return Gemma3Shape(
        width=config["hidden_size"],
        heads=Heads(
            queries=config["num_attention_heads"],
            keys=config["num_key_value_heads"],
            size=config["head_dim"],
            scale=config["query_pre_attn_scalar"] ** -0.5,
        ),
        epsilon=config["rms_norm_eps"],
        reach=_reach(int(config["sliding_window"])),
        max_tokens=config["max_position_embeddings"],
        is_global=tuple(kind == "full_attention" for kind in layer_types(config)),
        local_base=bases[0],
        global_base=bases[1],
    )


class Gemma3Encoder:
    """See Encoder."""

    def __init__(self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._shape = shape = checkpoint.read(gemma3_shape)
        self._parts = GemmaParts(graph, weights, checkpoint, epsilon=shape.epsilon, offset=1)
        self._attention = Attention(graph, shape.reach)
        self._rotary = Rotary(graph, shape.max_tokens)

    @property
    def layers(self) -> int:
        """See Encoder."""
        return len(self._shape.is_global)

    def start(self) -> str:
        """See Encoder."""
        return self._parts.words(INPUT_IDS, self._shape.width)

    def layer(self, states: str, index: int) -> str:
        """Add x + norm(attention(norm(x))), then the same with the MLP."""
        parts, at = self._parts, f"layers.{index}"
        x = parts.add_normed(states, self._attended(states, index), f"{at}.post_attention_layernorm.weight")
        return parts.add_normed(x, parts.mlp(x, index), f"{at}.post_feedforward_layernorm.weight")

    def end(self, states: str) -> str:
        """See Encoder."""
        return self._parts.norm(states, "norm.weight")

    def _attended(self, x: str, layer: int) -> str:
        parts, shape, attention, heads = self._parts, self._shape, self._attention, self._shape.heads
        is_global = shape.is_global[layer]
        base = shape.global_base if is_global else shape.local_base
        q, k, v = parts.queries_keys_values(x, layer, heads)
        q, k = (parts.turned(y, layer, part, heads, self._rotary, base) for part, y in (("q", q), ("k", k)))
        window = "" if is_global else self._window
        attended = self._graph.either(
            attention.is_long,
            lambda: attention.far(q, k, v, heads, window),
            lambda: attention.near(q, k, v, heads),
        )
        return parts.out(attended, layer)

    @cached_property
    def _window(self) -> str:
        """The bias for |query − key| ≤ reach, (1, 1, tokens, tokens); "" if no text is long enough to need it."""
        nothing = self._graph.constant("no_window", np.zeros((1, 1, 0, 0), np.float32))
        return self._graph.either(
            self._attention.is_long, self._write_window, lambda: self._graph.node("Identity", [nothing])
        )

    def _write_window(self) -> str:
        graph = self._graph
        zero, one = (graph.constant(name, np.int64(value)) for name, value in (("zero", 0), ("one", 1)))
        positions = graph.node("Cast", [graph.node("Range", [zero, self._attention.token_count, one])], to=1)
        columns, rows = (graph.node("Unsqueeze", [positions, graph.integers(axis)]) for axis in (0, 1))
        distance = graph.node("Abs", [graph.node("Sub", [rows, columns])])
        outside = graph.node("Greater", [distance, graph.constant("reach", np.float32(self._shape.reach))])
        mask = graph.node("Where", [outside, graph.constant("never", NEVER), graph.constant("no_bias", np.float32(0))])
        return graph.node("Unsqueeze", [mask, graph.integers(0, 1)])


def _reach(window: int) -> int:
    """Return how far a token sees to each side: 256 for the window of 512.

    transformers turns 512 into 512 // 2 + 1 = 257, an exclusive bound, when it loads the configuration. Some releases save the
    halved value, which must not be halved again.
    """
    if window in (_TRUE_WINDOW, _TRUE_WINDOW // 2 + 1):
        return _TRUE_WINDOW // 2
    if window % 2:
        raise UnsupportedCheckpointError(
            f"sliding_window is {window} in config.json; it was halved by repeated saving.",
            remedy=f"Set it to {_TRUE_WINDOW} again.",
        )
    return window // 2


def layer_types(config: Mapping[str, Any]) -> list[str]:
    """Read the kind of each layer, "full_attention" or "sliding_attention": listed, or else one in every so many is global."""
    if config.get("layer_types"):
        return list(config["layer_types"])
    pattern = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6)
    layers = range(1, config["num_hidden_layers"] + 1)
    return ["full_attention" if layer % pattern == 0 else "sliding_attention" for layer in layers]
