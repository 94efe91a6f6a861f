"""A sentence-transformers checkpoint as others run it without PyTorch: exported by that, every weight and step of its graph.

Imports nothing of searchkit, which may not be installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

# Settings of OpenVINO by form. A text runs on each core, alone, so that nothing is padded; but for one stream, in which all cores
# share each.
_OPENVINO: dict[str, dict[str, str]] = {
    "openvino-bf16": {"INFERENCE_PRECISION_HINT": "bf16"},
    "openvino-bf16-one-stream": {"INFERENCE_PRECISION_HINT": "bf16", "NUM_STREAMS": "1"},
    "openvino-int8-dynamic": {"INFERENCE_PRECISION_HINT": "bf16", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"},
    "openvino-int8-static": {"INFERENCE_PRECISION_HINT": "f32"},
}
_EXAMPLE_TOKENS = 256
_LONGEST = 2048
_CALIBRATION = 64  # texts, for the ranges of static quantization


class _Exported(ABC):
    """See worker.Engine. `is_shared`: one text at a time, on all cores."""

    def __init__(self, model: Any, threads: int, *, is_shared: bool = False) -> None:
        self._tokenize = getattr(model, "preprocess", None) or model.tokenize
        self._pool = ThreadPoolExecutor(1 if is_shared else threads)

    def embed(self, texts: list[str], batch_size: int) -> Any:  # noqa: ARG002 - one text at a time on each core
        """See worker.Engine. The text includes the prompt."""
        import numpy as np

        vectors = np.stack(list(self._pool.map(self._vector, texts)))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_ids(self, text: str) -> list[int]:
        """See worker.EngineWithTokenizer."""
        ids: list[int] = self._ids(text)[0].tolist()
        return ids

    def _ids(self, text: str) -> Any:
        return self._tokenize([text])["input_ids"].numpy()

    @abstractmethod
    def _vector(self, text: str) -> Any:
        """The vector of one text, of any length."""


class OpenVinoExport(_Exported):
    """In OpenVINO; in 8 bits as NNCF makes them, the ranges of static ones measured on `calibration` texts, prompts included."""

    def __init__(self, model: Any, threads: int, form: str, calibration: list[str]) -> None:
        super().__init__(model, threads, is_shared=form.endswith("one-stream"))
        import openvino
        import torch

        self._own = local()
        with torch.no_grad():
            exported = torch.export.export(_of_ids(model), (_example(),), dynamic_shapes=(_sizes(),))
        graph = openvino.convert_model(exported)
        if "int8" in form:
            import nncf

            if form.endswith("dynamic"):
                graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)
            else:
                data = nncf.Dataset([self._ids(text) for text in calibration[:_CALIBRATION]])
                graph = nncf.quantize(graph, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=_CALIBRATION)
        settings = {"NUM_STREAMS": str(threads), "INFERENCE_NUM_THREADS": str(threads), "ENABLE_CPU_PINNING": "NO"}
        self._model: Any = openvino.Core().compile_model(graph, "CPU", settings | _OPENVINO[form])

    def version(self) -> str:
        """See worker.Engine."""
        import openvino
        import torch

        return f"OpenVINO {openvino.__version__}, exported by PyTorch {torch.__version__}"

    def _vector(self, text: str) -> Any:
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        return self._own.request.infer({0: self._ids(text)})[0][0]


class OnnxRuntimeExport(_Exported):
    """In ONNX Runtime, in 8 bits with ranges taken of each input, as its own `quantize_dynamic` makes them."""

    def __init__(self, model: Any, threads: int) -> None:
        super().__init__(model, threads)
        import onnx
        import onnxruntime
        import torch
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as place, torch.no_grad():
            whole, quantized = Path(place) / "whole.onnx", Path(place) / "quantized.onnx"
            torch.onnx.export(_of_ids(model), (_example(),), str(whole), dynamo=True, dynamic_shapes=(_sizes(),))
            graph: Any = onnx.load(str(whole), load_external_data=False)
            del graph.graph.value_info[
                :
            ]  # shapes of weights before they were transposed: quantizing takes them for contradictions
            onnx.save(graph, str(whole))
            quantize_dynamic(str(whole), str(quantized), weight_type=QuantType.QInt8, use_external_data_format=True)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # each thread of the pool runs a text of its own
            self._session: Any = onnxruntime.InferenceSession(
                str(quantized), options, providers=["CPUExecutionProvider"]
            )

    def version(self) -> str:
        """See worker.Engine."""
        import onnxruntime
        import torch

        return f"ONNX Runtime {onnxruntime.__version__}, exported by PyTorch {torch.__version__}"

    def _vector(self, text: str) -> Any:
        return self._session.run(None, {self._session.get_inputs()[0].name: self._ids(text)})[0][0]


def _example() -> Any:
    import torch

    return torch.randint(5, 1000, (1, _EXAMPLE_TOKENS))


def _sizes() -> Any:
    """Any number of tokens."""
    import torch

    return {1: torch.export.Dim("tokens", min=2, max=_LONGEST)}


def _of_ids(model: Any) -> Any:
    """Make a module from (1, tokens) ids to the vector: nothing is padded, so the mask is all ones."""
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc] # its types are not looked at
        def __init__(self) -> None:
            super().__init__()
            self.model = model.float().eval()

        def forward(self, ids: Any) -> Any:
            return self.model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"]

    return Whole()


def open_engine(checkpoint: str, threads: int, form: str, calibration: list[str]) -> OpenVinoExport | OnnxRuntimeExport:
    """Export a sentence-transformers checkpoint, which takes a minute or two, and load what comes of it. Nothing is reported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # which OpenVINO and NNCF do without
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(
        checkpoint, device="cpu", local_files_only=True, model_kwargs={"attn_implementation": "eager"}
    )
    if form == "onnxruntime-int8-dynamic":
        return OnnxRuntimeExport(model, threads)
    return OpenVinoExport(model, threads, form, calibration)
