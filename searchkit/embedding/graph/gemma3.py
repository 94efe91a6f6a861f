"""The Gemma 3 text encoder with bidirectional attention (EmbeddingGemma) as a fused graph.

Layout after the technical report (arXiv 2509.20354) and transformers' `gemma3_text`: RMSNorm before and after attention
and MLP, RMSNorm of queries and keys, rotary positions with two bases, every sixth layer global, the others within a
window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import MICROSOFT, GraphBranch, GraphBuilder
from searchkit.embedding.graph.quantization import Quantization
from searchkit.errors import UnsupportedCheckpointError

_TRUE_WINDOW = 512
_EVEN_EPSILON = 1e-12  # only against division by zero: what is divided out comes back
_NEVER = np.float32(-1e30)  # finite, so that a row of them stays a number


@dataclass(frozen=True, slots=True)
class Gemma3Shape:
    """The dimensions of a checkpoint, checked. `reach`: how many tokens away a window layer sees, to each side."""

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


def write_gemma3(graph: GraphBuilder, checkpoint: Checkpoint) -> str:
    """Add the encoder; returns the name of its (batch, tokens, width) output. The input is called `token_ids`."""
    return _Gemma3Writer(graph, checkpoint).write()


class _Gemma3Writer:
    def __init__(self, graph: GraphBuilder, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._checkpoint = checkpoint
        self._shape = gemma3_shape(checkpoint.config)
        self._prefix = checkpoint.prefix_of("embed_tokens.weight")

    def write(self) -> str:
        graph = self._graph
        factor = self._shape.width**0.5
        x = graph.lookup("token_ids", "tokens", self._tensor("embed_tokens.weight"), factor=factor)
        one = graph.constant("one", np.int64(1))
        self._token_count = graph.node("Gather", [graph.node("Shape", ["token_ids"]), one])
        self._write_window()
        for layer, is_global in enumerate(self._shape.is_global):
            x = self._layer_output(x, layer, is_global=is_global)
        return self._rms_norm(x, "norm", 1 + self._tensor("norm.weight"))

    def _layer_output(self, x: str, layer: int, *, is_global: bool) -> str:
        """x + norm(attention(norm(x))), then the same with the MLP. The first sum is fused with the norm after it."""
        attended = self._norm(
            self._attention(x, layer, is_global=is_global), f"{layer}.post_attention_layernorm.weight"
        )
        gate_up = self._stacked(layer, "mlp.gate_proj", "mlp.up_proj")
        scale = self._graph.smoothing.scale(f"{layer}.gate_up", gate_up)
        norm = (1 + self._layer(layer, "pre_feedforward_layernorm.weight")) / scale
        inputs = [attended, x, self._graph.constant(f"{layer}.mlp_norm", norm)]
        normed, _, _, x = self._graph.node_with_outputs(
            "SkipSimplifiedLayerNormalization", inputs, 4, domain=MICROSOFT, epsilon=self._shape.epsilon
        )
        fed = self._norm(self._mlp(normed, layer, gate_up * scale), f"{layer}.post_feedforward_layernorm.weight")
        return self._graph.node("Add", [x, fed])

    def _attention(self, x: str, layer: int, *, is_global: bool) -> str:
        graph, shape = self._graph, self._shape
        weight = self._stacked(layer, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        scale = graph.smoothing.scale(f"{layer}.qkv", weight)
        norm = (1 + self._layer(layer, "input_layernorm.weight")) / scale
        projected = graph.linear(self._rms_norm(x, f"{layer}.qkv_norm", norm), f"{layer}.qkv", weight * scale)
        width = shape.key_value_heads * shape.head_size
        sizes = graph.constant("qkv_sizes", np.array([shape.heads * shape.head_size, width, width], np.int64))
        q, k, v = graph.node_with_outputs("Split", [projected, sizes], 3, axis=-1)
        q = self._rotated(q, layer, "q", heads=shape.heads, is_global=is_global)
        k = self._rotated(k, layer, "k", heads=shape.key_value_heads, is_global=is_global)
        attended = self._attend(q, self._repeat(k), self._repeat(v), is_global=is_global)
        return self._even_linear(attended, f"{layer}.o", self._layer(layer, "self_attn.o_proj.weight"))

    def _attend(self, q: str, k: str, v: str, *, is_global: bool) -> str:
        """Full attention; a window layer gets the mask only when the text is longer than the window reaches."""
        options: dict[str, Any] = {"domain": MICROSOFT, "num_heads": self._shape.heads, "scale": self._shape.scale}
        if is_global:
            return self._graph.node("MultiHeadAttention", [q, k, v], **options)
        masked = GraphBranch("MultiHeadAttention", [q, k, v, "", "", self._window], **options)
        return self._graph.either(self._is_long, masked, GraphBranch("MultiHeadAttention", [q, k, v], **options))

    def _rotated(self, x: str, layer: int, part: str, *, heads: int, is_global: bool) -> str:
        """Queries or keys, normalised a head at a time and turned by their positions."""
        graph, size = self._graph, self._shape.head_size
        by_head = graph.node("Reshape", [x, graph.constant(f"{part}_heads", np.array([0, 0, heads, size], np.int64))])
        normed = self._norm(by_head, f"{layer}.self_attn.{part}_norm.weight")
        flat = graph.node("Reshape", [normed, graph.constant("flat", np.array([0, 0, -1], np.int64))])
        cos, sin = self._rotary_tables(is_global=is_global)
        first = graph.constant("first_position", np.array([0], np.int64))
        return graph.node("RotaryEmbedding", [flat, first, cos, sin], domain=MICROSOFT, num_heads=heads)

    def _repeat(self, x: str) -> str:
        """Keys or values, once for every query head that shares them."""
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

    def _mlp(self, x: str, layer: int, gate_up: npt.NDArray[np.float32]) -> str:
        graph = self._graph
        sizes = graph.constant("mlp_sizes", np.array([self._shape.inner] * 2, np.int64))
        gate, up = graph.node_with_outputs("Split", [graph.linear(x, f"{layer}.gate_up", gate_up), sizes], 2, axis=-1)
        gated = graph.node("Mul", [graph.node("Gelu", [gate], approximate="tanh"), up])
        return self._even_linear(gated, f"{layer}.down", self._layer(layer, "mlp.down_proj.weight"))

    def _even_linear(self, x: str, name: str, weight: npt.NDArray[np.float32]) -> str:
        """A product whose tokens are brought to one length before it and back to their own after it.

        One scale quantizes all tokens of a product, and the inputs of `o` and `down` differ in length by orders of
        magnitude: without this the long ones leave the short ones a handful of steps. RMSNorm does it, gives out what
        it divided by, and carries the smoothing scales in its weight.
        """
        graph = self._graph
        if graph.quantization is Quantization.FP32 and not graph.observes:
            return graph.linear(x, name, weight)
        scale = graph.smoothing.scale(name, weight)
        even, inverse_length = graph.node_with_outputs(
            "SimplifiedLayerNormalization",
            [x, graph.constant(f"{name}.even", 1 / scale)],
            2,
            axis=-1,
            epsilon=_EVEN_EPSILON,
            stash_type=1,
        )
        return graph.node("Div", [graph.linear(even, name, weight * scale), inverse_length])

    def _write_window(self) -> None:
        """|query − key| ≤ reach as a (1, 1, tokens, tokens) bias, computed where an input is long enough to need it."""
        graph, reach = self._graph, self._shape.reach
        limit = graph.constant("unmasked_tokens", np.int64(reach + 1))
        self._is_long = graph.node("Greater", [self._token_count, limit])
        bounds = [graph.constant("zero", np.int64(0)), self._token_count, graph.constant("one", np.int64(1))]
        positions = graph.node("Cast", [graph.node("Range", bounds)], to=1)
        columns = graph.node("Unsqueeze", [positions, graph.constant("axis_0", np.array([0], np.int64))])
        rows = graph.node("Unsqueeze", [positions, graph.constant("axis_1", np.array([1], np.int64))])
        distance = graph.node("Abs", [graph.node("Sub", [rows, columns])])
        outside = graph.node("Greater", [distance, graph.constant("reach", np.float32(reach))])
        mask = graph.node("Where", [outside, graph.constant("never", _NEVER), graph.constant("no_bias", np.float32(0))])
        self._window = graph.node("Unsqueeze", [mask, graph.constant("axes_01", np.array([0, 1], np.int64))])

    def _rotary_tables(self, *, is_global: bool) -> tuple[str, str]:
        shape = self._shape
        base = shape.global_base if is_global else shape.local_base
        frequencies = base ** (-np.arange(0, shape.head_size, 2) / shape.head_size)
        angles = np.arange(shape.max_tokens)[:, None] * frequencies[None]
        kind = "global" if is_global else "local"
        cos = self._graph.constant(f"cos_{kind}", np.cos(angles).astype(np.float32))
        return cos, self._graph.constant(f"sin_{kind}", np.sin(angles).astype(np.float32))

    def _norm(self, x: str, name: str) -> str:
        """RMSNorm with a weight of the checkpoint, which Gemma stores less one."""
        return self._rms_norm(x, name, 1 + self._tensor(f"layers.{name}"))

    def _rms_norm(self, x: str, name: str, weight: npt.NDArray[np.float32]) -> str:
        inputs = [x, self._graph.constant(name, weight)]
        return self._graph.node(
            "SimplifiedLayerNormalization", inputs, axis=-1, epsilon=self._shape.epsilon, stash_type=1
        )

    def _stacked(self, layer: int, *names: str) -> npt.NDArray[np.float32]:
        """Weights of several products of the same input as one (out, in) weight."""
        return np.concatenate([self._layer(layer, f"{name}.weight") for name in names])

    def _layer(self, layer: int, name: str) -> npt.NDArray[np.float32]:
        return self._tensor(f"layers.{layer}.{name}")

    def _tensor(self, name: str) -> npt.NDArray[np.float32]:
        return self._checkpoint.tensor(self._prefix + name)


def _reach(window: int) -> int:
    """How far a token sees to each side: 256 for the window of 512.

    transformers turns 512 into 512 // 2 + 1 = 257, an exclusive bound, when it loads the configuration; releases that
    save it leave the halved value behind, which must not be halved again.
    """
    if window in (_TRUE_WINDOW, _TRUE_WINDOW // 2 + 1):
        return _TRUE_WINDOW // 2
    if window % 2:
        raise UnsupportedCheckpointError(
            f"sliding_window is {window} in config.json; it was halved by repeated saving. Set it to {_TRUE_WINDOW} again."
        )
    return window // 2


def _layer_types(config: Mapping[str, Any]) -> list[str]:
    if config.get("layer_types"):
        return list(config["layer_types"])
    pattern = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6)
    layers = range(1, config["num_hidden_layers"] + 1)
    return ["full_attention" if layer % pattern == 0 else "sliding_attention" for layer in layers]


def _rope_bases(config: Mapping[str, Any]) -> tuple[float, float]:
    """(local, global) rotary bases, from either of the two ways that transformers writes them."""
    by_type = config.get("rope_parameters")
    if isinstance(by_type, dict) and "full_attention" in by_type:
        kinds = [by_type["sliding_attention"], by_type["full_attention"]]
        if any(kind.get("rope_type", "default") != "default" for kind in kinds):
            raise UnsupportedCheckpointError("Scaled rotary positions are not supported.")
        return float(kinds[0]["rope_theta"]), float(kinds[1]["rope_theta"])
    if config.get("rope_scaling"):
        raise UnsupportedCheckpointError("Scaled rotary positions are not supported.")
    return float(config["rope_local_base_freq"]), float(config["rope_theta"])
