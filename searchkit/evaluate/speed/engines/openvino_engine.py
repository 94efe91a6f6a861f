"""A sentence-transformers checkpoint in OpenVINO as others export it: by PyTorch, every weight and step of its graph.

Imports nothing of searchkit, which may not be installed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

_EXAMPLE_TOKENS = 256
_LONGEST = 2048


class OpenVinoExport:
    """See worker.Engine. A text runs on each core, alone, so that nothing is padded. `precision`: bf16 or f32."""

    def __init__(self, checkpoint: str, threads: int, precision: str) -> None:
        import openvino
        import torch
        from sentence_transformers import SentenceTransformer

        model: Any = SentenceTransformer(
            checkpoint, device="cpu", local_files_only=True, model_kwargs={"attn_implementation": "eager"}
        )
        self._tokenize = getattr(model, "preprocess", None) or model.tokenize
        self._pool = ThreadPoolExecutor(threads)
        self._own = local()
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": str(threads),
            "ENABLE_CPU_PINNING": "NO",
        }
        ids = torch.randint(5, 1000, (1, _EXAMPLE_TOKENS))
        sizes = {1: torch.export.Dim("tokens", min=2, max=_LONGEST)}
        with torch.no_grad():
            exported = torch.export.export(_of_ids(model.float().eval()), (ids,), dynamic_shapes=(sizes,))
        self._model: Any = openvino.Core().compile_model(openvino.convert_model(exported), "CPU", settings)

    def embed(self, texts: list[str], batch_size: int) -> Any:  # noqa: ARG002 - one text at a time on each core
        """See worker.Engine. The text includes the prompt."""
        import numpy as np

        vectors = np.stack(list(self._pool.map(self._vector, texts)))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_ids(self, text: str) -> list[int]:
        """See worker.EngineWithTokenizer."""
        ids: list[int] = self._tokenize([text])["input_ids"][0].tolist()
        return ids

    def version(self) -> str:
        """See worker.Engine."""
        import openvino
        import torch

        return f"OpenVINO {openvino.__version__}, exported by PyTorch {torch.__version__}"

    def _vector(self, text: str) -> Any:
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        return self._own.request.infer({0: self._tokenize([text])["input_ids"].numpy()})[0][0]


def _of_ids(model: Any) -> Any:
    """Make a module from (1, tokens) ids to the vector: nothing is padded, so the mask is all ones."""
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc] # its types are not looked at
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any) -> Any:
            return self.model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"]

    return Whole()


def open_engine(checkpoint: str, threads: int, precision: str) -> OpenVinoExport:
    """Export a sentence-transformers checkpoint, which takes a minute, and compile it."""
    return OpenVinoExport(checkpoint, threads, precision)
