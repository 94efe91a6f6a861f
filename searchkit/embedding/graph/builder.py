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

from searchkit.embedding.graph.onnx_format import (
    ElementType,
    ExternalData,
    Graph,
    encode_graph,
    encode_model,
    encode_node,
    encode_tensor,
    encode_value,
)

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
        self._nodes: list[bytes] = []
        self._node_count = 0
        self._initializers: dict[str, bytes] = {}

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
                self._initializers[name] = encode_tensor(
                    name, array.shape, ElementType.of(array.dtype), array.tobytes()
                )
            else:
                self.constant_in_pieces(name, array.shape, array.dtype, [array])
        return name

    def integers(self, *values: int) -> str:
        """Add a list of integers, such as a shape or axes; returns its name."""
        return self.constant(f"integers_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def constant_in_pieces(self, name: str, shape: Sequence[int], kind: npt.DTypeLike, pieces: Iterable[Array]) -> str:
        """Add a large weight that is computed and written a few rows at a time."""
        dtype = np.dtype(kind)
        alignment = _PAGE if dtype.itemsize * math.prod(shape) >= _LARGE_BYTES else _LINE
        self._weights.write(b"\0" * (-self._weights.tell() % alignment))
        start = self._weights.tell()
        for piece in pieces:
            self._weights.write(np.asarray(piece, dtype, order="C").data)
        place = ExternalData(self._weights_name, start, self._weights.tell() - start)
        self._initializers[name] = encode_tensor(name, shape, ElementType.of(dtype), place)
        return name

    def widened(self, name: str, codes: Array, steps: Array) -> str:
        """Add codes · steps as floats, stored as codes: ONNX Runtime folds the product when it loads the graph.

        It does not fold a DequantizeLinear, and kernels that prepack their weights need constants.
        """
        floats = self.node("Cast", [self.constant(f"{name}.codes", codes)], to=ElementType.FLOAT32)
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
        self._nodes.append(encode_node(operator, inputs, names, domain, attributes))
        return names

    def either(self, condition: str, if_true: Callable[[], str], if_false: Callable[[], str]) -> str:
        """Add a conditional; each branch adds its nodes and returns the name of its output. Returns the result's name."""
        then_branch, else_branch = self._branch("then", if_true), self._branch("else", if_false)
        return self.node("If", [condition], then_branch=then_branch, else_branch=else_branch)

    def save(self, inputs: Mapping[str, tuple[npt.DTypeLike, Shape]], outputs: Mapping[str, str]) -> None:
        """Write the graph. `inputs`: type and shape by name; `outputs`: the float32 value to expose, by name."""
        self._weights.close()
        for name, value in outputs.items():
            self._nodes.append(encode_node("Identity", [value], [name]))
        graph = encode_graph(
            "encoder",
            self._nodes,
            initializers=self._initializers.values(),
            inputs=[encode_value(name, ElementType.of(kind), shape) for name, (kind, shape) in inputs.items()],
            outputs=[encode_value(name, ElementType.FLOAT32) for name in outputs],
        )
        # The version is readable by ONNX Runtime 1.20.
        model = encode_model(graph, {"": OPSET, MICROSOFT: 1}, ir_version=10, producer="searchkit")
        (self._folder / "model.onnx").write_bytes(model)

    def _branch(self, name: str, write: Callable[[], str]) -> Graph:
        around, self._nodes = self._nodes, []
        output = write()
        inside, self._nodes = self._nodes, around
        return encode_graph(name, inside, outputs=[encode_value(output, ElementType.FLOAT32)])
