"""The two parts of a model's graph: an encoder, written whole or a layer at a time, and the head behind it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import Checkpoint, Head, Pooling
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
    if head.pooling is Pooling.MEAN:
        pooled = graph.node("ReduceMean", [states, graph.constant("token_axis", np.array([1], np.int64))], keepdims=0)
    else:
        pooled = graph.node("Gather", [states, graph.constant("first_token", np.int64(0))], axis=1)
    if head.projection is not None:
        pooled = graph.node("MatMul", [pooled, _projection(graph, head.projection.T, small=small)])
    if head.bias is not None:
        pooled = graph.node("Add", [pooled, graph.constant("projection_bias", head.bias)])
    return graph.node("LpNormalization", [pooled], axis=-1, p=2)


def _projection(graph: GraphBuilder, matrix: npt.NDArray[np.float32], *, small: bool) -> str:
    if not small:
        return graph.constant("projection", matrix)
    return graph.widened("projection", *quantize_columns(matrix))
