"""The engine of searchkit itself: a model folder on ONNX Runtime."""

from importlib.metadata import version
from pathlib import Path

import numpy as np

from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit_indexes import Vectors


class ModelFolderEngine:
    """See worker.Engine. One text alone is embedded as a query is, several as passages are."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._embedder = OnnxEmbedder(folder, threads)

    def embed(self, texts: list[str], batch_size: int) -> Vectors:
        """See worker.Engine."""
        if batch_size == 1:
            return np.stack([self._embedder.embed_one(text) for text in texts])
        return self._embedder.embed_many(texts)

    def version(self) -> str:
        """See worker.Engine."""
        return f"ONNX Runtime {version('onnxruntime')}"


def open_engine(folder: str, threads: int) -> ModelFolderEngine:
    """Load a model folder."""
    return ModelFolderEngine(Path(folder), threads)
