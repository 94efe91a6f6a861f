"""What the importer asks of every architecture: an encoder that is written whole, or a layer at a time."""

from collections.abc import Callable
from typing import Protocol

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.weights import Weights

INPUT_IDS = "token_ids"  # the graph's input, (batch, tokens) int64


class Encoder(Protocol):
    """Adds an encoder's nodes to a graph. States are (batch, tokens, width) float32."""

    @property
    def layers(self) -> int:
        """How many layers there are."""
        ...

    def start(self) -> str:
        """The states of the input `token_ids` before the first layer."""
        ...

    def layer(self, states: str, index: int) -> str:
        """The states after a layer."""
        ...

    def end(self, states: str) -> str:
        """The states that are pooled."""
        ...


EncoderFactory = Callable[[GraphBuilder, Weights, Checkpoint], Encoder]


def write_encoder(encoder: Encoder) -> str:
    """Write the whole of it; returns the states that are pooled."""
    states = encoder.start()
    for index in range(encoder.layers):
        states = encoder.layer(states, index)
    return encoder.end(states)
