"""The BERT encoder (MiniLM, BGE, E5, GTE in their BERT forms) as a fused graph: post-normalisation, absolute positions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.errors import UnsupportedCheckpointError


def check_bert(config: Mapping[str, Any]) -> None:
    """Raise UnsupportedCheckpointError for BERT variants with other parts."""
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedCheckpointError("BERT with relative positions is not supported.")
    if config.get("hidden_act") != "gelu":
        raise UnsupportedCheckpointError(f"BERT with the activation {config.get('hidden_act')} is not supported.")
    if config.get("is_decoder"):
        raise UnsupportedCheckpointError("The checkpoint is a decoder, not an embedding model.")


def write_bert(graph: GraphBuilder, checkpoint: Checkpoint) -> str:
    """Add the encoder; returns the name of its (batch, tokens, width) output. The input is called `token_ids`."""
    check_bert(checkpoint.config)
    return _BertWriter(graph, checkpoint).write()


class _BertWriter:
    def __init__(self, graph: GraphBuilder, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._checkpoint = checkpoint
        self._prefix = checkpoint.prefix_of("embeddings.word_embeddings.weight")
        self._heads = int(checkpoint.config["num_attention_heads"])
        self._width = int(checkpoint.config["hidden_size"])
        self._epsilon = float(checkpoint.config.get("layer_norm_eps", 1e-12))

    def write(self) -> str:
        graph = self._graph
        words = graph.lookup("token_ids", "words", self._tensor("embeddings.word_embeddings.weight"))
        x = self._add_and_norm(words, self._positions(), "embeddings.LayerNorm")
        for layer in range(int(self._checkpoint.config["num_hidden_layers"])):
            at = f"encoder.layer.{layer}."
            x = self._add_and_norm(self._attention(x, at), x, at + "attention.output.LayerNorm")
            inner = graph.linear(x, at + "up", self._tensor(at + "intermediate.dense.weight"))
            bias = graph.constant(at + "up.bias", self._tensor(at + "intermediate.dense.bias"))
            active = graph.node("BiasGelu", [inner, bias], domain=MICROSOFT)
            x = self._add_and_norm(self._dense(active, at + "output.dense"), x, at + "output.LayerNorm")
        return x

    def _positions(self) -> str:
        """Position and segment vectors of as many tokens as there are, (1, tokens, width)."""
        graph = self._graph
        table = (
            self._tensor("embeddings.position_embeddings.weight")
            + self._tensor("embeddings.token_type_embeddings.weight")[0]
        )
        count = graph.node(
            "Slice",
            [graph.node("Shape", ["token_ids"]), *(graph.constant(f"at_{i}", np.array([i], np.int64)) for i in (1, 2))],
        )
        start = graph.constant("at_0", np.array([0], np.int64))
        return graph.node(
            "Slice",
            [graph.constant("positions", table[None]), start, count, graph.constant("at_1", np.array([1], np.int64))],
        )

    def _attention(self, x: str, at: str) -> str:
        graph = self._graph
        parts = [f"{at}attention.self.{part}." for part in ("query", "key", "value")]
        weight = np.concatenate([self._tensor(part + "weight") for part in parts])
        bias = np.concatenate([self._tensor(part + "bias") for part in parts])
        sizes = graph.constant("qkv_sizes", np.array([self._width] * 3, np.int64))
        q, k, v = graph.node_with_outputs("Split", [graph.linear(x, at + "qkv", weight, bias), sizes], 3, axis=-1)
        attended = graph.node("MultiHeadAttention", [q, k, v], domain=MICROSOFT, num_heads=self._heads)
        return self._dense(attended, at + "attention.output.dense")

    def _dense(self, x: str, name: str) -> str:
        return self._graph.linear(x, name, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias"))

    def _add_and_norm(self, x: str, skip: str, name: str) -> str:
        graph = self._graph
        weights = [graph.constant(f"{name}.{part}", self._tensor(f"{name}.{part}")) for part in ("weight", "bias")]
        return graph.node("SkipLayerNormalization", [x, skip, *weights], domain=MICROSOFT, epsilon=self._epsilon)

    def _tensor(self, name: str) -> npt.NDArray[np.float32]:
        return self._checkpoint.tensor(self._prefix + name)
