"""searchkit's own engine: a model folder on ONNX Runtime."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.open_models import spin_briefly

if TYPE_CHECKING:
    from searchkit_indexes import Vectors


class ModelFolderEngine:
    """See worker.Engine. A single text is embedded like a query, several like passages."""

    def __init__(self, folder: Path, threads: int) -> None:
        from searchkit.embedding.onnx_embedder import OnnxEmbedder

        self._embedder = OnnxEmbedder(folder, threads)

    def embed(self, texts: list[str], batch_size: int) -> "Vectors":
        """See worker.Engine."""
        import numpy as np

        if batch_size == 1:
            return np.stack([self._embedder.embed_one(text) for text in texts])
        return self._embedder.embed_many(texts)

    def version(self) -> str:
        """See worker.Engine."""
        return f"ONNX Runtime {version('onnxruntime')}"


def open_engine(folder: str, threads: int) -> ModelFolderEngine:
    """Load a model folder."""
    spin_briefly()  # before NumPy is loaded
    return ModelFolderEngine(Path(folder), threads)
