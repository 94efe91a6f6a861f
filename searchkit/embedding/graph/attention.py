"""Attention among the tokens of one text: of all with all, or within a window.

Short texts are three plain products. Longer ones go through ONNX Runtime's own operator, which does not keep all scores at
once, or, within a window, through blocks of queries that see only the blocks of keys around them: work and memory then
grow with the text, not with its square.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.errors import UnsupportedCheckpointError

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


NEVER = np.float32(-1e30)  # finite, so that a row of them does not become NaN
_LARGE_REACH = 128  # beyond, two blocks to each side: fewer keys in vain


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of a layer. Each of the `keys` heads of keys and values serves several of the `queries`; scores times `scale`."""

    queries: int
    keys: int
    size: int
    scale: float

    @property
    def shared(self) -> int:
        """The number of query heads that a head of keys and values serves."""
        return self.queries // self.keys


@dataclass(frozen=True, slots=True)
class _Blocks:
    """A text in blocks. `tokens`: its length.

    `places`: the positions that a block's queries may see, (blocks, width), some of them outside the text; `queries`, (blocks,
    block), and `keys`, like `places`: tokens to take, the first or last one for those outside.
    """

    tokens: str
    places: str
    queries: str
    keys: str


class Attention:
    """Adds attention over queries (1, tokens, heads · size), keys and values. `reach`: the distance that a window layer sees."""

    def __init__(self, graph: GraphBuilder, reach: int) -> None:
        self._graph = graph
        self._reach = reach
        self._around = 1 if reach <= _LARGE_REACH else 2  # blocks of keys to each side
        self._block = -(-reach // self._around)
        self._width = (2 * self._around + 1) * self._block
        self._first_biases: dict[int, str] = {}

    @cached_property
    def token_count(self) -> str:
        """The number of tokens of the text, a scalar."""
        one = self._graph.constant("one", np.int64(1))
        return self._graph.node("Gather", [self._graph.node("Shape", [INPUT_IDS]), one])

    @cached_property
    def is_long(self) -> str:
        """The condition that a token may be farther from another than a window layer sees."""
        limit = self._graph.constant("unmasked_tokens", np.int64(self._reach + 1))
        return self._graph.node("Greater", [self.token_count, limit])

    def everywhere(self, q: str, k: str, v: str, heads: Heads) -> str:
        """Add attention of every token to every token."""
        if heads.shared == 1:
            return self.far(q, k, v, heads)
        return self._graph.either(self.is_long, lambda: self.far(q, k, v, heads), lambda: self.near(q, k, v, heads))

    def within(self, q: str, k: str, v: str, heads: Heads) -> str:
        """Add attention of every token to those at most `reach` away."""
        blocks, bias = self._blocks, self._bias
        return self._graph.either(
            self.is_long,
            lambda: self._in_blocks(q, k, v, heads, blocks, bias),
            lambda: self.near(q, k, v, heads),
        )

    def first(self, x: str, count: int | None) -> str:
        """Add the first tokens of (1, tokens, width), as many as there are up to `count`; None for all."""
        if count is None:
            return x
        return self._graph.node(
            "Slice", [x, self._graph.integers(0), self._graph.integers(count), self._graph.integers(1)]
        )

    def first_within(self, q: str, k: str, v: str, heads: Heads, count: int) -> str:
        """Add attention of the first `count` tokens, of which `q` is, to those at most `reach` away."""
        k, v = (self.first(x, count + self._reach) for x in (k, v))
        if count == 1:
            return self.far(q, k, v, heads)
        graph = self._graph
        if count not in self._first_biases:
            distance = np.abs(np.arange(count)[:, None] - np.arange(count + self._reach))
            bias = np.where(distance > self._reach, NEVER, np.float32(0)).astype(np.float32)
            whole = graph.constant(f"bias_of_first_{count}", bias[None, None])
            ends = [graph.node("Slice", [graph.node("Shape", [x]), *map(graph.integers, (1, 2, 0))]) for x in (q, k)]
            both = graph.node("Concat", ends, axis=0)
            self._first_biases[count] = graph.node("Slice", [whole, graph.integers(0, 0), both, graph.integers(2, 3)])
        return self.far(q, k, v, heads, self._first_biases[count])

    def far(self, q: str, k: str, v: str, heads: Heads, bias: str = "") -> str:
        """Add attention for a text of any length; `bias` is added to the scores."""
        inputs = [q, self._repeated(k, heads), self._repeated(v, heads), *(["", "", bias] if bias else [])]
        return self._graph.node(
            "MultiHeadAttention", inputs, domain=MICROSOFT, num_heads=heads.queries, scale=heads.scale
        )

    def near(self, q: str, k: str, v: str, heads: Heads) -> str:
        """Add attention for a text in which every token sees every other.

        One head of keys and values serves several heads of queries. These are treated as additional tokens, so that each step
        is a single product and nothing is repeated.
        """
        graph = self._graph
        if heads.shared == 1:
            return self.far(q, k, v, heads)
        if heads.keys == 1:
            by_head = graph.node("Reshape", [q, graph.integers(0, -1, heads.size)])
            turned = graph.node("Transpose", [k], perm=[0, 2, 1])
        else:
            by_head = graph.node(
                "Reshape", [self._heads_first(q, heads.queries, heads.size), graph.integers(heads.keys, -1, heads.size)]
            )
            turned = self._heads_first(k, heads.keys, heads.size, perm=[1, 2, 0])
            v = self._heads_first(v, heads.keys, heads.size)
        scores = graph.node("FusedMatMul", [by_head, turned], domain=MICROSOFT, alpha=heads.scale)
        attended = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), v])
        if heads.keys == 1:
            return graph.node("Reshape", [attended, graph.integers(0, -1, heads.queries * heads.size)])
        return self._tokens_first(
            graph.node("Reshape", [attended, graph.integers(heads.queries, -1, heads.size)]), heads
        )

    def _in_blocks(self, q: str, k: str, v: str, heads: Heads, blocks: _Blocks, bias: str) -> str:
        """Add attention in which a block of queries sees the blocks of keys around it, and `bias` hides what is too far."""
        graph, size, block, width = self._graph, heads.size, self._block, self._width
        q = graph.node("Gather", [self._heads_first(q, heads.queries, size), blocks.queries], axis=1)
        k, v = (graph.node("Gather", [self._heads_first(x, heads.keys, size), blocks.keys], axis=1) for x in (k, v))
        if heads.shared > 1:
            apart = graph.node("Reshape", [q, graph.integers(heads.keys, heads.shared, -1, block, size)])
            q = graph.node("Transpose", [apart], perm=[0, 2, 1, 3, 4])
        q = graph.node("Reshape", [q, graph.integers(heads.keys, -1, heads.shared * block, size)])
        scores = graph.node("FusedMatMul", [q, k], domain=MICROSOFT, alpha=heads.scale, transB=1)
        by_head = graph.node("Reshape", [scores, graph.integers(heads.keys, -1, heads.shared, block, width)])
        shares = graph.node("Softmax", [graph.node("Add", [by_head, bias])], axis=-1)
        flat = graph.node("Reshape", [shares, graph.integers(heads.keys, -1, heads.shared * block, width)])
        attended = graph.node("MatMul", [flat, v])
        if heads.shared > 1:
            apart = graph.node("Reshape", [attended, graph.integers(heads.keys, -1, heads.shared, block, size)])
            attended = graph.node("Transpose", [apart], perm=[0, 2, 1, 3, 4])
        whole = graph.node("Reshape", [attended, graph.integers(heads.queries, -1, size)])
        cut = graph.node("Slice", [whole, graph.integers(0), blocks.tokens, graph.integers(1)])
        return self._tokens_first(cut, heads)

    @cached_property
    def _blocks(self) -> _Blocks:
        graph, one = self._graph, self._graph.constant("one", np.int64(1))
        last = graph.node("Sub", [self.token_count, one])
        block, zero = graph.constant("block", np.int64(self._block)), graph.constant("zero", np.int64(0))
        count = graph.node("Add", [graph.node("Div", [last, block]), one])
        starts = graph.node("Mul", [graph.node("Range", [zero, count, one]), block])
        starts = graph.node("Reshape", [starts, graph.integers(-1, 1)])
        edge = self._around * self._block
        around = graph.constant("places_of_keys", np.arange(-edge, self._width - edge))
        inside = graph.constant("places_of_queries", np.arange(self._block))
        places = graph.node("Add", [starts, around])
        return _Blocks(
            tokens=graph.node("Reshape", [self.token_count, graph.integers(1)]),
            places=places,
            queries=graph.node("Min", [graph.node("Add", [starts, inside]), last]),
            keys=graph.node("Clip", [places, zero, last]),
        )

    @cached_property
    def _bias(self) -> str:
        """What is added to scores in blocks, (blocks, 1, block, width); empty if no text is long enough to need it."""
        blocks, nothing = self._blocks, self._graph.constant("no_bias", np.zeros((1, 1, 0, 0), np.float32))
        return self._graph.either(
            self.is_long, lambda: self._write_bias(blocks), lambda: self._graph.node("Identity", [nothing])
        )

    def _write_bias(self, blocks: _Blocks) -> str:
        """Add -1e30 where a key is too far from the query, before the text or behind it."""
        graph, edge = self._graph, self._around * self._block
        rows = np.arange(self._block)[:, None]
        too_far = np.abs(rows - np.arange(-edge, self._width - edge)) > self._reach
        places = graph.node("Unsqueeze", [blocks.places, graph.integers(1, 2)])
        zero = graph.constant("zero", np.int64(0))
        outside = graph.node(
            "Or", [graph.node("Less", [places, zero]), graph.node("GreaterOrEqual", [places, self.token_count])]
        )
        hidden = graph.node("Or", [outside, graph.constant("too_far", too_far)])
        return graph.node("Where", [hidden, graph.constant("never", NEVER), graph.constant("zero_bias", np.float32(0))])

    def _repeated(self, x: str, heads: Heads) -> str:
        """Repeat keys or values for each query head that shares them."""
        graph = self._graph
        if heads.shared == 1:
            return x
        if heads.keys == 1:
            return graph.node("Tile", [x, graph.integers(1, 1, heads.shared)])
        apart = graph.node("Reshape", [x, graph.integers(0, 0, heads.keys, 1, heads.size)])
        tiled = graph.node("Tile", [apart, graph.integers(1, 1, 1, heads.shared, 1)])
        return graph.node("Reshape", [tiled, graph.integers(0, 0, -1)])

    def _heads_first(self, x: str, heads: int, size: int, perm: Sequence[int] = (1, 0, 2)) -> str:
        """Add (1, tokens, heads · size) as (heads, tokens, size)."""
        apart = self._graph.node("Reshape", [x, self._graph.integers(-1, heads, size)])
        return self._graph.node("Transpose", [apart], perm=list(perm))

    def _tokens_first(self, x: str, heads: Heads) -> str:
        """Add (heads, tokens, size) as (1, tokens, heads · size)."""
        apart = self._graph.node("Transpose", [x], perm=[1, 0, 2])
        return self._graph.node("Reshape", [apart, self._graph.integers(1, -1, heads.queries * heads.size)])


def window_reach(reach: int) -> int:
    """Check how far a window layer sees, in tokens to each side. Raises UnsupportedCheckpointError if it sees nothing."""
    if reach < 1:
        raise UnsupportedCheckpointError(f"A window of {reach} tokens to each side is not supported.")
    return reach
