"""llama.cpp on a GGUF file, through llama-cpp-python. Imports nothing of searchkit, which may not be installed."""

from __future__ import annotations

from typing import Any


class LlamaCppEngine:
    """See worker.Engine. The file defines the pooling."""

    def __init__(self, file: str, threads: int, max_tokens: int) -> None:
        from llama_cpp import Llama  # type: ignore[import-not-found, import-untyped, unused-ignore]

        self._llama: Any = Llama(
            model_path=file,
            embedding=True,
            n_ctx=max_tokens,
            n_batch=max_tokens,  # an encoder needs all tokens of a text in one batch and one micro-batch
            n_ubatch=max_tokens,
            flash_attn=True,  # faster here by 2 to 18 %, with one or two texts of 256 tokens at a time
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )

    def embed(self, texts: list[str], batch_size: int) -> Any:
        """See worker.Engine. The library splits inputs that exceed one batch of tokens."""
        import numpy as np

        size = batch_size or 1
        rows: list[list[float]] = []
        for start in range(0, len(texts), size):
            rows += self._llama.embed(texts[start : start + size], normalize=True)
        return np.array(rows, np.float32)

    def token_ids(self, text: str) -> list[int]:
        """See worker.EngineWithTokenizer."""
        ids: list[int] = self._llama.tokenize(text.encode("utf-8"))
        return ids[: self._llama.n_batch]

    def version(self) -> str:
        """See worker.Engine."""
        import llama_cpp

        return f"llama-cpp-python {llama_cpp.__version__}"


def open_engine(file: str, threads: int, max_tokens: int) -> LlamaCppEngine:
    """Load a GGUF file."""
    return LlamaCppEngine(file, threads, max_tokens)
