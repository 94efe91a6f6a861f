"""sentence-transformers on PyTorch, in fp32 or bfloat16. Imports nothing of searchkit, which may not be installed."""

from __future__ import annotations

from typing import Any


class SentenceTransformersEngine:
    """See worker.Engine. The library sorts texts by length before it forms batches."""

    def __init__(self, checkpoint: str, threads: int, precision: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        model: Any = SentenceTransformer(checkpoint, device="cpu", local_files_only=True)
        self._model = model.bfloat16() if precision == "bf16" else model.float()

    def embed(self, texts: list[str], batch_size: int) -> Any:
        """See worker.Engine. The text includes the prompt."""
        return self._model.encode(
            texts, batch_size=batch_size or 8, prompt="", normalize_embeddings=True, show_progress_bar=False
        )

    def token_ids(self, text: str) -> list[int]:
        """See worker.EngineWithTokenizer."""
        tokenize = getattr(self._model, "preprocess", None) or self._model.tokenize
        ids: list[int] = tokenize([text])["input_ids"][0].tolist()
        return ids

    def version(self) -> str:
        """See worker.Engine."""
        import sentence_transformers
        import torch

        return f"sentence-transformers {sentence_transformers.__version__}, PyTorch {torch.__version__}"


def open_engine(checkpoint: str, threads: int, precision: str = "fp32") -> SentenceTransformersEngine:
    """Load a sentence-transformers checkpoint."""
    return SentenceTransformersEngine(checkpoint, threads, precision)
