"""The embedder that runs a model folder on ONNX Runtime, one text at a time, so that nothing is padded."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import TokenVectors
from searchkit.embedding.known_models import get_again
from searchkit.embedding.model_folder import CORRECTION_FILE, PROVISIONAL_FILE, check_files, damage_of, read_model_card
from searchkit.embedding.quick_tokenizer import LONGEST_TEXT, SPACE, TABLE_FILE, QuickTokenizer
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

if TYPE_CHECKING:
    from searchkit.embedding.engine import Engine
    from searchkit.embedding.provisional import ProvisionalVectors

Vector = npt.NDArray[np.float32]
ONNX_RUNTIME = "onnxruntime"
Run = Callable[[npt.NDArray[np.int64]], Vector]
_INPUT = "token_ids"
_FEW = 8  # queries; beyond, each query gets one core, which halves the work
_SENTENCES = 1200  # characters
_WORTH_COMPILING = 512  # texts; compiling takes as long as what is gained on some hundreds
_MANY_TOKENS = 512  # the memory of longer texts is returned afterwards


class OnnxEmbedder:
    """See Embedder. The constructor reads model.json only; tokenizer and weights are loaded when first needed.

    `serves_many`: set it before the first text if there are many callers at once. Each text then runs on one core, and
    queries and passages share one session, so that the weights are in memory once.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder = folder
        self.serves_many = False
        self.card = read_model_card(folder)
        self.info = self.card.info
        self._threads = threads or usable_cores()
        self._seen = 0  # texts, until they are enough to compile another engine for
        self._run_of_many: Run | None = None

    @cached_property
    def count_tokens(self) -> TokenCounter:
        """See Embedder."""
        return TokenCounter(self.card.tokenizer, self.folder / self.card.tokenizer_file)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder. A few queries are optimised for latency, many for throughput."""
        texts = [self.card.prompts.of_query(query) for query in queries]
        if 0 < len(texts) <= _FEW:
            return np.stack([self.embed_one(text) for text in texts])
        return self.embed_many(texts)

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder. A few sentences share the session of queries, if no other is open: opening it takes longer than they do."""
        texts = [self.card.prompts.of_passage(passage) for passage in passages]
        is_open = "_steady_session" in self.__dict__ or self._run_of_many is not None or self.serves_many
        if 0 < len(texts) <= _FEW and not is_open and sum(map(len, texts)) <= _SENTENCES:
            return np.stack([self.embed_one(text) for text in texts])
        return self.embed_many(texts)

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """See Embedder. Models imported by early versions of searchkit have no such table."""
        if STATIC_FILE not in self.card.checksums:
            return None
        with self._damage_of(STATIC_FILE):
            table = self._token_table
            return [table.of(self._tokenizer.encode(text, self.info.max_tokens)[1:-1]) for text in texts]

    @cached_property
    def provisional(self) -> "ProvisionalVectors | None":
        """See Embedder. None for models of earlier versions, and for those whose guesses find less than words do."""
        if PROVISIONAL_FILE not in self.card.checksums:
            return None
        from searchkit.embedding.provisional import ProvisionalVectors

        with self._damage_of(PROVISIONAL_FILE, CORRECTION_FILE):
            return ProvisionalVectors(self.folder, self._tokenizer.encode_many)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See Embedder."""
        return self._tokenizer.decode(token_ids)

    def embed_one(self, text: str) -> Vector:
        """Embed a complete input, prompt included, with the lowest latency: (dimension,) float32, unit length.

        All cores work on it together.
        """
        is_plain = len(text) <= LONGEST_TEXT and SPACE not in text
        tokenizer = self._quick_tokenizer if is_plain else self._tokenizer
        ids = tokenizer.encode(text, self.info.max_tokens)
        return self._run(self._quick_session, np.array([ids], np.int64))

    def embed_many(self, texts: Sequence[str]) -> Vectors:
        """Embed complete inputs, prompts included, with the highest throughput: (n, dimension) float32, unit length.

        Each core works on its own text, which is more efficient than sharing one.
        """
        vectors = np.empty((len(texts), self.info.dimension), np.float32)
        if not texts:
            return vectors
        embed = self._run_for(len(texts))
        inputs = enumerate(np.array([self._tokenizer.encode(text, self.info.max_tokens)], np.int64) for text in texts)
        longest_first = sorted(
            inputs, key=lambda item: -item[1].size
        )  # so that all cores finish at about the same time
        remaining = iter(longest_first)  # its next() is atomic: no text is taken twice
        stopped = Event()

        def work() -> None:
            for row, ids in remaining:
                if stopped.is_set():
                    return
                vectors[row] = embed(ids)

        workers = min(self._threads, len(texts))
        if workers <= 1:
            work()
            return vectors
        with ThreadPoolExecutor(workers, "embedding") as pool:
            try:
                for worker in [pool.submit(work) for _ in range(workers)]:
                    worker.result()
            except BaseException:
                stopped.set()  # an interruption waits only for the texts in progress
                raise
        return vectors

    @property
    def threads(self) -> int:
        """The number of cores that it uses."""
        return self._threads

    def runner(self, engine: "Engine") -> Run:
        """Open a session on an engine, for many texts: from (1, tokens) ids to the (dimension,) vector."""
        if engine == ONNX_RUNTIME:
            return partial(self._run, self._steady_session)
        from searchkit.embedding.openvino_session import OpenVinoSession

        session = OpenVinoSession(self.folder, self._threads, in_bytes=engine.in_bytes)

        def run(ids: npt.NDArray[np.int64]) -> Vector:
            if ids.size > 1:  # in halves, one token as the first text leaves OpenVINO 2026.4 with NaN for all others
                vector = session.vector(ids)
                if np.isfinite(vector).all():
                    return self._checked(vector)
            return self._run(self._steady_session, ids)  # which knows a damaged model

        return run

    def long_inputs(self, tokens: int, count: int) -> list[npt.NDArray[np.int64]]:
        """Make inputs of the given length, fewer tokens if the model takes no more, of sentences in many languages."""
        from searchkit.embedding.sample import sample_inputs

        texts = sample_inputs(self.card.prompts)
        length = min(tokens, self.info.max_tokens)
        inputs = []
        for start in range(count):
            text = " ".join(texts[(start * 7 + step) % len(texts)] for step in range(len(texts)))
            inputs.append(np.array([self._tokenizer.encode(text, length)], np.int64))
        return inputs

    def use_from_now_on(self, engine: "Engine | None" = None) -> None:
        """Open an engine for many texts, the chosen one by default, at once rather than when enough texts have come."""
        if engine is None:
            from searchkit.embedding.engine import chosen_engine

            engine, _ = chosen_engine(self.folder, self.info.fingerprint)
        if damage := damage_of(self.folder, self.card):
            raise self._damaged(damage)
        if engine != ONNX_RUNTIME:
            run = self.runner(engine)
            with suppress(RuntimeError):  # where it cannot compile the graph any more, ONNX Runtime still can
                run(np.array([[1, 2, 1]], np.int64))
                self._run_of_many = run
                self.__dict__.pop("_steady_session", None)  # one of them is enough in memory
                return
        self._run_of_many = partial(self._run, self._steady_session)

    def _run_for(self, count: int) -> Run:
        """What embeds many texts, of which `count` come next: the chosen engine once they are worth compiling it."""
        if self._run_of_many is None and not self.serves_many:  # else the weights would be in memory twice
            self._seen += count
            if self._seen >= _WORTH_COMPILING:
                self.use_from_now_on()
        return self._run_of_many or partial(self._run, self._steady_session)

    def _run(self, session: Any, ids: npt.NDArray[np.int64]) -> Vector:
        options = self._giving_back if ids.size > _MANY_TOKENS else None
        vector: Vector = session.run(None, {_INPUT: ids}, options)[0][0]
        return self._checked(vector)

    def _checked(self, vector: Vector) -> Vector:
        if vector.shape != (self.info.dimension,):
            raise self._damaged(f"it gives vectors of {vector.size} numbers, not {self.info.dimension}")
        if not np.isfinite(vector).all():
            raise self._damaged("it gives vectors that are not numbers")
        return vector

    @contextmanager
    def _damage_of(self, *files: str) -> Iterator[None]:
        """Report what goes wrong in reading files of the model's folder as its damage. Raises ModelError."""
        try:
            yield
        except (OSError, ValueError, LookupError, EOFError) as error:
            raise self._damaged(f"{' or '.join(files)} cannot be read: {error}") from error

    def _damaged(self, reason: str) -> ModelError:
        return ModelError(f"The model {self.info.name} is damaged ({reason}).", remedy=get_again(self.folder.name))

    @cached_property
    def _giving_back(self) -> Any:
        """The run options that return the arena's memory to the system after a run."""
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
        """The tokenizer for a single short text."""
        return QuickTokenizer(self.folder) if TABLE_FILE in self.card.checksums else self._tokenizer

    @cached_property
    def _quick_session(self) -> Any:
        return self._steady_session if self.serves_many else self._session(self._threads)

    @cached_property
    def _steady_session(self) -> Any:
        has_its_own = self._threads > 1 or self.serves_many
        return self._session(1) if has_its_own else self._quick_session

    def _session(self, threads: int) -> Any:
        if damage := damage_of(self.folder, self.card):
            raise self._damaged(damage)
        try:
            return open_session(self.folder, threads)
        except Exception as error:
            # ONNX Runtime raises a dozen classes, some of them plain RuntimeError.
            if damages := check_files(self.folder, self.card):  # since they were found sound
                raise self._damaged(damages[0].rstrip(".")) from error
            raise ModelError(
                f"The model {self.info.name} cannot be loaded ({error}).", remedy=get_again(self.folder.name)
            ) from error


def onnx_runtime() -> Any:
    """Import and return ONNX Runtime with its telemetry disabled.

    Its wheels send reports to their makers after a few seconds of work unless this variable is set before they are loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def open_session(folder: Path, threads: int) -> Any:
    """Open an ONNX Runtime session on the graph in a folder."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = True  # otherwise each layer allocates its memory from the system, in pieces
    options.enable_mem_reuse = False  # its planning takes two thirds of the load time, and the arena reuses memory too
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    give_back_memory()
    return session


def give_back_memory() -> None:
    """Return freed memory to the system, after loading or much work; glibc would keep it. Takes some 50 ms."""
    import ctypes

    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
