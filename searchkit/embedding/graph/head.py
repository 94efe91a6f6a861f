"""What follows an encoder in the graph: pooling, the folded Dense heads, unit length."""

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import Head, Pooling
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.quantize import quantize_columns


def write_head(graph: GraphBuilder, states: str, head: Head, *, small: bool = False) -> str:
    """(batch, tokens, width) states to (batch, dimension) unit vectors.

    The head stays in float, since it is small, and last; `small`: its matrix is stored in 8 bits.
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
