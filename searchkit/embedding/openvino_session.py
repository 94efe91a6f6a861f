"""Runs a model folder on OpenVINO, for many texts: a text on each core, each alone, so that nothing is padded."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock, local
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.graph.onnx_reader import Nodes, decode_model
from searchkit.embedding.graph.openvino_graph import translated
from searchkit.embedding.model_folder import GRAPH_FILE

Vector = npt.NDArray[np.float32]
_LIMIT = "unmasked_tokens"  # the constant that the graph's conditionals compare a text's length with
_HALVES = "bf16"


class OpenVinoSession:
    """The graph of a model folder in OpenVINO; any number of threads may use it. `in_bytes`: see `translated`.

    `in_halves`: compute what is no product in 8 bits in bfloat16; by default where the processor multiplies that. Texts within
    and beyond a window are two graphs, each compiled when it is first needed, which takes seconds.
    """

    def __init__(self, folder: Path, threads: int, *, in_bytes: bool, in_halves: bool | None = None) -> None:
        self._threads = threads
        self._in_bytes = in_bytes
        self._precision = _HALVES if (has_halves() if in_halves is None else in_halves) else "f32"
        self._graph = _read_graph(folder)
        limit = self._graph.tensors.get(_LIMIT)
        self._limit = None if limit is None else int(limit)
        self._compiled: dict[bool, Any] = {}
        self._lock = Lock()
        self._own = local()

    def vector(self, ids: npt.NDArray[np.int64]) -> Vector:
        """Embed a text: (1, tokens) ids to its (dimension,) vector. Raises RuntimeError."""
        is_long = self._limit is not None and ids.size > self._limit
        requests: dict[bool, Any] = self._own.__dict__.setdefault("requests", {})
        if is_long not in requests:
            requests[is_long] = self._model(is_long=is_long).create_infer_request()
        vector: Vector = requests[is_long].infer({0: ids})[0][0]
        return vector

    def _model(self, *, is_long: bool) -> Any:
        with self._lock:
            if is_long not in self._compiled:
                model = translated(self._graph, is_long=is_long, in_bytes=self._in_bytes)
                self._compiled[is_long] = _compiled(model, self._threads, self._precision)
            return self._compiled[is_long]


def openvino() -> Any:
    """Import and return OpenVINO without the package that reports its use to its makers. Raises ImportError."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # its own stand-in is then taken
    import openvino

    return openvino


@cache
def _core() -> Any:
    return openvino().Core()


def has_halves() -> bool:
    """Return whether the processor multiplies bfloat16, as OpenVINO sees it."""
    return _HALVES.upper() in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compiled(model: Any, threads: int, precision: str) -> Any:
    settings = {
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
        "INFERENCE_PRECISION_HINT": precision,
    }
    return _core().compile_model(model, "CPU", settings)


def _read_graph(folder: Path) -> Nodes:
    files: dict[str, npt.NDArray[np.uint8]] = {}

    def mapped(name: str) -> npt.NDArray[np.uint8]:
        if name not in files:
            # Copied when written to, which never happens: OpenVINO shares memory only if it could.
            files[name] = np.memmap(folder / name, np.uint8, mode="c")
        return files[name]

    external: Callable[[str], npt.NDArray[np.uint8]] = mapped
    return decode_model((folder / GRAPH_FILE).read_bytes(), external)
