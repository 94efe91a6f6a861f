"""The engines that can be measured: how to start each as a process of its own, and what a model is given for a text."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.prompts import Prompts
from searchkit.embedding.tokenizer import Tokenizer, open_tokenizer
from searchkit.errors import UsageError
from searchkit.files import folder_size_bytes
from searchkit.types import Passage

_WORKER = Path(__file__).parent / "engines" / "worker.py"


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """What a model sees of passages and queries: prompts applied, not yet tokens."""

    prompts: Prompts
    tokenizer: Tokenizer
    max_tokens: int
    dimension: int

    @classmethod
    def of_model(cls, embedder: OnnxEmbedder) -> Self:
        """Those of an installed model."""
        card = embedder.card
        tokenizer = open_tokenizer(card.tokenizer, embedder.folder / card.tokenizer_file)
        return cls(card.prompts, tokenizer, card.max_tokens, card.dimension)

    def of_passages(self, passages: Sequence[Passage]) -> list[str]:
        """Complete inputs for passages."""
        return [self.prompts.of_passage(passage) for passage in passages]

    def of_queries(self, queries: Sequence[str]) -> list[str]:
        """Complete inputs for queries."""
        return [self.prompts.of_query(query) for query in queries]

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a complete input, special ones included, cut to the model's length."""
        return self.tokenizer.encode(text, self.max_tokens)

    def is_like(self, other: "ModelInputs") -> bool:
        """Whether the vectors of the two can be compared: same prompts, dimension and length."""
        return (self.prompts, self.dimension, self.max_tokens) == (other.prompts, other.dimension, other.max_tokens)

    def uncut_length(self, text: str) -> int:
        """Tokens of a complete input, however long."""
        return len(self.tokenizer.encode(text, sys.maxsize))


@dataclass(frozen=True, slots=True)
class Engine:
    """A model in an engine with a number of threads.

    `batch_sizes`: the ways of embedding many texts that are tried, of which the best counts; 0 is the engine's own.
    `own_tokenizer`: it reads texts with another tokenizer than `inputs`, which may differ. `remedy`: what to do if it
    cannot be started.
    """

    name: str
    threads: int
    command: tuple[str, ...]
    inputs: ModelInputs
    batch_sizes: tuple[int, ...]
    size_bytes: int
    own_tokenizer: bool
    remedy: str


def model_engine(embedder: OnnxEmbedder, threads: int, *, name: str = "") -> Engine:
    """An installed model in searchkit's own engine."""
    options = json.dumps({"folder": str(embedder.folder.absolute()), "threads": threads})
    modules = "searchkit.evaluate.speed.engines"
    return Engine(
        name=name or embedder.info.name,
        threads=threads,
        command=(sys.executable, "-m", f"{modules}.worker", f"{modules}.model_folder", options),
        inputs=ModelInputs.of_model(embedder),
        batch_sizes=(0,),
        size_bytes=folder_size_bytes(embedder.folder),
        own_tokenizer=False,
        remedy=f"Check it: searchkit models verify {embedder.info.name}",
    )


def sentence_transformers_engine(checkpoint: Path, python: str, like: Engine) -> Engine:
    """A checkpoint in sentence-transformers with another engine's inputs and threads. Raises UsageError if it is none."""
    if not (checkpoint / "modules.json").is_file():
        raise UsageError(f"{checkpoint} is not a sentence-transformers checkpoint: it holds no modules.json.")
    options = {"checkpoint": str(checkpoint.absolute()), "threads": like.threads}
    return replace(
        like,
        name="sentence-transformers fp32",
        command=(python, str(_WORKER), "sentence_transformers_engine", json.dumps(options)),
        batch_sizes=(1, 8),
        size_bytes=sum(file.stat().st_size for file in checkpoint.rglob("*.safetensors")),
        own_tokenizer=True,
        remedy="Name an interpreter that has the package: --python-for sentence-transformers=PATH",
    )


def llama_cpp_engine(file: Path, python: str, like: Engine) -> Engine:
    """A GGUF file in llama.cpp with another engine's inputs and threads. Raises UsageError if there is no such file."""
    if not file.is_file():
        raise UsageError(f"There is no file {file}. Name a GGUF file of the embedding model.")
    options = {"file": str(file.absolute()), "threads": like.threads, "max_tokens": like.inputs.max_tokens}
    return replace(
        like,
        name=f"llama.cpp {file.stem}",
        command=(python, str(_WORKER), "llama_cpp_engine", json.dumps(options)),
        batch_sizes=(1, 2),  # eight texts of 256 tokens at once were 11 % slower than two: attention spans the batch
        size_bytes=file.stat().st_size,
        own_tokenizer=True,
        remedy="Name an interpreter that has llama-cpp-python: --python-for llama-cpp=PATH",
    )
