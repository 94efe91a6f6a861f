"""The BERT encoder (MiniLM, and the BERT variants of BGE, E5, GTE) as a fused graph: post-norm, absolute positions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.weights import Floats, Product, Weights
from searchkit.errors import UnsupportedCheckpointError


def check_bert(config: Mapping[str, Any]) -> None:
    """Raise UnsupportedCheckpointError for unsupported variants of BERT."""
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedCheckpointError("BERT with relative positions is not supported.")
    if config.get("hidden_act") != "gelu":
        raise UnsupportedCheckpointError(f"BERT with the activation {config.get('hidden_act')} is not supported.")
    if config.get("is_decoder"):
        raise UnsupportedCheckpointError("The checkpoint is a decoder, not an embedding model.")


class BertEncoder:
    """See Encoder."""

    def __init__(self, graph: GraphBuilder, weights: Weights, checkpoint: Checkpoint) -> None:
        check_bert(checkpoint.config)
        self._graph = graph
        self._weights = weights
        self._checkpoint = checkpoint
        self._prefix = checkpoint.prefix_of("embeddings.word_embeddings.weight")
        self._heads = int(checkpoint.config["num_attention_heads"])
        self._epsilon = float(checkpoint.config.get("layer_norm_eps", 1e-12))

    @property
    def layers(self) -> int:
        """See Encoder."""
        return int(self._checkpoint.config["num_hidden_layers"])

    def start(self) -> str:
        """See Encoder."""
        table = self._checkpoint.table(f"{self._prefix}embeddings.word_embeddings.weight")
        return self._add_and_norm(
            self._weights.lookup(INPUT_IDS, "words", table), self._positions(), "embeddings.LayerNorm"
        )

    def layer(self, states: str, index: int) -> str:
        """Add norm(x + attention(x)), then the same with the MLP."""
        at = f"encoder.layer.{index}."
        x = self._add_and_norm(self._attention(states, at), states, at + "attention.output.LayerNorm")
        inner = self._weights.products(
            x, at + "up", [Product(at + "up", self._tensor(at + "intermediate.dense.weight"))], even=True
        )
        bias = self._graph.constant(at + "up.bias", self._tensor(at + "intermediate.dense.bias"))
        active = self._graph.node("BiasGelu", [*inner, bias], domain=MICROSOFT)
        return self._add_and_norm(self._dense(active, at + "output.dense"), x, at + "output.LayerNorm")

    def end(self, states: str) -> str:
        """See Encoder."""
        return states

    def _positions(self) -> str:
        """Add position and segment vectors for the tokens of the input, (1, tokens, width)."""
        graph = self._graph
        table = (
            self._tensor("embeddings.position_embeddings.weight")
            + self._tensor("embeddings.token_type_embeddings.weight")[0]
        )
        count = graph.node(
            "Slice",
            [graph.node("Shape", [INPUT_IDS]), *(graph.constant(f"at_{i}", np.array([i], np.int64)) for i in (1, 2))],
        )
        start = graph.constant("at_0", np.array([0], np.int64))
        return graph.node(
            "Slice",
            [graph.constant("positions", table[None]), start, count, graph.constant("at_1", np.array([1], np.int64))],
        )

    def _attention(self, x: str, at: str) -> str:
        products = [self._product(f"{at}attention.self.{part}") for part in ("query", "key", "value")]
        qkv = self._weights.products(x, f"{at}qkv", products)
        attended = self._graph.node("MultiHeadAttention", qkv, domain=MICROSOFT, num_heads=self._heads)
        return self._dense(attended, at + "attention.output.dense")

    def _dense(self, x: str, name: str) -> str:
        return self._weights.products(x, name, [self._product(name)], even=True)[0]

    def _product(self, name: str) -> Product:
        return Product(name, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias"))

    def _add_and_norm(self, x: str, skip: str, name: str) -> str:
        graph = self._graph
        weights = [graph.constant(f"{name}.{part}", self._tensor(f"{name}.{part}")) for part in ("weight", "bias")]
        return graph.node("SkipLayerNormalization", [x, skip, *weights], domain=MICROSOFT, epsilon=self._epsilon)

    def _tensor(self, name: str) -> Floats:
        return self._checkpoint.tensor(self._prefix + name)
