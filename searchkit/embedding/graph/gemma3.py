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
from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.weights import Floats, Product, Weights
from searchkit.errors import UnsupportedCheckpointError

_TRUE_WINDOW = 512
_ROTARY_STEP = 64
_NEVER = np.float32(-1e30)  # finite, so that a row of them does not become NaN


@dataclass(frozen=True, slots=True)
class Gemma3Shape:
    """The validated dimensions of a checkpoint. `reach`: the distance in tokens, to each side, that a window layer sees."""

    width: int
    heads: int
    key_value_heads: int
    head_size: int
    inner: int
    epsilon: float
    scale: float
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
    if config.get("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh":
        raise UnsupportedCheckpointError(f"The activation {config['hidden_activation']} is not Gemma 3's.")
    if config.get("attention_bias") or config.get("attn_logit_softcapping"):
        raise UnsupportedCheckpointError(
            "Gemma 3 encoders with attention bias or logit soft-capping are not supported."
        )
    bases = _rope_bases(config)
    return Gemma3Shape(
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        key_value_heads=config["num_key_value_heads"],
        head_size=config["head_dim"],
        inner=config["intermediate_size"],
        epsilon=config["rms_norm_eps"],
        scale=config["query_pre_attn_scalar"] ** -0.5,
        reach=_reach(int(config["sliding_window"])),
        max_tokens=config["max_position_embeddings"],
        is_global=tuple(kind == "full_attention" for kind in _layer_types(config)),
        local_base=bases[0],
        global_base=bases[1],
    )


class Gemma3Encoder:
    """See Encoder."""

    def __init__(self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._weights = weights
        self._checkpoint = checkpoint
        self._shape = gemma3_shape(checkpoint.config)
        self._prefix = checkpoint.prefix_of("embed_tokens.weight")
        self._rotary: dict[str, tuple[str, str]] = {}

    @property
    def layers(self) -> int:
        """See Encoder."""
        return len(self._shape.is_global)

    def start(self) -> str:
        """See Encoder."""
        table = self._checkpoint.table(f"{self._prefix}embed_tokens.weight")
        return self._weights.lookup(INPUT_IDS, "tokens", table, factor=self._shape.width**0.5)

    def layer(self, states: str, index: int) -> str:
        """Add x + norm(attention(norm(x))), then the same with the MLP."""
        x = self._add(states, self._attention(states, index), f"{index}.post_attention_layernorm.weight")
        return self._add(x, self._mlp(x, index), f"{index}.post_feedforward_layernorm.weight")

    def end(self, states: str) -> str:
        """See Encoder."""
        return self._rms_norm(states, "norm", 1 + self._tensor("norm.weight"))

    def _add(self, x: str, change: str, norm: str) -> str:
        return self._graph.node("Add", [x, self._norm(change, norm)])

    def _attention(self, x: str, layer: int) -> str:
        shape, group = self._shape, f"{layer}.qkv"
        weight = self._stacked(layer, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        scale = self._weights.smoothing(group, weight)
        norm = (1 + self._layer(layer, "input_layernorm.weight")) / scale
        queries, keys = shape.heads * shape.head_size, shape.key_value_heads * shape.head_size
        parts = np.split(weight * scale, [queries, queries + keys])
        products = [Product(f"{layer}.{name}", part) for name, part in zip("qkv", parts, strict=True)]
        q, k, v = self._weights.products(self._rms_norm(x, f"{layer}.qkv_norm", norm), group, products)
        is_global = shape.is_global[layer]
        q = self._rotated(q, layer, "q", heads=shape.heads, is_global=is_global)
        k = self._rotated(k, layer, "k", heads=shape.key_value_heads, is_global=is_global)
        window = "" if is_global else self._window
        attended = self._graph.either(
            self._is_long, lambda: self._attend_far(q, k, v, window), lambda: self._attend_near(q, k, v)
        )
        out = Product(f"{layer}.o", self._layer(layer, "self_attn.o_proj.weight"))
        return self._weights.products(attended, out.name, [out], even=True)[0]

    def _attend_near(self, q: str, k: str, v: str) -> str:
        """Add attention for a text in which every token sees every other.

        One head of keys and values serves several heads of queries. These are treated as additional tokens, so that each step
        is a single product and nothing is repeated.
        """
        graph, shape = self._graph, self._shape
        if shape.key_value_heads > 1:
            return self._attend_far(q, k, v, window="")
        by_head = graph.node("Reshape", [q, graph.constant("by_head", np.array([0, -1, shape.head_size], np.int64))])
        turned = graph.node("Transpose", [k], perm=[0, 2, 1])
        scores = graph.node("FusedMatMul", [by_head, turned], domain=MICROSOFT, alpha=shape.scale)
        attended = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), v])
        width = shape.heads * shape.head_size
        return graph.node("Reshape", [attended, graph.constant("by_token", np.array([0, -1, width], np.int64))])

    def _attend_far(self, q: str, k: str, v: str, window: str) -> str:
        """Add attention for a text of any length; `bias` restricts it to a window, "" does not."""
        inputs = [q, self._repeat(k), self._repeat(v), *(["", "", window] if window else [])]
        return self._graph.node(
            "MultiHeadAttention", inputs, domain=MICROSOFT, num_heads=self._shape.heads, scale=self._shape.scale
        )

    def _rotated(self, x: str, layer: int, part: str, *, heads: int, is_global: bool) -> str:
        """Add queries or keys, normalised per head and rotated by their positions."""
        graph, size = self._graph, self._shape.head_size
        by_head = graph.node("Reshape", [x, graph.constant(f"{part}_heads", np.array([0, 0, heads, size], np.int64))])
        normed = self._norm(by_head, f"{layer}.self_attn.{part}_norm.weight")
        flat = graph.node("Reshape", [normed, graph.constant("flat", np.array([0, 0, -1], np.int64))])
        cos, sin = self._rotary_tables(is_global=is_global)
        first = graph.constant("first_position", np.array([0], np.int64))
        return graph.node("RotaryEmbedding", [flat, first, cos, sin], domain=MICROSOFT, num_heads=heads)

    def _repeat(self, x: str) -> str:
        """Repeat keys or values for each query head that shares them."""
        shape, graph = self._shape, self._graph
        times = shape.heads // shape.key_value_heads
        if shape.key_value_heads == 1:
            return graph.node("Tile", [x, graph.constant("repeats", np.array([1, 1, times], np.int64))])
        split = graph.constant("kv_split", np.array([0, 0, shape.key_value_heads, 1, shape.head_size], np.int64))
        tiled = graph.node(
            "Tile",
            [graph.node("Reshape", [x, split]), graph.constant("kv_times", np.array([1, 1, 1, times, 1], np.int64))],
        )
        return graph.node("Reshape", [tiled, graph.constant("flat", np.array([0, 0, -1], np.int64))])

    def _mlp(self, x: str, layer: int) -> str:
        """Add down(gelu(gate) · up). The smoothing scales of `down` fold into the rows of `up`."""
        graph, group = self._graph, f"{layer}.gate_up"
        down = Product(f"{layer}.down", self._layer(layer, "mlp.down_proj.weight"))
        down_scale = self._weights.smoothing(down.name, down.weight)
        weight = self._stacked(layer, "mlp.gate_proj", "mlp.up_proj")
        weight[self._shape.inner :] /= down_scale[:, None]
        scale = self._weights.smoothing(group, weight)
        norm = (1 + self._layer(layer, "pre_feedforward_layernorm.weight")) / scale
        parts = np.split(weight * scale, 2)
        products = [Product(f"{layer}.{name}", part) for name, part in zip(("gate", "up"), parts, strict=True)]
        gate, up = self._weights.products(self._rms_norm(x, f"{layer}.mlp_norm", norm), group, products)
        gated = graph.node("Mul", [graph.node("Gelu", [gate], approximate="tanh"), up])
        smoothed = Product(down.name, down.weight * down_scale)
        return self._weights.products(gated, down.name, [smoothed], even=True)[0]

    @cached_property
    def _token_count(self) -> str:
        one = self._graph.constant("one", np.int64(1))
        return self._graph.node("Gather", [self._graph.node("Shape", [INPUT_IDS]), one])

    @cached_property
    def _is_long(self) -> str:
        """The condition that a token may be farther from another than a window layer sees."""
        limit = self._graph.constant("unmasked_tokens", np.int64(self._shape.reach + 1))
        return self._graph.node("Greater", [self._token_count, limit])

    @cached_property
    def _window(self) -> str:
        """The bias for |query − key| ≤ reach, (1, 1, tokens, tokens); "" if no text is long enough to need it."""
        nothing = self._graph.constant("no_window", np.zeros((1, 1, 0, 0), np.float32))
        return self._graph.either(self._is_long, self._write_window, lambda: self._graph.node("Identity", [nothing]))

    def _write_window(self) -> str:
        graph, reach = self._graph, self._shape.reach
        bounds = [graph.constant("zero", np.int64(0)), self._token_count, graph.constant("one", np.int64(1))]
        positions = graph.node("Cast", [graph.node("Range", bounds)], to=1)
        columns = graph.node("Unsqueeze", [positions, graph.constant("axis_0", np.array([0], np.int64))])
        rows = graph.node("Unsqueeze", [positions, graph.constant("axis_1", np.array([1], np.int64))])
        distance = graph.node("Abs", [graph.node("Sub", [rows, columns])])
        outside = graph.node("Greater", [distance, graph.constant("reach", np.float32(reach))])
        mask = graph.node("Where", [outside, graph.constant("never", _NEVER), graph.constant("no_bias", np.float32(0))])
        return graph.node("Unsqueeze", [mask, graph.constant("axes_01", np.array([0, 1], np.int64))])

    def _rotary_tables(self, *, is_global: bool) -> tuple[str, str]:
        """Add the cosines and sines of all positions, (tokens, head_size / 2).

        Stored for every 64th position and for the first 64; ONNX Runtime adds the angles when it loads the graph.
        """
        graph, shape, kind = self._graph, self._shape, "global" if is_global else "local"
        if kind not in self._rotary:
            base = shape.global_base if is_global else shape.local_base
            frequencies = base ** (-np.arange(0, shape.head_size, 2) / shape.head_size)
            far = np.arange(0, shape.max_tokens, _ROTARY_STEP)[:, None, None] * frequencies
            near = np.arange(_ROTARY_STEP)[None, :, None] * frequencies
            far_cos, far_sin, near_cos, near_sin = (
                graph.constant(f"{kind}_{name}", values.astype(np.float32))
                for name, values in (
                    ("far_cos", np.cos(far)),
                    ("far_sin", np.sin(far)),
                    ("near_cos", np.cos(near)),
                    ("near_sin", np.sin(near)),
                )
            )
            cos = graph.node("Sub", [graph.node("Mul", [far_cos, near_cos]), graph.node("Mul", [far_sin, near_sin])])
            sin = graph.node("Add", [graph.node("Mul", [far_sin, near_cos]), graph.node("Mul", [far_cos, near_sin])])
            rows = graph.constant("rotary_rows", np.array([-1, shape.head_size // 2], np.int64))
            self._rotary[kind] = graph.node("Reshape", [cos, rows]), graph.node("Reshape", [sin, rows])
        return self._rotary[kind]

    def _norm(self, x: str, name: str) -> str:
        """Add an RMSNorm with a weight of the checkpoint, which Gemma stores minus one."""
        return self._rms_norm(x, name, 1 + self._tensor(f"layers.{name}"))

    def _rms_norm(self, x: str, name: str, weight: Floats) -> str:
        inputs = [x, self._graph.constant(name, weight)]
        return self._graph.node(
            "SimplifiedLayerNormalization", inputs, axis=-1, epsilon=self._shape.epsilon, stash_type=1
        )

    def _stacked(self, layer: int, *names: str) -> Floats:
        """Concatenate the weights of several products of the same input to one (out, in) weight."""
        return np.concatenate([self._layer(layer, f"{name}.weight") for name in names])

    def _layer(self, layer: int, name: str) -> Floats:
        return self._tensor(f"layers.{layer}.{name}")

    def _tensor(self, name: str) -> Floats:
        return self._checkpoint.tensor(self._prefix + name)


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


def _layer_types(config: Mapping[str, Any]) -> list[str]:
    if config.get("layer_types"):
        return list(config["layer_types"])
    pattern = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6)
    layers = range(1, config["num_hidden_layers"] + 1)
    return ["full_attention" if layer % pattern == 0 else "sliding_attention" for layer in layers]


def _rope_bases(config: Mapping[str, Any]) -> tuple[float, float]:
    """Read the (local, global) rotary bases from either of the two forms that transformers writes."""
    by_type = config.get("rope_parameters")
    if isinstance(by_type, dict) and "full_attention" in by_type:
        kinds = [by_type["sliding_attention"], by_type["full_attention"]]
        if any(kind.get("rope_type", "default") != "default" for kind in kinds):
            raise UnsupportedCheckpointError("Scaled rotary positions are not supported.")
        return float(kinds[0]["rope_theta"]), float(kinds[1]["rope_theta"])
    if config.get("rope_scaling"):
        raise UnsupportedCheckpointError("Scaled rotary positions are not supported.")
    return float(config["rope_local_base_freq"]), float(config["rope_theta"])
