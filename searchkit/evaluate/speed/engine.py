"""The engines to measure: the command that starts each, and the inputs that a model receives for a text."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from searchkit.embedding.model_info import Prompts
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.sample import calibration_inputs, sample_inputs
from searchkit.embedding.tokenizer import Tokenizer, open_tokenizer
from searchkit.errors import Action, Option, Remedy, UsageError
from searchkit.files import folder_size_bytes
from searchkit.types import Passage


class ExportedForm(StrEnum):
    """What a checkpoint is exported to, as others do it."""

    OPENVINO_BF16 = "openvino-bf16"
    OPENVINO_BF16_ONE_STREAM = "openvino-bf16-one-stream"
    OPENVINO_INT8_DYNAMIC = "openvino-int8-dynamic"
    OPENVINO_INT8_STATIC = "openvino-int8-static"
    ONNX_RUNTIME_INT8_DYNAMIC = "onnxruntime-int8-dynamic"


_WORKER = Path(__file__).parent / "engines" / "worker.py"


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """Builds a model's inputs for passages and queries: prompts applied, not tokenized."""

    prompts: Prompts
    tokenizer: Tokenizer
    max_tokens: int
    dimension: int

    @classmethod
    def of_model(cls, embedder: OnnxEmbedder) -> Self:
        """Create the inputs of an installed model."""
        card = embedder.card
        tokenizer = open_tokenizer(card.tokenizer, embedder.folder / card.tokenizer_file)
        return cls(card.prompts, tokenizer, card.max_tokens, card.dimension)

    def of_passages(self, passages: Sequence[Passage]) -> list[str]:
        """Build complete inputs for passages."""
        return [self.prompts.of_passage(passage) for passage in passages]

    def of_queries(self, queries: Sequence[str]) -> list[str]:
        """Build complete inputs for queries."""
        return [self.prompts.of_query(query) for query in queries]

    def token_ids(self, text: str) -> list[int]:
        """Tokenize a complete input, special tokens included, cut to the model's length."""
        return self.tokenizer.encode(text, self.max_tokens)

    def is_like(self, other: "ModelInputs") -> bool:
        """Return whether vectors of the two are comparable: same prompts, dimension and length."""
        return (self.prompts, self.dimension, self.max_tokens) == (other.prompts, other.dimension, other.max_tokens)

    def uncut_length(self, text: str) -> int:
        """Count the tokens of a complete input, without cutting it."""
        return len(self.tokenizer.encode(text, sys.maxsize))


@dataclass(frozen=True, slots=True)
class Engine:
    """A model in an engine with a number of threads.

    `batch_sizes`: the batch sizes to try for many texts, of which the best counts; 0 leaves it to the engine.
    `own_tokenizer`: the engine has its own tokenizer, which may differ from that of `inputs`. `remedy`: advice if it cannot
    be started.
    """

    name: str
    threads: int
    command: tuple[str, ...]
    inputs: ModelInputs
    batch_sizes: tuple[int, ...]
    size_bytes: int
    own_tokenizer: bool
    remedy: Remedy


def model_engine(embedder: OnnxEmbedder, threads: int, *, name: str = "", engine: str = "") -> Engine:
    """Describe an installed model in searchkit's own engine. `engine`: for its passages; "" for the one that was chosen."""
    options = json.dumps({"folder": str(embedder.folder.absolute()), "threads": threads, "engine": engine})
    modules = "searchkit.evaluate.speed.engines"
    return Engine(
        name=name or embedder.info.name,
        threads=threads,
        command=(sys.executable, "-m", f"{modules}.worker", f"{modules}.model_folder", options),
        inputs=ModelInputs.of_model(embedder),
        batch_sizes=(0,),
        size_bytes=folder_size_bytes(embedder.folder),
        own_tokenizer=False,
        remedy=Remedy(Action.VERIFY_MODEL, model=embedder.info.name),
    )


def sentence_transformers_engine(
    checkpoint: Path, python: str, like: Engine, *, precision: Literal["fp32", "bf16"] = "fp32"
) -> Engine:
    """Describe a checkpoint in sentence-transformers, with the inputs and threads of `like`. Raises UsageError."""
    _check_checkpoint(checkpoint)
    options = {"checkpoint": str(checkpoint.absolute()), "threads": like.threads, "precision": precision}
    return replace(
        like,
        name=f"sentence-transformers {precision}",
        command=(python, str(_WORKER), "sentence_transformers_engine", json.dumps(options)),
        batch_sizes=(1, 8),
        size_bytes=sum(file.stat().st_size for file in checkpoint.rglob("*.safetensors")),
        own_tokenizer=True,
        remedy=_interpreter("sentence-transformers", "the package"),
    )


def exported_engine(checkpoint: Path, python: str, like: Engine, form: ExportedForm) -> Engine:
    """Describe a checkpoint that PyTorch exports to another engine. Raises UsageError."""
    _check_checkpoint(checkpoint)
    prompts = like.inputs.prompts
    options = {
        "checkpoint": str(checkpoint.absolute()),
        "threads": like.threads,
        "form": form.value,
        "calibration": [*sample_inputs(prompts), *calibration_inputs(prompts, ())],
    }
    packages = "onnx, onnxscript" if form is ExportedForm.ONNX_RUNTIME_INT8_DYNAMIC else "openvino, nncf"
    return replace(
        like,
        name=f"exported, {form}",
        command=(python, str(_WORKER), "exported_engine", json.dumps(options)),
        batch_sizes=(0,),
        size_bytes=sum(file.stat().st_size for file in checkpoint.rglob("*.safetensors")),
        own_tokenizer=True,
        remedy=_interpreter("exported", f"{packages} and sentence-transformers"),
    )


def _check_checkpoint(checkpoint: Path) -> None:
    if not (checkpoint / "modules.json").is_file():
        raise UsageError(f"{checkpoint} is not a sentence-transformers checkpoint: it contains no modules.json.")


def llama_cpp_engine(file: Path, python: str, like: Engine) -> Engine:
    """Describe a GGUF file in llama.cpp, with the inputs and threads of `like`. Raises UsageError if it is missing."""
    if not file.is_file():
        raise UsageError(f"There is no file {file}.", remedy="Name a GGUF file of the embedding model.")
    options = {"file": str(file.absolute()), "threads": like.threads, "max_tokens": like.inputs.max_tokens}
    return replace(
        like,
        name=f"llama.cpp {file.stem}",
        command=(python, str(_WORKER), "llama_cpp_engine", json.dumps(options)),
        batch_sizes=(1, 2),  # eight texts of 256 tokens at once were 11 % slower than two: attention spans the batch
        size_bytes=file.stat().st_size,
        own_tokenizer=True,
        remedy=_interpreter("llama-cpp", "llama-cpp-python"),
    )


def _interpreter(engine: str, package: str) -> Remedy:
    """Another Python to run an engine in."""
    sentence = f"Name an interpreter that has {package}"
    return Remedy(Action.CHANGE_OPTION, option=Option.PYTHON_FOR, extra=engine, sentence=sentence)
