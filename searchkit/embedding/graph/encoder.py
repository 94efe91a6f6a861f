"""The two parts of a model's graph: an encoder, written whole or a layer at a time, and the head behind it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import AttentionPool, Checkpoint, Head, Pooling
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.quantize import quantize_columns
from searchkit.embedding.graph.weights import Weights

INPUT_IDS = "token_ids"  # the graph's input, (batch, tokens) int64


class Encoder(Protocol):
    """Adds the nodes of an encoder to a graph. States are (batch, tokens, width) float32."""

    @property
    def layers(self) -> int:
        """The number of layers."""
        ...

    def start(self) -> str:
        """Add the states of the input `token_ids` before the first layer."""
        ...

    def layer(self, states: str, index: int) -> str:
        """Add a layer; returns the states after it."""
        ...

    def end(self, states: str) -> str:
        """Add the nodes after the last layer; returns the states to pool."""
        ...


EncoderFactory = Callable[[GraphBuilder, Weights, Checkpoint], Encoder]


def write_encoder(encoder: Encoder) -> str:
    """Write a whole encoder; returns the states to pool."""
    states = encoder.start()
    for index in range(encoder.layers):
        states = encoder.layer(states, index)
    return encoder.end(states)


def write_head(graph: GraphBuilder, states: str, head: Head, *, small: bool = False) -> str:
    """Add pooling and head: (batch, tokens, width) states to (batch, dimension) unit vectors.

    The head computes in floats, since it is small and comes last. `small`: store its matrix in 8 bits.
    """
    pooled = _pooled(graph, states, head)
    if head.projection is not None:
        pooled = graph.node("MatMul", [pooled, _projection(graph, head.projection.T, small=small)])
    if head.bias is not None:
        pooled = graph.node("Add", [pooled, graph.constant("projection_bias", head.bias)])
    return graph.node("LpNormalization", [pooled], axis=-1, p=2)


def _pooled(graph: GraphBuilder, states: str, head: Head) -> str:
    """Add pooling, (batch, width); the texts of a batch are equally long, so there is no padding to leave out."""
    if head.attention is not None:
        return _attention_pooled(graph, states, head.attention)
    if head.pooling is Pooling.MEAN:
        return graph.node("ReduceMean", [states, graph.integers(1)], keepdims=0)
    place = graph.constant("pooled_token", np.int64(-1 if head.pooling is Pooling.LAST else 0))
    return graph.node("Gather", [states, place], axis=1)


def _attention_pooled(graph: GraphBuilder, states: str, attention: AttentionPool) -> str:
    """Add the sum of the tokens' values, weighted in each head by the softmax of its scores over the tokens."""
    heads, width = attention.probes.shape
    scores = graph.node("MatMul", [states, graph.constant("pooling_probes", attention.probes.T)])
    shares = graph.node("Unsqueeze", [graph.node("Softmax", [scores], axis=1), graph.integers(3)])
    values = graph.node("MatMul", [states, graph.constant("pooling_values", attention.values.T)])
    by_head = graph.node("Reshape", [values, graph.integers(0, 0, heads, width // heads)])
    summed = graph.node("ReduceSum", [graph.node("Mul", [by_head, shares]), graph.integers(1)], keepdims=0)
    return graph.node("Reshape", [summed, graph.integers(0, width)])


def _projection(graph: GraphBuilder, matrix: npt.NDArray[np.float32], *, small: bool) -> str:
    if not small:
        return graph.constant("projection", matrix)
    return graph.widened("projection", *quantize_columns(matrix))
