"""The embedder: a model folder on ONNX Runtime. A text at a time, so nothing is ever padded."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import TokenVectors
from searchkit.embedding.model_folder import read_model_card
from searchkit.embedding.quick_tokenizer import LONGEST_TEXT, TABLE_FILE, QuickTokenizer
from searchkit.embedding.runtime import onnx_runtime
from searchkit.embedding.token_table import STATIC_FILE, TokenTable
from searchkit.embedding.tokenizer import (
    FastTokenizer,
    SentencePieceTokenizer,
    TokenCounter,
    Tokenizer,
    open_tokenizer,
)
from searchkit.errors import ModelError
from searchkit.types import Passage
from searchkit_indexes import Vectors

Vector = npt.NDArray[np.float32]
_INPUT = "token_ids"
_FEW = 8  # queries; of more, each gets a core to itself, which halves the work
_MANY_TOKENS = 512  # a text of more does not leave its memory behind


class OnnxEmbedder:
    """See Embedder. Opening reads model.json only; tokenizer and weights are loaded when first needed.

    `serves_many`: set before the first text, for who has many callers at once. Then every text is worked on by one core, and
    queries and passages share one session: the weights are in memory once.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder = folder
        self.serves_many = False
        self.card = read_model_card(folder)
        self.info = self.card.info
        self._threads = threads or usable_cores()

    @cached_property
    def count_tokens(self) -> TokenCounter:
        """See Embedder."""
        return TokenCounter(self.card.tokenizer, self.folder / self.card.tokenizer_file)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder. A few as soon as possible, many with as little work as possible."""
        texts = [self.card.prompts.of_query(query) for query in queries]
        if 0 < len(texts) <= _FEW:
            return np.stack([self.embed_one(text) for text in texts])
        return self.embed_many(texts)

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        return self.embed_many([self.card.prompts.of_passage(passage) for passage in passages])

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """See Embedder. Models that were imported before there were such tables have none."""
        if STATIC_FILE not in self.card.checksums:
            return None
        return [self._token_table.of(self._tokenizer.encode(text, self.info.max_tokens)[1:-1]) for text in texts]

    def decode(self, token_ids: Sequence[int]) -> str:
        """See Embedder."""
        return self._tokenizer.decode(token_ids)

    def embed_one(self, text: str) -> Vector:
        """(dimension,) float32, unit length, of a text as the model is to see it, prompt included: soon.

        All cores work on it together.
        """
        tokenizer = self._tokenizer if len(text) > LONGEST_TEXT else self._quick_tokenizer
        ids = tokenizer.encode(text, self.info.max_tokens)
        return self._run(self._quick_session, np.array([ids], np.int64))

    def embed_many(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit length, of texts as the model is to see them: many a second.

        Every core works on a text of its own, which wastes less of its time than working together on one.
        """
        vectors = np.empty((len(texts), self.info.dimension), np.float32)
        if not texts:
            return vectors
        session = self._steady_session
        inputs = enumerate(np.array([self._tokenizer.encode(text, self.info.max_tokens)], np.int64) for text in texts)
        longest_first = sorted(inputs, key=lambda item: -item[1].size)  # so that all cores come to an end together
        remaining = iter(longest_first)  # its next() is atomic: every text is taken once
        stopped = Event()

        def work() -> None:
            for row, ids in remaining:
                if stopped.is_set():
                    return
                vectors[row] = self._run(session, ids)

        workers = min(self._threads, len(texts))
        if workers <= 1:
            work()
            return vectors
        with ThreadPoolExecutor(workers, "embedding") as pool:
            try:
                for worker in [pool.submit(work) for _ in range(workers)]:
                    worker.result()
            except BaseException:
                stopped.set()  # an interruption waits for the texts in hand only
                raise
        return vectors

    def _run(self, session: Any, ids: npt.NDArray[np.int64]) -> Vector:
        options = self._giving_back if ids.size > _MANY_TOKENS else None
        vector: Vector = session.run(None, {_INPUT: ids}, options)[0][0]
        if vector.shape != (self.info.dimension,):
            raise ModelError(
                f"The model {self.info.name} gives vectors of {vector.size} numbers, not {self.info.dimension}; import it again."
            )
        return vector

    @cached_property
    def _giving_back(self) -> Any:
        """Run options that return the arena's memory to the system afterwards."""
        options = onnx_runtime().RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return options

    @cached_property
    def _token_table(self) -> TokenTable:
        return TokenTable(self.folder)

    @cached_property
    def _tokenizer(self) -> SentencePieceTokenizer | FastTokenizer:
        return open_tokenizer(self.card.tokenizer, self.folder / self.card.tokenizer_file)

    @cached_property
    def _quick_tokenizer(self) -> "Tokenizer | QuickTokenizer":
        """For a short text alone, where there is one."""
        return QuickTokenizer(self.folder) if TABLE_FILE in self.card.checksums else self._tokenizer

    @cached_property
    def _quick_session(self) -> Any:
        return self._steady_session if self.serves_many else self._session(self._threads)

    @cached_property
    def _steady_session(self) -> Any:
        has_its_own = self._threads > 1 or self.serves_many
        return self._session(1) if has_its_own else self._quick_session

    def _session(self, threads: int) -> Any:
        try:
            return open_session(self.folder, threads)
        except Exception as error:
            # ONNX Runtime raises a dozen classes, some of them plain RuntimeError.
            remedy = f"Remove it (searchkit models remove {self.info.name}) and import it again."
            raise ModelError(f"The model {self.info.name} cannot be loaded. {remedy} ({error})") from error


def open_session(folder: Path, threads: int) -> Any:
    """ONNX Runtime on the graph in a folder."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = True  # without it every layer's memory comes anew from the system, and in pieces
    options.enable_mem_reuse = False  # planning it takes two thirds of the time to load; the arena reuses as well
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    _give_back_memory()
    return session


def _give_back_memory() -> None:
    """Return what loading has used and freed to the system, where the C library keeps it unless told (glibc)."""
    import ctypes

    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
