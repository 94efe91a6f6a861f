"""What the encoders of the Gemma family have in common: RMSNorm, queries and keys normalised per head, the gated MLP."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.attention import Heads, Rotary
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.weights import Floats, Product, Weights
from searchkit.errors import UnsupportedCheckpointError

ACTIVATION = "gelu_pytorch_tanh"
_NO_SCALED_ROTARY = "Scaled rotary positions are not supported."


class GemmaParts:
    """Adds the common parts of a layer. `offset`: what the checkpoint's norm weights lack, 1 where they are stored less one."""

    def __init__(
        self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint, *, epsilon: float, offset: float
    ) -> None:
        self._graph = graph
        self._weights = weights
        self._checkpoint = checkpoint
        self._epsilon = epsilon
        self._offset = offset
        self._prefix = checkpoint.prefix_of("embed_tokens.weight")

    def words(self, ids: str, width: int) -> str:
        """Add the states of the tokens before the first layer."""
        table = self._checkpoint.table(f"{self._prefix}embed_tokens.weight")
        return self._weights.lookup(ids, "tokens", table, factor=width**0.5)

    def tensor(self, name: str) -> Floats:
        """Read a tensor of the encoder."""
        return self._checkpoint.tensor(self._prefix + name)

    def norm_weight(self, name: str) -> Floats:
        """Read the weight of an RMSNorm, as states are multiplied by it."""
        return np.asarray(self._offset + self.tensor(name), np.float32)

    def norm(self, x: str, name: str) -> str:
        """Add an RMSNorm with a weight of the checkpoint."""
        return self.rms_norm(x, name, self.norm_weight(name))

    def rms_norm(self, x: str, name: str, weight: Floats) -> str:
        """Add an RMSNorm over the last axis."""
        inputs = [x, self._graph.constant(name, weight)]
        return self._graph.node("SimplifiedLayerNormalization", inputs, axis=-1, epsilon=self._epsilon, stash_type=1)

    def add_normed(self, x: str, change: str, name: str) -> str:
        """Add x + norm(change)."""
        return self._graph.node("Add", [x, self.norm(change, name)])

    def queries_keys_values(self, x: str, layer: int, heads: Heads) -> list[str]:
        """Add the three products of norm(x). Their smoothing scales fold into the norm."""
        group, at = f"{layer}.qkv", f"layers.{layer}"
        weight = np.concatenate([self.tensor(f"{at}.self_attn.{part}_proj.weight") for part in "qkv"])
        scale = self._weights.smoothing(group, weight)
        norm = self.norm_weight(f"{at}.input_layernorm.weight") / scale
        queries, keys = heads.queries * heads.size, heads.keys * heads.size
        parts = np.split(weight * scale, [queries, queries + keys])
        products = [Product(f"{layer}.{name}", part) for name, part in zip("qkv", parts, strict=True)]
        return self._weights.products(self.rms_norm(x, f"{layer}.qkv_norm", norm), group, products)

    def turned(self, x: str, layer: int, part: str, heads: Heads, rotary: Rotary, base: float) -> str:
        """Add queries (`part` "q") or keys ("k"), normalised per head and turned by their positions."""
        count = heads.queries if part == "q" else heads.keys
        normed = self.norm(self.by_head(x, count, heads.size), f"layers.{layer}.self_attn.{part}_norm.weight")
        return rotary.turned(self.flat(normed), count, heads.size, base)

    def by_head(self, x: str, count: int, size: int) -> str:
        """Add (1, tokens, count · size) as (1, tokens, count, size)."""
        return self._graph.node("Reshape", [x, self._graph.integers(0, 0, count, size)])

    def flat(self, x: str) -> str:
        """Add (1, tokens, count, size) as (1, tokens, count · size)."""
        return self._graph.node("Reshape", [x, self._graph.integers(0, 0, -1)])

    def out(self, attended: str, layer: int, scale: Floats | None = None) -> str:
        """Add the product behind attention. `scale`: what its input was divided by."""
        weight = self.tensor(f"layers.{layer}.self_attn.o_proj.weight")
        product = Product(f"{layer}.o", weight if scale is None else weight * scale)
        return self._weights.products(attended, product.name, [product], even=True)[0]

    def mlp(self, x: str, layer: int) -> str:
        """Add down(gelu(gate) · up) of norm(x). The smoothing scales of `down` fold into the rows of `up`."""
        graph, group, at = self._graph, f"{layer}.gate_up", f"layers.{layer}"
        down = Product(f"{layer}.down", self.tensor(f"{at}.mlp.down_proj.weight"))
        down_scale = self._weights.smoothing(down.name, down.weight)
        weight = np.concatenate([self.tensor(f"{at}.mlp.{part}_proj.weight") for part in ("gate", "up")])
        weight[len(down_scale) :] /= down_scale[:, None]
        scale = self._weights.smoothing(group, weight)
        norm = self.norm_weight(f"{at}.pre_feedforward_layernorm.weight") / scale
        parts = np.split(weight * scale, 2)
        products = [Product(f"{layer}.{name}", part) for name, part in zip(("gate", "up"), parts, strict=True)]
        gate, up = self._weights.products(self.rms_norm(x, f"{layer}.mlp_norm", norm), group, products)
        gated = graph.node("Mul", [graph.node("Gelu", [gate], approximate="tanh"), up])
        smoothed = Product(down.name, down.weight * down_scale)
        return self._weights.products(gated, down.name, [smoothed], even=True)[0]


def rotary_bases(config: Mapping[str, Any]) -> tuple[float, float]:
    """Read the (local, global) rotary bases from either of the two forms that transformers writes.

    Raises UnsupportedCheckpointError for positions that are scaled.
    """
    by_type = config.get("rope_parameters")
    if isinstance(by_type, dict) and "full_attention" in by_type:
        kinds = [by_type["sliding_attention"], by_type["full_attention"]]
        if any(kind.get("rope_type", "default") != "default" for kind in kinds):
            raise UnsupportedCheckpointError(_NO_SCALED_ROTARY)
        return float(kinds[0]["rope_theta"]), float(kinds[1]["rope_theta"])
    if config.get("rope_scaling"):
        raise UnsupportedCheckpointError(_NO_SCALED_ROTARY)
    return float(config["rope_local_base_freq"]), float(config["rope_theta"])
