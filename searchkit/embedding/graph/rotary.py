"""Rotary positions (Su et al. 2021, arXiv 2104.09864): tables of cosines and sines, stored in a few hundred rows."""

import numpy as np

from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder

_STEP = 64


class Rotary:
    """Turns queries and keys by their positions.

    The angles of a position are those of the next lower multiple of 64 plus those of the rest, so 64 rows and a 64th of
    the others are stored. `steps`: the number of multiples that a text needs, so that only its own rows are computed,
    at every run; "": those of all positions are, once, when ONNX Runtime loads the graph.
    """

    def __init__(self, graph: GraphBuilder, max_tokens: int, steps: str = "") -> None:
        self._graph = graph
        self._max_tokens = max_tokens
        self._steps = steps
        self._tables: dict[tuple[float, int], tuple[str, str]] = {}

    def turned(self, x: str, heads: int, size: int, base: float) -> str:
        """Add queries or keys (1, tokens, heads · size), turned; the first half of a head goes with the second."""
        cos, sin = self._tables_of(base, size)
        first = self._graph.integers(0)
        return self._graph.node("RotaryEmbedding", [x, first, cos, sin], domain=MICROSOFT, num_heads=heads)

    def _tables_of(self, base: float, size: int) -> tuple[str, str]:
        """Add the cosines and sines of the positions, (at least tokens, size / 2)."""
        if (base, size) in self._tables:
            return self._tables[base, size]
        graph = self._graph
        frequencies = base ** (-np.arange(0, size, 2) / size)
        far = np.arange(0, self._max_tokens, _STEP)[:, None, None] * frequencies
        near = np.arange(_STEP)[None, :, None] * frequencies
        names = ("far_cos", "far_sin", "near_cos", "near_sin")
        values = (np.cos(far), np.sin(far), np.cos(near), np.sin(near))
        far_cos, far_sin, near_cos, near_sin = (
            graph.constant(f"rotary_{base:g}_{size}_{name}", value.astype(np.float32))
            for name, value in zip(names, values, strict=True)
        )
        if self._steps:
            zero = graph.integers(0)
            far_cos, far_sin = (graph.node("Slice", [rows, zero, self._steps, zero]) for rows in (far_cos, far_sin))
        cos = graph.node("Sub", [graph.node("Mul", [far_cos, near_cos]), graph.node("Mul", [far_sin, near_sin])])
        sin = graph.node("Add", [graph.node("Mul", [far_sin, near_cos]), graph.node("Mul", [far_cos, near_sin])])
        rows = graph.integers(-1, size // 2)
        self._tables[base, size] = graph.node("Reshape", [cos, rows]), graph.node("Reshape", [sin, rows])
        return self._tables[base, size]


def steps_of(graph: GraphBuilder, tokens: str) -> str:
    """Add the number of multiples of 64 that positions below `tokens` (1,) reach, for Rotary."""
    return graph.node("Div", [graph.node("Add", [tokens, graph.integers(_STEP - 1)]), graph.integers(_STEP)])
