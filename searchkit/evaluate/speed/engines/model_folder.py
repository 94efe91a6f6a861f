"""searchkit's own engine: a model folder on ONNX Runtime, its passages on OpenVINO where that was chosen or is asked for."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.open_models import spin_briefly

if TYPE_CHECKING:
    from searchkit_indexes import Vectors


class ModelFolderEngine:
    """See worker.Engine. A single text is embedded like a query, several like passages."""

    def __init__(self, folder: Path, threads: int, engine: str) -> None:
        from searchkit.embedding.engine import Engine
        from searchkit.embedding.onnx_embedder import OnnxEmbedder

        self._embedder = OnnxEmbedder(folder, threads)
        self._engine = Engine(engine) if engine else None
        self._is_open = False

    def embed(self, texts: list[str], batch_size: int) -> "Vectors":
        """See worker.Engine."""
        import numpy as np

        if batch_size == 1:
            return np.stack([self._embedder.embed_one(text) for text in texts])
        if not self._is_open:
            self._embedder.use_from_now_on(self._engine)
            self._is_open = True
        return self._embedder.embed_many(texts)

    def version(self) -> str:
        """See worker.Engine."""
        return f"ONNX Runtime {version('onnxruntime')}"


def open_engine(folder: str, threads: int, engine: str = "") -> ModelFolderEngine:
    """Load a model folder. `engine`: for several texts; "" for the chosen one."""
    spin_briefly()  # before NumPy is loaded
    return ModelFolderEngine(Path(folder), threads, engine)
