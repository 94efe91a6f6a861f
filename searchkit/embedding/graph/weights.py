"""Adds a model's weights to a graph in the chosen quantization: the products of its layers, and its token table."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchkit.embedding.graph.builder import MICROSOFT, GraphBuilder
from searchkit.embedding.graph.onnx_format import ElementType
from searchkit.embedding.graph.quantize import (
    BLOCK,
    Blocks,
    Bytes,
    Codebook,
    quantize_blocks,
    quantize_bytes,
    quantize_columns,
    quantize_rows,
    smoothing_scale,
)
from searchkit.embedding.graph.trained_form import TrainedForm
from searchkit.embedding.model_info import Quantization

Floats = npt.NDArray[np.float32]
_ROWS_AT_A_TIME = 16384
_NO_SIZE = np.float32(1e-20)  # divisor for a token of zeros
_SAMPLE_ROWS = 4096  # rows of a table that a codebook is fitted to


@dataclass(frozen=True, slots=True)
class Product:
    """A product x·weightᵀ + bias, with a weight of shape (out, in)."""

    name: str
    weight: Floats
    bias: Floats | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a group of products on a sample: largest magnitudes (in,) and Gram matrix (in, in)."""

    largest: Floats
    gram: Floats


class Table(Protocol):
    """A matrix that may be too large for memory."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and the width."""
        ...

    def rows(self, wanted: slice | npt.NDArray[np.int64]) -> Floats:
        """Read some rows: a slice, or those with the given numbers."""
        ...


class Weights:
    """Adds the products and lookups of one graph.

    `observed`: the inputs of each group of products, by the group's name; without them weights are rounded without
    correction. `tokens`: for calibration, the only ids, sorted, that the graph receives, as positions in this list. `floats`:
    the groups whose products stay in floats. `trained`: the form that the weights were trained for, whose choices are taken
    instead of what was observed; in floats they are the numbers that weights are rounded to.

    `noise`: of each observed group in 8 bits, the error by rounding its input relative to its output, up to a common factor.
    `smoothed_by`: the scales of each group whose input is smoothed.
    """

    def __init__(
        self,
        graph: GraphBuilder,
        quantization: Quantization,
        *,
        observed: Mapping[str, Inputs] | None = None,
        tokens: npt.NDArray[np.int64] | None = None,
        floats: Collection[str] = (),
        trained: TrainedForm | None = None,
    ) -> None:
        self.quantization = quantization
        self.inputs_by_group: dict[str, str] = {}
        self.noise: dict[str, float] = {}
        self.smoothed_by: dict[str, Floats] = {}
        self._floats = frozenset(floats)
        self._trained = trained
        self._graph = graph
        self._observed = observed or {}
        self._tokens = tokens
        self._even: dict[str, tuple[str, str]] = {}
        self._quantized: dict[str, list[str]] = {}

    def smoothing(self, group: str, weight: Floats) -> Floats:
        """Compute (in,) scales: the caller divides the group's input by them and multiplies `weight` (out, in)."""
        observed, nothing = self._observed.get(group), np.ones(weight.shape[1], np.float32)
        if self._trained is not None:
            return self._trained.smoothing.get(group, nothing)
        if observed is None or not self.quantization.has_one_scale or group in self._floats:
            return nothing
        self.smoothed_by[group] = smoothing_scale(observed.largest, weight)
        return self.smoothed_by[group]

    def smoothed(self, x: str, product: Product) -> tuple[str, Product]:
        """Smooth the input of a product into which nothing before it can fold the scales; the product is its own group."""
        scale = self.smoothing(product.name, product.weight)
        if (scale == 1).all():
            return x, product
        factor = self._graph.constant(f"{product.name}.smoothing", 1 / scale)
        return self._graph.node("Mul", [x, factor]), Product(product.name, product.weight * scale, product.bias)

    def products(self, x: str, group: str, products: Sequence[Product], *, even: bool = False) -> list[str]:
        """Add several products of one input, which is quantized once, also if it is that of several calls.

        `even`: the magnitudes of the input's tokens differ widely. One scale quantizes all tokens, and large ones would leave
        small ones only a few steps; so each token is divided by its largest magnitude, and its products are multiplied by it.
        """
        size = ""
        kind = Quantization.FP32 if group in self._floats else self.quantization
        if kind is Quantization.FP32 and self._trained is not None and group not in self._trained.floats:
            products = [replace(product, weight=self._trained.rounded(product.weight)) for product in products]
        if even and (kind.has_one_scale or self._tokens is not None):
            x, size = self._evened(x)
        self.inputs_by_group[group] = x
        if kind is Quantization.INT4:
            found = self._int4_products(x, group, products)
        elif kind is Quantization.FP32:
            found = [self._float_product(x, product) for product in products]
        elif kind is Quantization.WEIGHTS8:
            found = [self._block_product(x, product) for product in products]
        else:
            self._note_noise(group, products)
            if x not in self._quantized:
                self._quantized[x] = self._graph.node_with_outputs("DynamicQuantizeLinear", [x], 3)
            found = [self._int8_product(self._quantized[x], product) for product in products]
        return [self._finished(y, size, product) for y, product in zip(found, products, strict=True)]

    def lookup(self, ids: str, name: str, table: Table, factor: float = 1.0) -> str:
        """Look up rows of a table, times a factor; only these rows are converted to floats."""
        if self.quantization is Quantization.FP32:
            return self._float_rows(ids, name, table, factor)
        return (self._int4_rows if self.quantization.has_small_table else self._int8_rows)(ids, name, table, factor)

    def _evened(self, x: str) -> tuple[str, str]:
        """Scale tokens to a largest magnitude of 1; returns them and their divisors, (batch, tokens, 1)."""
        if x in self._even:
            return self._even[x]
        graph = self._graph
        channels = graph.constant("channel_axis", np.array([-1], np.int64))
        highest, lowest = (graph.node(f"Reduce{kind}", [x, channels]) for kind in ("Max", "Min"))
        size = graph.node("Max", [highest, graph.node("Neg", [lowest]), graph.constant("no_size", _NO_SIZE)])
        self._even[x] = graph.node("Div", [x, size]), size
        return self._even[x]

    def _finished(self, y: str, size: str, product: Product) -> str:
        if size:
            y = self._graph.node("Mul", [y, size])
        if product.bias is None:
            return y
        return self._graph.node("Add", [y, self._graph.constant(f"{product.name}.bias", product.bias)])

    def _float_product(self, x: str, product: Product) -> str:
        return self._graph.node("MatMul", [x, self._graph.constant(product.name, product.weight.T)])

    def _int8_product(self, quantized: Sequence[str], product: Product) -> str:
        graph, name = self._graph, product.name
        x, scale, zero_point = quantized
        codes, scales = quantize_columns(product.weight.T)
        weight, steps = graph.constant(f"{name}.codes", codes), graph.constant(f"{name}.scales", scales)
        return graph.node("MatMulIntegerToFloat", [x, weight, scale, steps, zero_point], domain=MICROSOFT)

    def _note_noise(self, group: str, products: Sequence[Product]) -> None:
        """Estimate a group's noise: one step for its whole input, times its weights, by its output if channels are independent."""
        if (observed := self._observed.get(group)) is None:
            return
        weights = np.sum([(product.weight**2).sum(axis=0) for product in products], axis=0)
        scale = self.smoothed_by.get(group, np.float32(1))
        output = float((np.diag(observed.gram) / scale**2) @ weights)
        self.noise[group] = float(((observed.largest / scale).max() ** 2) * weights.sum()) / max(output, 1e-30)

    def _block_product(self, x: str, product: Product) -> str:
        """Add a product with weights in 8 bits, a scale for each block; its input gets a scale for each block too."""
        codes, scales = quantize_bytes(product.weight)
        return self._blocks(x, product, codes, self._graph.constant(f"{product.name}.scales", scales), bits=8)

    def _int4_products(self, x: str, group: str, products: Sequence[Product]) -> list[str]:
        """Add products whose weights are quantized together, since their inputs, and so GPTQ's Gram matrix, are the same."""
        observed = self._observed.get(group)
        stacked = np.concatenate([product.weight for product in products])
        gram = observed.gram if observed is not None and self._trained is None else None
        blocks = quantize_blocks(stacked, gram)
        found, start = [], 0
        for product in products:
            rows = slice(start, start + len(product.weight))
            found.append(self._int4_product(x, product, blocks.of_rows(rows)))
            start = rows.stop
        return found

    def _int4_product(self, x: str, product: Product, blocks: Blocks) -> str:
        graph = self._graph
        scales = graph.widened(f"{product.name}.scales", blocks.scales, blocks.steps[:, None])
        flat = graph.node("Reshape", [scales, graph.constant("all_in_one", np.array([-1], np.int64))])
        return self._blocks(x, product, blocks.codes, flat, bits=4)

    def _blocks(self, x: str, product: Product, codes: Bytes, scales: str, *, bits: int) -> str:
        """Add a product with blocks of weights in `bits`; its input is quantized to 8 bits by the operator."""
        outputs, inputs = product.weight.shape
        return self._graph.node(
            "MatMulNBits",
            [x, self._graph.constant(f"{product.name}.codes", codes), scales],
            domain=MICROSOFT,
            K=inputs,
            N=outputs,
            bits=bits,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def _float_rows(self, ids: str, name: str, table: Table, factor: float) -> str:
        graph = self._graph
        count = len(self._tokens) if self._tokens is not None else table.shape[0]
        pieces = (rows * np.float32(factor) for rows in self._pieces_as_trained(table))
        return graph.node("Gather", [graph.constant_in_pieces(name, (count, table.shape[1]), np.float32, pieces), ids])

    def _int8_rows(self, ids: str, name: str, table: Table, factor: float) -> str:
        graph = self._graph
        scales: list[Floats] = []

        def codes() -> Iterator[npt.NDArray[np.int8]]:
            for rows in self._pieces(table):
                piece, piece_scales = quantize_rows(rows)
                scales.append(piece_scales)
                yield piece

        stored = graph.constant_in_pieces(f"{name}.codes", table.shape, np.int8, codes())
        values = graph.node("Cast", [graph.node("Gather", [stored, ids])], to=ElementType.FLOAT32)
        row_scales = graph.constant(f"{name}.scales", np.concatenate(scales) * np.float32(factor))
        return graph.node("Mul", [values, graph.node("Gather", [row_scales, ids])])

    def _int4_rows(self, ids: str, name: str, table: Table, factor: float) -> str:
        graph, (count, width) = self._graph, table.shape
        codebook = fitted_codebook(table)
        scales: list[npt.NDArray[np.float16]] = []

        def codes() -> Iterator[npt.NDArray[np.uint8]]:
            for rows in self._pieces(table):
                piece, piece_scales = codebook.encode(rows)
                scales.append(piece_scales)
                yield piece

        stored = graph.constant_in_pieces(f"{name}.codes", (count, width // 2), np.uint8, codes())
        bytes_ = graph.node("Cast", [graph.node("Gather", [stored, ids])], to=ElementType.INT32)
        pairs = graph.node("Gather", [graph.constant(f"{name}.levels", codebook.pairs), bytes_])
        values = graph.node("Reshape", [pairs, graph.constant(f"{name}.shape", np.array([0, 0, width], np.int64))])
        row_scales = graph.node("Gather", [graph.constant(f"{name}.scales", np.concatenate(scales)), ids])
        by_row = graph.node("Mul", [values, graph.node("Cast", [row_scales], to=ElementType.FLOAT32)])
        return graph.node("Mul", [by_row, graph.constant(f"{name}.channels", codebook.channels * np.float32(factor))])

    def _pieces_as_trained(self, table: Table) -> Iterator[Floats]:
        if self._trained is None:
            return self._pieces(table)
        rounded = rows_rounder(table, self._trained.quantization)
        return (rounded(rows) for rows in self._pieces(table))

    def _pieces(self, table: Table) -> Iterator[Floats]:
        if self._tokens is not None:
            yield table.rows(self._tokens)
            return
        for start in range(0, table.shape[0], _ROWS_AT_A_TIME):
            yield table.rows(slice(start, min(start + _ROWS_AT_A_TIME, table.shape[0])))


def fitted_codebook(table: Table) -> Codebook:
    """Fit the codebook of a table to rows from all over it."""
    count = table.shape[0]
    return Codebook.fitted(table.rows(np.linspace(0, count - 1, min(_SAMPLE_ROWS, count)).astype(np.int64)))


def rows_rounder(table: Table, quantization: Quantization) -> Callable[[Floats], Floats]:
    """Make the function that rounds rows of a table to what a lookup in a quantized graph gives."""
    if quantization.has_small_table:
        codebook = fitted_codebook(table)
        return lambda rows: codebook.decode(*codebook.encode(rows))
    return _rows_in_bytes


def _rows_in_bytes(rows: Floats) -> Floats:
    codes, scales = quantize_rows(rows)
    return codes * scales
