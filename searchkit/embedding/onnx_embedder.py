"""The embedder: a model folder on ONNX Runtime. A text at a time, so nothing is ever padded."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from searchkit.embedding.embedder import Vectors
from searchkit.embedding.model_folder import read_model_card
from searchkit.embedding.tokenizer import Tokenizer, open_tokenizer
from searchkit.errors import ModelError
from searchkit.types import Passage

_INPUT = "token_ids"
_MANY_TOKENS = 512  # a text of more does not leave its memory behind


class OnnxEmbedder:
    """See Embedder. Opening reads model.json only; tokenizer and weights are loaded when first needed."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder = folder
        self.card = read_model_card(folder)
        self._threads = threads or usable_cores()

    @property
    def name(self) -> str:
        """See Embedder."""
        return self.card.name

    @property
    def dimension(self) -> int:
        """See Embedder."""
        return self.card.dimension

    @property
    def prefix_dimensions(self) -> tuple[int, ...]:
        """See Embedder."""
        return self.card.prefix_dimensions

    @property
    def fingerprint(self) -> str:
        """See Embedder."""
        return self.card.fingerprint

    @property
    def max_tokens(self) -> int:
        """See Embedder."""
        return self.card.max_tokens

    @property
    def similarity_range(self) -> tuple[float, float]:
        """See Embedder."""
        return self.card.similarity_range

    def count_tokens(self, text: str) -> int:
        """See Embedder."""
        return self._tokenizer.count(text)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        return self.embed_texts([self.card.prompts.of_query(query) for query in queries])

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        return self.embed_texts([self.card.prompts.of_passage(passage) for passage in passages])

    def embed_texts(self, inputs: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit length, of texts as the model is to see them, prompts included."""
        vectors = np.empty((len(inputs), self.dimension), np.float32)
        for row, text in enumerate(inputs):
            ids = np.array([self._tokenizer.encode(text, self.max_tokens)], np.int64)
            options = self._giving_back if ids.size > _MANY_TOKENS else None
            vectors[row] = self._session.run(None, {_INPUT: ids}, options)[0][0]
        return vectors

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return open_tokenizer(self.card.tokenizer, self.folder / self.card.tokenizer_file)

    @cached_property
    def _giving_back(self) -> Any:
        """Run options that return the arena's memory to the system afterwards."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return options

    @cached_property
    def _session(self) -> Any:
        try:
            return open_session(self.folder, self._threads)
        except Exception as error:
            # ONNX Runtime raises a dozen classes, some of them plain RuntimeError.
            remedy = f"Remove {self.folder} and import it again."
            raise ModelError(f"The model {self.name} cannot be loaded. {remedy} ({error})") from error


def open_session(folder: Path, threads: int) -> Any:
    """ONNX Runtime on the graph in a folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = True  # without it every layer's memory comes anew from the system, and in pieces
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
