"""Writes an ONNX graph node by node, its weights into one external file that ONNX Runtime can map.

Knows operators and tensors, but no architecture and no quantization.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
OPSET = 20
_INLINE_BYTES = 1024
_PAGE = 4096  # large tensors are aligned to pages
_LINE = 64
_LARGE_BYTES = 1 << 16

Array = npt.NDArray[Any]
Shape = Sequence[str | int]


class GraphBuilder:
    """Collects nodes and writes weights to their file; `save` writes `model.onnx` next to it.

    Use it in a `with` block, which closes the weights file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._weights_name = "weights.bin"
        self._weights = (folder / self._weights_name).open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._node_count = 0
        self._initializers: dict[str, onnx.TensorProto] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._weights.close()

    def constant(self, name: str, value: Array | np.generic) -> str:
        """Add a weight under a name, unless the name exists already; returns the name."""
        if name not in self._initializers:
            array = np.asarray(value, order="C")
            if array.nbytes <= _INLINE_BYTES:
                self._initializers[name] = numpy_helper.from_array(array, name)
            else:
                self.constant_in_pieces(name, array.shape, array.dtype, [array])
        return name

    def constant_in_pieces(self, name: str, shape: Sequence[int], kind: npt.DTypeLike, pieces: Iterable[Array]) -> str:
        """Add a large weight that is computed and written a few rows at a time."""
        dtype = np.dtype(kind)
        alignment = _PAGE if dtype.itemsize * math.prod(shape) >= _LARGE_BYTES else _LINE
        self._weights.write(b"\0" * (-self._weights.tell() % alignment))
        start = self._weights.tell()
        for piece in pieces:
            self._weights.write(np.asarray(piece, dtype, order="C").data)
        tensor = TensorProto(
            name=name,
            dims=shape,
            data_type=helper.np_dtype_to_tensor_dtype(dtype),
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": self._weights_name, "offset": start, "length": self._weights.tell() - start}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._initializers[name] = tensor
        return name

    def widened(self, name: str, codes: Array, steps: Array) -> str:
        """Add codes · steps as floats, stored as codes: ONNX Runtime folds the product when it loads the graph.

        It does not fold a DequantizeLinear, and kernels that prepack their weights need constants.
        """
        floats = self.node("Cast", [self.constant(f"{name}.codes", codes)], to=TensorProto.FLOAT)
        return self.node("Mul", [floats, self.constant(f"{name}.steps", steps)])

    def node(self, operator: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
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
        """Add a node with several outputs; returns their names."""
        names = [f"{operator}_{self._node_count}_{i}" for i in range(outputs)]
        self._node_count += 1
        self._nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names

    def either(self, condition: str, if_true: Callable[[], str], if_false: Callable[[], str]) -> str:
        """Add a conditional; each branch adds its nodes and returns the name of its output. Returns the result's name."""
        branches = {"then_branch": self._branch("then", if_true), "else_branch": self._branch("else", if_false)}
        return self.node("If", [condition], **branches)

    def save(self, inputs: Mapping[str, tuple[npt.DTypeLike, Shape]], outputs: Mapping[str, str]) -> None:
        """Write the graph. `inputs`: type and shape by name; `outputs`: the float32 value to expose, by name."""
        self._weights.close()
        for name, value in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
                for name, (kind, shape) in inputs.items()
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="searchkit")
        model.ir_version = 10  # readable by ONNX Runtime 1.20
        (self._folder / "model.onnx").write_bytes(model.SerializeToString())

    def _branch(self, name: str, write: Callable[[], str]) -> onnx.GraphProto:
        around, self._nodes = self._nodes, []
        output = write()
        inside, self._nodes = self._nodes, around
        return helper.make_graph(inside, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])
