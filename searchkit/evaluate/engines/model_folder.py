"""The engine of searchkit itself: a model folder on ONNX Runtime."""

from importlib.metadata import version
from pathlib import Path

from searchkit.embedding.embedder import Vectors
from searchkit.embedding.onnx_embedder import OnnxEmbedder


class ModelFolderEngine:
    """See worker.Engine. Batches are the embedder's own affair."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._embedder = OnnxEmbedder(folder, threads)

    def embed(self, texts: list[str], batch_size: int) -> Vectors:  # noqa: ARG002 (see above)
        """See worker.Engine."""
        return self._embedder.embed_texts(texts)

    def version(self) -> str:
        """See worker.Engine."""
        return f"ONNX Runtime {version('onnxruntime')}"


def open_engine(folder: str, threads: int) -> ModelFolderEngine:
    """Load a model folder."""
    return ModelFolderEngine(Path(folder), threads)
