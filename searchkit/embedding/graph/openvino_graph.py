"""A graph that was written for ONNX Runtime, made anew of OpenVINO's own operators, with the same weights.

Products in 8 bits stay in 8 bits: OpenVINO's kernels need a range for their input that is known beforehand, and so each token
is divided by its largest magnitude, which ONNX Runtime's graph does only where tokens differ widely. Attention is that of
OpenVINO's fused kernel. Needs the package openvino, of the extra of that name.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.graph.onnx_format import ElementType
from searchkit.embedding.graph.onnx_reader import Node, Nodes
from searchkit.errors import UnsupportedCheckpointError

Tensors = dict[str, npt.NDArray[Any]]
_LEVELS = 256
_NO_SIZE = np.float32(1e-20)  # divisor for a token of zeros
_EPSILON = 1e-24


def translated(graph: Nodes, *, is_long: bool, in_bytes: bool) -> Any:
    """Make the graph anew of OpenVINO's operators: a model from (1, tokens) int64 ids to the (1, dimension) unit vector.

    `is_long`: which branch of its conditionals is taken, all of which ask whether a text is longer than a window. `in_bytes`:
    round the inputs of products with weights in 8 bits to 8 bits too; otherwise these weights are widened.

    Raises UnsupportedCheckpointError for a graph with an operator that OpenVINO lacks, such as products in 4 bits.
    """
    import openvino

    translation = _Translation(is_long=is_long, in_bytes=in_bytes)
    translation.add(graph)
    return openvino.Model([translation.values[graph.outputs[0]]], [translation.values[INPUT_IDS]], "encoder")


class _Translation:
    """The values of a graph by name, as nodes of OpenVINO."""

    def __init__(self, *, is_long: bool, in_bytes: bool) -> None:
        from openvino import opset15

        self.ops: Any = opset15
        self.values: dict[str, Any] = {INPUT_IDS: opset15.parameter([1, -1], np.int64, name=INPUT_IDS)}
        self._is_long = is_long
        self._in_bytes = in_bytes
        self._tensors: Tensors = {}
        self._turns: dict[tuple[str, str], Any] = {}  # rows of a rotary table, as many as a value has tokens
        self._sizes: dict[str, Any] = {}  # what the tokens of a quantized value were divided by, None if by nothing
        self._made_by: dict[str, Node] = {}

    def add(self, graph: Nodes) -> None:
        """Add the nodes of a graph or branch."""
        self._tensors |= graph.tensors
        for node in graph.nodes:
            if node.operator == "If":
                branch = node.attributes["then_branch" if self._is_long else "else_branch"]
                self.add(branch)
                self.values[node.outputs[0]] = self.values[branch.outputs[0]]
                continue
            make = getattr(self, f"_add_{node.operator}", None) or self._simple(node)
            self.values[node.outputs[0]] = make(node)
            self._made_by[node.outputs[0]] = node

    def _of(self, name: str) -> Any:
        """A value, which for a tensor is made when it is first used."""
        if name not in self.values:
            tensor = self._tensors[name]
            is_mapped = tensor.flags.writeable  # OpenVINO shares only what it could write to
            self.values[name] = self.ops.constant(tensor, shared_memory=is_mapped)
        return self.values[name]

    def _inputs(self, node: Node) -> list[Any]:
        return [self._of(name) for name in node.inputs]

    def _const(self, value: Any, kind: npt.DTypeLike = np.float32) -> Any:
        return self.ops.constant(np.array(value, kind))

    def _ints(self, *values: int) -> Any:
        return self._const(values, np.int64)

    def _simple(self, node: Node) -> Callable[[Node], Any]:
        """An operator that OpenVINO has under another name."""
        name = _NAMES.get(node.operator)
        if name is None:
            raise UnsupportedCheckpointError(
                f"The operator {node.operator} of its graph is not translated to OpenVINO."
            )
        return lambda node: _chained(getattr(self.ops, name), self._inputs(node))

    def _add_Identity(self, node: Node) -> Any:
        return self._of(node.inputs[0])

    def _add_Reshape(self, node: Node) -> Any:
        return self.ops.reshape(*self._inputs(node), True)

    def _add_Gather(self, node: Node) -> Any:
        return self.ops.gather(*self._inputs(node), self._const(node.attributes.get("axis", 0), np.int64))

    def _add_Cast(self, node: Node) -> Any:
        kind = ElementType(node.attributes["to"]).name.lower()
        return self.ops.convert(self._of(node.inputs[0]), {"float32": "f32", "int32": "i32", "int64": "i64"}[kind])

    def _add_Transpose(self, node: Node) -> Any:
        return self.ops.transpose(self._of(node.inputs[0]), self._ints(*node.attributes["perm"]))

    def _add_Softmax(self, node: Node) -> Any:
        return self.ops.softmax(self._of(node.inputs[0]), node.attributes["axis"])

    def _add_Gelu(self, node: Node) -> Any:
        return self.ops.gelu(
            self._of(node.inputs[0]), "tanh" if node.attributes.get("approximate") == "tanh" else "erf"
        )

    def _add_BiasGelu(self, node: Node) -> Any:
        return self.ops.gelu(self.ops.add(*self._inputs(node)), "erf")

    def _add_QuickGelu(self, node: Node) -> Any:
        x = self._of(node.inputs[0])
        return self.ops.multiply(x, self.ops.sigmoid(self.ops.multiply(x, self._const(node.attributes["alpha"]))))

    def _add_Concat(self, node: Node) -> Any:
        return self.ops.concat(self._inputs(node), node.attributes["axis"])

    def _add_Shape(self, node: Node) -> Any:
        return self.ops.shape_of(self._of(node.inputs[0]), "i64")

    def _add_Range(self, node: Node) -> Any:
        return self.ops.range(*self._inputs(node), "i64")

    def _add_Clip(self, node: Node) -> Any:
        x, low, high = self._inputs(node)
        return self.ops.minimum(self.ops.maximum(x, low), high)

    def _add_Slice(self, node: Node) -> Any:
        x, start, stop, *axes = self._inputs(node)
        ones = self.ops.broadcast(self._const(1, np.int64), self.ops.shape_of(start))
        return self.ops.slice(x, start, stop, ones, *axes)  # without axes: the first ones

    def _add_reduced(self, node: Node) -> Any:
        reduce = getattr(self.ops, f"reduce_{node.operator.removeprefix('Reduce').lower()}")
        return reduce(*self._inputs(node), bool(node.attributes.get("keepdims", 1)))

    _add_ReduceMax = _add_ReduceMin = _add_ReduceSum = _add_ReduceMean = _add_reduced

    def _add_LpNormalization(self, node: Node) -> Any:
        return self.ops.normalize_l2(self._of(node.inputs[0]), self._ints(1), _EPSILON, "max")

    def _add_FusedMatMul(self, node: Node) -> Any:
        a, b = self._inputs(node)
        product = self.ops.matmul(a, b, False, bool(node.attributes.get("transB", 0)))
        return self.ops.multiply(product, self._const(node.attributes["alpha"]))

    def _add_MatMul(self, node: Node) -> Any:
        return self.ops.matmul(*self._inputs(node), False, False)

    def _add_SimplifiedLayerNormalization(self, node: Node) -> Any:
        x, weight = self._inputs(node)
        ops = self.ops
        squares = ops.reduce_mean(ops.power(x, self._const(2)), self._ints(-1), True)
        root = ops.sqrt(ops.add(squares, self._const(node.attributes["epsilon"])))
        return ops.multiply(ops.multiply(x, ops.power(root, self._const(-1))), weight)  # the form of its fused kernel

    def _add_LayerNormalization(self, node: Node) -> Any:
        x, weight, *bias = self._inputs(node)
        ops = self.ops
        normed = ops.multiply(ops.mvn(x, self._ints(-1), True, node.attributes["epsilon"], "inside_sqrt"), weight)
        return ops.add(normed, bias[0]) if bias else normed

    def _add_SkipLayerNormalization(self, node: Node) -> Any:
        x, skipped, weight, beta, *bias = self._inputs(node)
        ops = self.ops
        both = ops.add(x, skipped)
        if bias:
            both = ops.add(both, bias[0])
        normed = ops.mvn(both, self._ints(-1), True, node.attributes["epsilon"], "inside_sqrt")
        return ops.add(ops.multiply(normed, weight), beta)

    def _add_RotaryEmbedding(self, node: Node) -> Any:
        x, _, cos, sin = node.inputs
        heads, ops = node.attributes["num_heads"], self.ops
        half = int(self._of(cos).get_output_partial_shape(0)[1].get_length())
        by_head = ops.reshape(self._of(x), self._ints(0, 0, heads, 2 * half), True)
        axis, halves = self._const(3, np.int64), self._ints(half, half)
        first, second = ops.variadic_split(by_head, axis, halves).outputs()
        turned = ops.concat([ops.multiply(second, self._const(-1)), first], 3)
        there, across = (ops.multiply(y, self._rows_of(z, x)) for y, z in ((by_head, cos), (turned, sin)))
        return ops.reshape(ops.add(there, across), self._ints(0, 0, -1), True)

    def _rows_of(self, table: str, x: str) -> Any:
        """The rows of a table of cosines or sines for each token of x, (1, tokens, 1, both halves)."""
        if (table, x) not in self._turns:
            ops = self.ops
            tokens = ops.gather(ops.shape_of(self._of(x), "i64"), self._ints(1), self._const(0, np.int64))
            rows = ops.slice(self._of(table), self._ints(0), tokens, self._ints(1), self._ints(0))
            self._turns[table, x] = ops.unsqueeze(ops.concat([rows, rows], 1), self._ints(0, 2))
        return self._turns[table, x]

    def _add_MultiHeadAttention(self, node: Node) -> Any:
        names, ops = node.inputs, self.ops
        heads = node.attributes["num_heads"]
        width = int(self._of(names[0]).get_output_partial_shape(0)[2].get_length())
        scale = self._const(node.attributes.get("scale", (width / heads) ** -0.5))

        def by_head(name: str) -> Any:
            apart = ops.reshape(self._of(name), self._ints(0, 0, heads, -1), True)
            return ops.transpose(apart, self._ints(0, 2, 1, 3))

        q, k, v = (by_head(name) for name in names[:3])
        scores = ops.multiply(ops.matmul(q, k, False, True), scale)
        if len(names) > 3:
            scores = ops.add(scores, self._of(names[5]))
        attended = ops.matmul(ops.softmax(scores, -1), v, False, False)
        return ops.reshape(ops.transpose(attended, self._ints(0, 2, 1, 3)), self._ints(0, 0, -1), True)

    def _add_DynamicQuantizeLinear(self, node: Node) -> Any:
        """Round each token to 8 bits by its own largest magnitude; what it was divided by is multiplied into the products."""
        ops, name = self.ops, node.inputs[0]
        x = self._of(name)
        if not self._in_bytes:
            self._sizes[node.outputs[0]] = None
            return x
        if self._is_even(name):
            self._sizes[node.outputs[0]] = None
        else:
            size = ops.maximum(ops.reduce_max(ops.abs(x), self._ints(-1), True), self._const(_NO_SIZE))
            self._sizes[node.outputs[0]] = size
            x = ops.divide(x, size)
        low, high = (self._const(np.full((1, 1, 1), limit)) for limit in (-1, 1 - 2 / _LEVELS))
        return ops.fake_quantize(x, low, high, low, high, _LEVELS)

    def _is_even(self, name: str) -> bool:
        """True if each token has been divided by its largest magnitude."""
        made_by = self._made_by.get(name)
        divisor = self._made_by.get(made_by.inputs[1]) if made_by is not None and made_by.operator == "Div" else None
        return divisor is not None and divisor.operator == "Max"

    def _add_MatMulIntegerToFloat(self, node: Node) -> Any:
        ops = self.ops
        quantized, codes, _, steps, *_ = node.inputs
        turned = np.ascontiguousarray(self._tensors[codes].T)  # (out, in), as its kernels take it
        weight = ops.multiply(ops.convert(ops.constant(turned), "f32"), self._const(self._tensors[steps][:, None]))
        product = ops.matmul(self._of(quantized), weight, False, True)
        size = self._sizes[quantized]
        return product if size is None else ops.multiply(product, size)


_NAMES = {
    "Abs": "abs",
    "Add": "add",
    "Div": "divide",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "Max": "maximum",
    "Min": "minimum",
    "Mul": "multiply",
    "Neg": "negative",
    "Or": "logical_or",
    "Sub": "subtract",
    "Tile": "tile",
    "Unsqueeze": "unsqueeze",
    "Where": "select",
}


def _chained(operator: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Apply an operator, one of two operands several times where there are more."""
    if len(inputs) > 2 and operator.__name__ in ("maximum", "minimum"):
        result = inputs[0]
        for other in inputs[1:]:
            result = operator(result, other)
        return result
    return operator(*inputs)
