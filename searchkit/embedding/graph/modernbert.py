"""The ModernBERT encoder (gte-modernbert, Granite Embedding R2) as a fused graph.

Layout after Warner et al. 2024 (arXiv 2412.13663) and transformers' `modernbert`: LayerNorm before attention and MLP except
before the first attention, rotary positions with two bases, every third layer global and the others within a window, a gated
MLP, biases where the configuration has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint, Pooling
from searchkit.embedding.graph.attention import Attention, Heads, Rotary, steps_of, window_reach
from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.weights import Floats, Product, Weights
from searchkit.errors import UnsupportedCheckpointError

_WINDOW, _EVERYWHERE = "sliding_attention", "full_attention"
_ACTIVATIONS = ("gelu", "gelu_pytorch_tanh", "silu")
_USUAL: Mapping[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 22,
    "num_attention_heads": 12,
    "hidden_activation": "gelu",
    "norm_eps": 1e-5,
    "local_attention": 128,
    "global_attn_every_n_layers": 3,
    "local_rope_theta": 10_000.0,
    "global_rope_theta": 160_000.0,
}


@dataclass(frozen=True, slots=True)
class ModernBertShape:
    """The validated dimensions of a checkpoint. `reach`: the distance in tokens, to each side, that a window layer sees."""

    heads: Heads
    activation: str
    epsilon: float
    reach: int
    is_global: tuple[bool, ...]
    local_base: float
    global_base: float


def modernbert_shape(given: Mapping[str, Any]) -> ModernBertShape:
    """Read the dimensions from config.json, as transformers of any version writes it.

    Raises UnsupportedCheckpointError for a variant with other parts.
    """
    config = {**_USUAL, **{name: value for name, value in given.items() if value is not None}}
    if config["hidden_activation"] not in _ACTIVATIONS:
        raise UnsupportedCheckpointError(
            f"ModernBERT with the activation {config['hidden_activation']} is not supported."
        )
    every, count = int(config["global_attn_every_n_layers"]), int(config["num_hidden_layers"])
    kinds = config.get("layer_types") or [_WINDOW if number % every else _EVERYWHERE for number in range(count)]
    if strange := sorted(set(kinds) - {_WINDOW, _EVERYWHERE}):
        raise UnsupportedCheckpointError(f"Layers of the kind {strange[0]} are not supported.")
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    size = int(config.get("head_dim") or width // heads)
    if size * heads != width:
        raise UnsupportedCheckpointError(f"{heads} heads of {size} do not make {width} channels.")
    return ModernBertShape(
        heads=Heads(queries=heads, keys=heads, size=size, scale=size**-0.5),
        activation=config["hidden_activation"],
        epsilon=float(config["norm_eps"]),
        reach=window_reach(int(config["local_attention"]) // 2),
        is_global=tuple(kind == _EVERYWHERE for kind in kinds),
        local_base=_base(config, _WINDOW, "local_rope_theta"),
        global_base=_base(config, _EVERYWHERE, "global_rope_theta"),
    )


class ModernBertEncoder:
    """See Encoder."""

    def __init__(self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._weights = weights
        self._checkpoint = checkpoint
        self._shape = checkpoint.read(modernbert_shape)
        self._prefix = checkpoint.prefix_of("embeddings.tok_embeddings.weight")
        self._attention = Attention(graph, self._shape.reach)
        tokens = graph.node("Reshape", [self._attention.token_count, graph.integers(1)])
        self._rotary = Rotary(graph, checkpoint.max_tokens, steps_of(graph, tokens))
        self._needed = _needed_tokens(self._shape, checkpoint.pooling)

    @property
    def layers(self) -> int:
        """See Encoder."""
        return len(self._shape.is_global)

    def start(self) -> str:
        """See Encoder."""
        table = self._checkpoint.table(f"{self._prefix}embeddings.tok_embeddings.weight")
        return self._norm(self._weights.lookup(INPUT_IDS, "words", table), "embeddings.norm")

    def layer(self, states: str, index: int) -> str:
        """Add x + attention(norm(x)), then the same with the MLP, for the tokens that later layers need."""
        kept = self._attention.first(states, self._needed[index])
        x = self._graph.node("Add", [kept, self._attended(states, index)])
        return self._graph.node("Add", [x, self._mlp(x, index)])

    def end(self, states: str) -> str:
        """See Encoder."""
        return self._norm(states, "final_norm")

    def _attended(self, x: str, layer: int) -> str:
        """Add attention. The smoothing scales of the product behind it fold into the rows of the values."""
        shape, at = self._shape, f"layers.{layer}.attn"
        out = self._product(f"{at}.Wo")
        out_scale = self._weights.smoothing(out.name, out.weight)
        both = self._divided(self._product(f"{at}.Wqkv"), out_scale)
        if layer:
            x, both = self._normed(x, f"layers.{layer}.attn_norm", both)
        else:  # its input comes from the norm of the words, which goes on unscaled too
            x, both = self._weights.smoothed(x, both)
        of_q, *of_kv = self._parts(both, "qkv")
        needed = self._needed[layer]
        if needed is None:
            q, k, v = self._weights.products(x, both.name, [of_q, *of_kv])
        else:
            q, k, v = (
                *self._weights.products(self._attention.first(x, needed), both.name, [of_q]),
                *self._weights.products(x, both.name, of_kv),
            )
        base = shape.global_base if shape.is_global[layer] else shape.local_base
        q, k = (self._rotary.turned(y, shape.heads.queries, shape.heads.size, base) for y in (q, k))
        smoothed = Product(out.name, out.weight * out_scale, out.bias)
        return self._weights.products(self._attend(q, k, v, layer), out.name, [smoothed], even=True)[0]

    def _attend(self, q: str, k: str, v: str, layer: int) -> str:
        attention, heads, needed = self._attention, self._shape.heads, self._needed[layer]
        if self._shape.is_global[layer]:
            return attention.everywhere(q, k, v, heads)
        if needed is None:
            return attention.within(q, k, v, heads)
        return attention.first_within(q, k, v, heads, needed)

    def _mlp(self, x: str, layer: int) -> str:
        """Add down(activation(inner) · gate). The smoothing scales of `down` fold into the rows of `gate`."""
        at = f"layers.{layer}.mlp"
        down = self._product(f"{at}.Wo")
        down_scale = self._weights.smoothing(down.name, down.weight)
        both = self._divided(self._product(f"{at}.Wi"), down_scale)
        x, both = self._normed(x, f"layers.{layer}.mlp_norm", both)
        inner, gate = self._weights.products(x, both.name, self._parts(both, ("inner", "gate")))
        gated = self._graph.node("Mul", [self._active(inner), gate])
        smoothed = Product(down.name, down.weight * down_scale, down.bias)
        return self._weights.products(gated, down.name, [smoothed], even=True)[0]

    def _active(self, x: str) -> str:
        if self._shape.activation == "silu":
            return self._graph.node("QuickGelu", [x], domain=MICROSOFT, alpha=1.0)
        return self._graph.node("Gelu", [x], approximate="none" if self._shape.activation == "gelu" else "tanh")

    def _normed(self, x: str, name: str, product: Product) -> tuple[str, Product]:
        """Add the norm before a product; the smoothing scales fold into it."""
        scale = self._weights.smoothing(product.name, product.weight)
        return self._norm(x, name, scale), Product(product.name, product.weight * scale, product.bias)

    def _norm(self, x: str, name: str, scale: Floats | None = None) -> str:
        """Add a LayerNorm, divided by `scale`."""
        parts = [part for part in (f"{name}.weight", f"{name}.bias") if self._has(part)]
        values = [self._tensor(part) if scale is None else self._tensor(part) / scale for part in parts]
        constants = [self._graph.constant(part, value) for part, value in zip(parts, values, strict=True)]
        return self._graph.node("LayerNormalization", [x, *constants], axis=-1, epsilon=self._shape.epsilon)

    def _product(self, name: str) -> Product:
        bias = self._tensor(f"{name}.bias") if self._has(f"{name}.bias") else None
        return Product(name, self._tensor(f"{name}.weight"), bias)

    def _divided(self, product: Product, scale: Floats) -> Product:
        """Divide the last outputs of a product by `scale`."""
        whole = np.concatenate([np.ones(len(product.weight) - len(scale), np.float32), scale])
        bias = None if product.bias is None else product.bias / whole
        return Product(product.name, product.weight / whole[:, None], bias)

    def _parts(self, product: Product, names: str | tuple[str, ...]) -> list[Product]:
        """Split a product into products of equal size."""
        weights = np.split(product.weight, len(names))
        biases = [None] * len(names) if product.bias is None else np.split(product.bias, len(names))
        return [
            Product(f"{product.name}.{name}", weight, bias)
            for name, weight, bias in zip(names, weights, biases, strict=True)
        ]

    def _has(self, name: str) -> bool:
        return self._checkpoint.has(self._prefix + name)

    def _tensor(self, name: str) -> Floats:
        return self._checkpoint.tensor(self._prefix + name)


def _needed_tokens(shape: ModernBertShape, pooling: Pooling) -> tuple[int | None, ...]:
    """The number of first tokens of which each layer's states are needed, None for all.

    Of the last layer only those of the token that is pooled are, and in front of a window layer those within its reach.
    """
    if pooling is not Pooling.CLS:
        return (None,) * len(shape.is_global)
    found: list[int | None] = [1]
    for is_global in reversed(shape.is_global[1:]):
        after = found[0]
        found.insert(0, None if is_global or after is None or after > 2 * shape.reach else after + shape.reach)
    return tuple(found)


def _base(config: Mapping[str, Any], kind: str, former: str) -> float:
    """Read the rotary base of a kind of layer, under its present or its former name."""
    given = (config.get("rope_parameters") or {}).get(kind) or {}
    if given.get("rope_type", "default") != "default" or config.get("rope_scaling"):
        raise UnsupportedCheckpointError("Scaled rotary positions are not supported.")
    return float(given.get("rope_theta") or config[former])
