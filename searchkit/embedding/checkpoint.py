"""Reads a sentence-transformers checkpoint folder: configuration, pooling, heads, prompts, safetensors weights.

Knows the layout of the files and rejects what cannot be reproduced exactly; knows nothing about graphs. Never unpickles.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from searchkit.embedding.weights_file import DamagedWeightsError, Tensor, read_floats, read_header
from searchkit.errors import UnsupportedCheckpointError

Array = npt.NDArray[Any]
Config = Mapping[str, Any]


_OTHER_TASK = re.compile(r"For(Sequence|Token)Classification|ForQuestion|ForMultiple|ForCausalLM|ForNextSentence")
PREFIXES = "prefix_dimensions"  # in config_sentence_transformers.json, of students (searchkit.train.distill)
_FEWEST_TOKENS = 3  # two special ones and one to embed
_MOST_TOKENS = 8192
_NO_LIMIT = 10**9  # tokenizers without a limit of their own claim 10³⁰
_ATTENTION_POOLING = "AttentionPooling"
_OWN_PROJECTION = "embedding_projection.weight"
_TEXT = re.compile(r"(^|\.)(language_model|text_model)\.$")
Shape = TypeVar("Shape")


class Pooling(StrEnum):
    """The way to turn token states into one vector."""

    MEAN = "mean"
    CLS = "cls"
    LAST = "lasttoken"
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True)
class AttentionPool:
    """The weights of attention pooling (`searchkit.train.finetune.pooling`).

    `probes`: (heads, width), whose products with the states are the scores; `values`: (width, width), a head's rows together.
    """

    probes: npt.NDArray[np.float32]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """The layers after the encoder: pooling, then all Dense modules folded into one linear map (None if there are none).

    `attention`: the weights of attention pooling, None for others.
    """

    pooling: Pooling
    projection: npt.NDArray[np.float32] | None
    bias: npt.NDArray[np.float32] | None
    attention: AttentionPool | None = None


class Checkpoint:
    """A checkpoint folder, opened for conversion, or without its weights to inspect what it is.

    Of a model for several kinds of input, the text encoder is read; `left_out` names the other kinds, such as "vision".

    Raises UnsupportedCheckpointError, with the reason, for a folder that is not a checkpoint.
    """

    def __init__(self, folder: Path, *, with_weights: bool = True) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise UnsupportedCheckpointError(
                f"{folder} is not a folder.", remedy="Name the folder that contains config.json and model.safetensors."
            )
        self.config, self.left_out = _text_part(self._json("config.json"))
        self._tensor_files = _tensor_files(folder) if with_weights else {}

    @cached_property
    def model_type(self) -> str:
        """The architecture's name in transformers, such as `bert` or `gemma3_text`."""
        return str(self.config.get("model_type", "unnamed"))

    def read(self, read: Callable[[Config], Shape]) -> Shape:
        """Read something from the configuration. Raises UnsupportedCheckpointError if it is not there or of another kind."""
        try:
            return read(self.config)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise UnsupportedCheckpointError(
                f"The configuration in {self.folder / 'config.json'} cannot be read ({error!r})."
            ) from error

    @cached_property
    def head(self) -> Head:
        """The pooling and what is linear around it, the encoder's own projection and Dense modules.

        Raises what `check_modules` raises.
        """
        self.check_modules()
        projection = self._own_projection()
        bias: npt.NDArray[np.float32] | None = None
        attention = None
        for kind, path in self._modules():
            if kind == "Dense":
                projection, bias = self._fold_dense(path, projection, bias)
            elif kind == _ATTENTION_POOLING:
                attention = self._attention_pool(path)
        return Head(self.pooling, projection, bias, attention)

    @cached_property
    def pooling(self) -> Pooling:
        """How the states of the tokens become one vector: their mean, if the checkpoint says nothing."""
        if any(kind == _ATTENTION_POOLING for kind, _ in self._modules()):
            return Pooling.ATTENTION
        return next((self._pooling(path) for kind, path in self._modules() if kind == "Pooling"), Pooling.MEAN)

    def check_modules(self) -> None:
        """Raise UnsupportedCheckpointError for modules, activations and poolings that cannot be reproduced; reads no weights."""
        for kind, path in self._modules():
            if kind == "Pooling":
                self._pooling(path)
            elif kind == "Dense":
                self._check_activation(path)
            elif kind not in ("Transformer", _ATTENTION_POOLING, "Normalize"):
                raise UnsupportedCheckpointError(f"The checkpoint has a {kind} module, which searchkit does not know.")
        if tasks := [str(name) for name in self.config.get("architectures") or [] if _OTHER_TASK.search(str(name))]:
            raise UnsupportedCheckpointError(f"The checkpoint is a {tasks[0]}, which is not made for embedding.")
        kinds = [kind for kind, _ in self._modules()]
        measure = self._optional_json("config_sentence_transformers.json").get("similarity_fn_name")
        if measure not in (None, "cosine") and "Normalize" not in kinds:
            raise UnsupportedCheckpointError(
                f"The checkpoint compares vectors by {measure}; searchkit knows cosine only."
            )
        order = " ".join(kinds)
        if not re.fullmatch(rf"Transformer( Pooling| {_ATTENTION_POOLING})?( Dense)*( Normalize)?", order):
            raise UnsupportedCheckpointError(
                f"The checkpoint's modules are {order}; searchkit knows Transformer, one Pooling, Dense, Normalize, in this order."
            )

    @property
    def dense_folders(self) -> list[str]:
        """The folders, relative to the checkpoint's, of the modules that have their own weights."""
        return [path for kind, path in self._modules() if kind == "Dense"]

    @property
    def module_folders(self) -> list[str]:
        """The folders, relative to the checkpoint's, of all modules except the encoder."""
        return [path for kind, path in self._modules() if kind != "Transformer"]

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """The prompt prefixes by name; empty if the checkpoint has none."""
        config = self._optional_json("config_sentence_transformers.json")
        prompts = config.get("prompts") or {}
        if not isinstance(prompts, dict):
            raise UnsupportedCheckpointError(
                "The checkpoint's prompts are no table (config_sentence_transformers.json)."
            )
        usual = prompts.get(config.get("default_prompt_name") or "")
        return prompts if usual is None else {"query": usual, "document": usual, **prompts}

    @cached_property
    def prefix_dimensions(self) -> tuple[int, ...]:
        """The Matryoshka prefixes that the checkpoint itself says it was trained for, largest first; empty if it says nothing."""
        given = self._optional_json("config_sentence_transformers.json").get(PREFIXES)
        sizes = given if isinstance(given, list) else []
        return tuple(sorted({size for size in sizes if isinstance(size, int) and size > 0}, reverse=True))

    @cached_property
    def max_tokens(self) -> int:
        """The number of tokens of the longest input, special ones included.

        sentence-transformers reads it from its own configuration or else from the tokenizer's; if neither says it, it is the
        number of positions, of which we take 8,192 at most.
        """
        limits = [
            self._optional_json(file).get(name)
            for file, name in (
                ("sentence_bert_config.json", "max_seq_length"),
                ("tokenizer_config.json", "model_max_length"),
            )
        ]
        positions = int(self.config.get("max_position_embeddings", 512))
        given = [
            int(limit) for limit in limits if isinstance(limit, int | float) and _FEWEST_TOKENS <= limit <= _NO_LIMIT
        ]
        return min(given[0], positions) if given else min(positions, _MOST_TOKENS)

    @cached_property
    def licence(self) -> str:
        """The licence named in the model card's front matter, or "unknown"."""
        card = self.folder / "README.md"
        text = card.read_text("utf-8", errors="replace")[:5000] if card.is_file() else ""
        found = re.search(r"^license(?:_name)?:\s*(\S+)", text, flags=re.MULTILINE)
        return found.group(1) if found else "unknown"

    def has(self, name: str) -> bool:
        """Return whether the checkpoint contains a tensor of that name."""
        return name in self._tensor_files

    def tensor(self, name: str) -> npt.NDArray[np.float32]:
        """Read a tensor as float32. Raises UnsupportedCheckpointError if it is missing."""
        if name not in self._tensor_files:
            raise UnsupportedCheckpointError(f"The checkpoint lacks the tensor {name}.")
        return _read_tensor(self._tensor_files[name], name)

    def table(self, name: str) -> "TensorTable":
        """Open a large matrix that is read in parts. Raises UnsupportedCheckpointError if it is missing."""
        if name not in self._tensor_files:
            raise UnsupportedCheckpointError(f"The checkpoint lacks the tensor {name}.")
        return TensorTable(self._tensor_files[name], name)

    def prefix_of(self, tensor: str) -> str:
        """Return the prefix of a tensor's plain name in this checkpoint, such as "" or "model."; the text encoder's if several."""
        found = [name[: -len(tensor)] for name in self._tensor_files if name == tensor or name.endswith(f".{tensor}")]
        if not found:
            raise UnsupportedCheckpointError(f"The checkpoint lacks the tensor {tensor}.")
        return next((prefix for prefix in found if _TEXT.search(prefix)), found[0])

    def _modules(self) -> list[tuple[str, str]]:
        """List (kind, folder) of every module in order; a bare encoder counts as mean-pooled."""
        if not (self.folder / "modules.json").is_file():
            return [("Transformer", "")]
        try:
            modules = json.loads((self.folder / "modules.json").read_text("utf-8"))
            found = [(str(module["type"]).rsplit(".", 1)[-1], str(module["path"])) for module in modules]
        except (KeyError, TypeError, ValueError) as error:
            raise UnsupportedCheckpointError(
                f"{self.folder / 'modules.json'} is no list of modules with type and path ({error!r})."
            ) from error
        for _, path in found:
            if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
                raise UnsupportedCheckpointError(f"The module folder {path!r} lies outside the checkpoint.")
        return found

    def _own_projection(self) -> npt.NDArray[np.float32] | None:
        """Read the projection that an EmbeddingGemma 2 encoder applies to every token: pooling and products commute."""
        if self.model_type != "embedding_gemma2_text":
            return None
        return self.tensor(self.prefix_of("embed_tokens.weight") + _OWN_PROJECTION)

    def _fold_dense(
        self, path: str, projection: npt.NDArray[np.float32] | None, bias: npt.NDArray[np.float32] | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Append a Dense module to the map so far: W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂)."""
        tensors = _tensor_files(self.folder / path)
        if "linear.weight" not in tensors:
            raise UnsupportedCheckpointError(f"The Dense module {path} lacks the tensor linear.weight.")
        weight = _read_tensor(tensors["linear.weight"], "linear.weight").astype(np.float64)
        own = (
            _read_tensor(tensors["linear.bias"], "linear.bias").astype(np.float64) if "linear.bias" in tensors else None
        )
        carried = None if bias is None else weight @ bias
        folded = weight if projection is None else weight @ projection
        both = [part for part in (carried, own) if part is not None]
        return folded.astype(np.float32), np.sum(both, axis=0).astype(np.float32) if both else None

    def _attention_pool(self, path: str) -> AttentionPool:
        tensors = _tensor_files(self.folder / path)
        if missing := {"probes", "value.weight"} - tensors.keys():
            raise UnsupportedCheckpointError(f"The module {path} lacks the tensor {min(missing)}.")
        probes, values = (_read_tensor(tensors[name], name) for name in ("probes", "value.weight"))
        width = values.shape[0]
        if values.shape != (width, width) or probes.shape[1:] != (width,) or width % len(probes):
            raise UnsupportedCheckpointError(
                f"The module {path} has {probes.shape} probes and {values.shape} values, which do not fit together."
            )
        return AttentionPool(probes, values)

    def _check_activation(self, path: str) -> None:
        activation = str(self._json(f"{path}/config.json").get("activation_function", "")).rsplit(".", 1)[-1]
        if activation != "Identity":
            raise UnsupportedCheckpointError(
                f"The Dense module {path} has the activation {activation or 'Tanh'}; only Identity can be folded."
            )

    def _pooling(self, path: str) -> Pooling:
        return _pooling(self._json(f"{path}/config.json"), has_prompts=any(self.prompts.values()))

    def _json(self, name: str) -> Config:
        path = self.folder / name
        if not path.is_file():
            raise UnsupportedCheckpointError(
                f"{self.folder} contains no {name}; it is not a sentence-transformers checkpoint."
            )
        try:
            content = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise UnsupportedCheckpointError(f"{path} is not valid JSON: {error}") from error
        if not isinstance(content, dict):
            raise UnsupportedCheckpointError(f"{path} does not contain a JSON object.")
        return content

    def _optional_json(self, name: str) -> Config:
        return self._json(name) if (self.folder / name).is_file() else {}


class TensorTable:
    """A matrix of a checkpoint that is read a few rows at a time."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name

    @cached_property
    def shape(self) -> tuple[int, int]:
        """The number of rows and the width."""
        rows, width = self._tensor.shape
        return rows, width

    def rows(self, wanted: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Read some rows as float32: a slice, or the rows with the given numbers."""
        return read_floats(self._file, self._tensor, wanted)

    @cached_property
    def _tensor(self) -> Tensor:
        return read_header(self._file)[self._name]


def _text_part(config: Config) -> tuple[Config, tuple[str, ...]]:
    """Split the configuration of a model for several kinds of input into that of its text encoder and the other kinds."""
    text = config.get("text_config")
    kind = f"{config.get('model_type')}_text"
    if not isinstance(text, dict) or text.get("model_type", kind) != kind:
        return config, ()
    others = [name.removesuffix("_config") for name, value in config.items() if name.endswith("_config") and value]
    return {"model_type": kind, **text}, tuple(name for name in others if name != "text")


def _pooling(config: Config, *, has_prompts: bool) -> Pooling:
    modes = {
        key.removeprefix("pooling_mode_"): value for key, value in config.items() if key.startswith("pooling_mode_")
    }
    chosen = {"mean_tokens": "mean", "cls_token": "cls"}  # lasttoken is called so in both forms
    active = [chosen.get(mode, mode) for mode, on in modes.items() if on is True] or [
        str(config.get("pooling_mode", "mean"))
    ]
    if len(active) != 1 or active[0] not in (Pooling.MEAN, Pooling.CLS, Pooling.LAST):
        raise UnsupportedCheckpointError(
            f"The checkpoint pools by {' + '.join(active)}; searchkit knows mean, cls and lasttoken."
        )
    if has_prompts and config.get("include_prompt") is False:
        raise UnsupportedCheckpointError(
            "The checkpoint leaves the prompt out of pooling, which searchkit does not do."
        )
    return Pooling(active[0])


def _tensor_files(folder: Path) -> dict[str, Path]:
    """Map each tensor to its safetensors file, sharded checkpoints included."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        reason = "only pickled weights, which can run code when read" if pickled else "no weights"
        raise UnsupportedCheckpointError(
            f"{folder} contains {reason}. searchkit reads *.safetensors only.",
            remedy="Ask its authors for a safetensors version." if pickled else None,
        )
    places: dict[str, Path] = {}
    for file in files:
        try:
            places.update(dict.fromkeys(read_header(file), file))
        except DamagedWeightsError as error:
            message = f"{file} is damaged or cut short ({error})."
            raise UnsupportedCheckpointError(message, remedy="Download it again.") from error
    return places


def _read_tensor(file: Path, name: str) -> npt.NDArray[np.float32]:
    return read_floats(file, read_header(file)[name])
