"""Writes an ONNX graph node by node, its weights into one external file that ONNX Runtime can map.

Knows operators and tensors, no architecture.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from searchkit.embedding.graph.quantization import Quantization
from searchkit.embedding.graph.quantize import quantize_columns, quantize_rows
from searchkit.embedding.graph.smoothing import Smoothing

MICROSOFT = "com.microsoft"
OPSET = 20
OBSERVED = "largest input of "  # how the outputs of an observing graph are called, before the product's name
_INLINE_BYTES = 1024
_ALIGNMENT = 4096  # a mapped tensor starts on a page of its own

Array = npt.NDArray[Any]


class GraphBuilder:
    """Collects nodes and weights; `save` writes `model.onnx` beside the weights file, which grows meanwhile.

    To be used in a `with` block, which closes that file.
    """

    def __init__(
        self, folder: Path, quantization: Quantization, *, smoothing: Smoothing | None = None, observe: bool = False
    ) -> None:
        """`smoothing`: scales of the products; `observe`: give out the largest inputs that those are made from."""
        self.quantization = quantization
        self.smoothing = smoothing or Smoothing()
        self.observes = observe
        self._observed: dict[str, str] = {}
        self._folder = folder
        self._weights_name = "weights.bin"
        self._weights = (folder / self._weights_name).open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._weights.close()

    def constant(self, name: str, value: Array | np.generic) -> str:
        """A weight under its name; the same name again gives the one already there."""
        if name not in self._initializers:
            array = np.asarray(value, order="C")
            inline = array.nbytes <= _INLINE_BYTES
            self._initializers[name] = numpy_helper.from_array(array, name) if inline else self._external(name, array)
        return name

    def node(self, operator: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and name that output."""
        return self.node_with_outputs(operator, inputs, 1, domain=domain, **attributes)[0]

    def node_with_outputs(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: int,
        *,
        domain: str = "",
        **attributes: Any,
    ) -> list[str]:
        """Add a node with several outputs, and name them."""
        names = [f"{operator}_{len(self._nodes)}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names

    def linear(self, x: str, name: str, weight: Array, bias: Array | None = None) -> str:
        """x·weightᵀ + bias for a weight of shape (out, in), quantized as the graph is."""
        columns = np.asarray(weight, np.float32).T
        if self.observes:
            axes = self.constant("batch_and_token_axes", np.array([0, 1], np.int64))
            self._observed[name] = self.node("ReduceMax", [self.node("Abs", [x]), axes], keepdims=0)
        if self.quantization is Quantization.FP32:
            product = self.node("MatMul", [x, self.constant(name, columns)])
            return product if bias is None else self.node("Add", [product, self.constant(f"{name}.bias", bias)])
        codes, scales = quantize_columns(columns)
        inputs = [x, self.constant(f"{name}.codes", codes), self.constant(f"{name}.scales", scales), ""]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        return self.node("DynamicQuantizeMatMul", inputs if bias is not None else inputs[:3], domain=MICROSOFT)

    def lookup(self, ids: str, name: str, table: Array, factor: float = 1.0) -> str:
        """Rows of a (rows, width) table times a factor; quantized a row at a time, widened only where looked up."""
        if self.quantization is Quantization.FP32:
            rows = self.node("Gather", [self.constant(name, np.asarray(table, np.float32)), ids])
            if factor == 1:
                return rows
            return self.node("Mul", [rows, self.constant(f"{name}.factor", np.float32(factor))])
        codes, scales = quantize_rows(table)
        rows = self.node(
            "Cast", [self.node("Gather", [self.constant(f"{name}.codes", codes), ids])], to=TensorProto.FLOAT
        )
        row_scales = self.constant(f"{name}.scales", scales * np.float32(factor))
        return self.node("Mul", [rows, self.node("Gather", [row_scales, ids])])

    def either(self, condition: str, if_true: "GraphBranch", if_false: "GraphBranch") -> str:
        """The output of one of two single-node branches, chosen when the graph runs."""
        branches = {
            "then_branch": if_true.as_graph("then"),
            "else_branch": if_false.as_graph("else"),
        }
        return self.node("If", [condition], **branches)

    def save(self, token_ids: str, output: str, dimension: int | None) -> None:
        """Write the graph: (batch, tokens) int64 in, float32 out: (batch, dimension), or any shape if that is None."""
        self._weights.close()
        self._nodes.append(helper.make_node("Identity", [output], ["embedding"]))
        shape: list[str | int | None] | None = None if dimension is None else ["batch", dimension]
        outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)]
        for name, value in self._observed.items():
            self._nodes.append(helper.make_node("Identity", [value], [f"{OBSERVED}{name}"]))
            outputs.append(helper.make_tensor_value_info(f"{OBSERVED}{name}", TensorProto.FLOAT, ["channels"]))
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(token_ids, TensorProto.INT64, ["batch", "tokens"])],
            outputs,
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="searchkit")
        model.ir_version = 10  # ONNX Runtime 1.20 reads it
        (self._folder / "model.onnx").write_bytes(model.SerializeToString())

    def _external(self, name: str, array: Array) -> onnx.TensorProto:
        self._weights.write(b"\0" * (-self._weights.tell() % _ALIGNMENT))
        tensor = TensorProto(
            name=name,
            dims=array.shape,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": self._weights_name, "offset": self._weights.tell(), "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._weights.write(array.tobytes())
        return tensor


class GraphBranch:
    """A branch of `GraphBuilder.either`: one node over values of the graph around it."""

    def __init__(self, operator: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> None:
        self._node = (operator, list(inputs), domain, attributes)

    def as_graph(self, name: str) -> onnx.GraphProto:
        """The branch as a subgraph; names inside must differ from those around it."""
        operator, inputs, domain, attributes = self._node
        output = f"{name}_{inputs[0]}_out"
        node = helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])
