"""Writes a student as a checkpoint: the layers of another one that are kept, renumbered, and one Dense head behind them.

Each layer that stays keeps what kind it is, such as seeing the whole text or a window of it, so the configuration lists the kinds
one by one. Tokenizer, prompts, pooling and maximal length are copied. Knows nothing of why these layers were chosen.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file
from torch import Tensor

from searchkit.embedding.checkpoint import PREFIXES, Checkpoint
from searchkit.embedding.graph.gemma3 import layer_types
from searchkit.errors import UnsupportedCheckpointError
from searchkit.files import new_folder
from searchkit.train.distill.layers import STACKS
from searchkit.train.finetune.weights import BASE_CARD, copy_description
from searchkit.train.options import writing_to

Matrix = npt.NDArray[np.float32]
_POOLING, _DENSE = "1_Pooling", "2_Dense"
_TYPES = "sentence_transformers.models."
_ROWS_OF_KINDS = ("_sliding_window_pattern", "sliding_window_pattern")  # of the configuration: they number all layers


def layer_count(source: Checkpoint) -> int:
    """The number of layers of a checkpoint. Raises UnsupportedCheckpointError if its configuration does not say it."""
    return source.read(lambda config: int(config["num_hidden_layers"]))


def check_removable(source: Checkpoint) -> None:
    """Raise UnsupportedCheckpointError for a checkpoint whose layers cannot be removed."""
    own = json.loads((source.folder / "config.json").read_text("utf-8")).get("model_type")
    if source.model_type not in STACKS or own != source.model_type:
        known = ", ".join(STACKS)
        raise UnsupportedCheckpointError(
            f"{source.folder} is a {own} model. Layers can be removed from these families: {known}.",
            remedy="Make the student of another checkpoint, which may keep all of its layers.",
        )


def write_student(
    source: Path, target: Path, kept: Sequence[int], head: Matrix | None = None, prefixes: Sequence[int] = ()
) -> None:
    """Write the student to the folder `target`, whole or not at all. Its weights are float32.

    `kept`: the numbers of the layers that stay, in order. `head`: (dimension, width), in place of all Dense modules; None
    keeps those. `prefixes`: the Matryoshka prefixes of its vectors, none for those of its family. Raises TrainingError if it
    cannot be written.
    """
    checkpoint = Checkpoint(source)
    with writing_to(target, "The student", SafetensorError), new_folder(target) as folder:
        copy_description(source, folder)
        if (folder / BASE_CARD).is_file():  # it says the licence
            (folder / BASE_CARD).replace(folder / "README.md")
        for index in folder.glob("*.index.json"):  # of a checkpoint in several files
            index.unlink()
        _write_config(checkpoint, folder, kept)
        names = {name: value for name, value in _tensors(source) if value is not None}
        save_file(_renumbered(checkpoint, names, kept), folder / "model.safetensors", metadata={"format": "pt"})
        if head is None:
            _copy_weights(checkpoint, folder, checkpoint.module_folders)
        else:
            _write_modules(checkpoint, folder, head)
        if prefixes:
            _write_prefixes(folder, prefixes)


def _write_config(source: Checkpoint, folder: Path, kept: Sequence[int]) -> None:
    """Write the configuration with as many layers as there are, and the kind of each."""
    config = json.loads((source.folder / "config.json").read_text("utf-8"))
    if len(kept) != layer_count(source):
        config["num_hidden_layers"] = len(kept)
        if source.model_type == "gemma3_text":
            kinds = layer_types(source.config)
            config["layer_types"] = [kinds[number] for number in kept]
            for name in _ROWS_OF_KINDS:
                config.pop(name, None)
    for name in {"dtype", "torch_dtype"} & config.keys():
        config[name] = "float32"
    _write_json(folder / "config.json", config)


def _tensors(source: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the encoder's tensors, floats as float32."""
    for path in sorted(source.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is not a mapping
                value = file.get_tensor(name)
                yield name, (value.float() if value.is_floating_point() else value).contiguous()


def _renumbered(source: Checkpoint, tensors: Mapping[str, Tensor], kept: Sequence[int]) -> dict[str, Tensor]:
    """The tensors without those of other layers than the kept ones, which are numbered from 0."""
    if len(kept) == layer_count(source):
        return dict(tensors)
    places = {number: place for place, number in enumerate(kept)}
    pattern = re.compile(rf"^((?:.*\.)?{re.escape(STACKS[source.model_type])}\.)(\d+)(\..+)$")
    found = {}
    for name, value in tensors.items():
        match = pattern.match(name)
        if match is None:
            found[name] = value
        elif int(match[2]) in places:
            found[f"{match[1]}{places[int(match[2])]}{match[3]}"] = value
    return found


def _copy_weights(source: Checkpoint, folder: Path, places: Sequence[str]) -> None:
    """Copy the weights of some modules as they are."""
    for place in places:
        for file in (source.folder / place).glob("*.safetensors"):
            (folder / place / file.name).write_bytes(file.read_bytes())


def _write_modules(source: Checkpoint, folder: Path, head: Matrix) -> None:
    """Write the list of modules with the source's pooling and a single Dense head, and that."""
    for place in source.dense_folders:
        shutil.rmtree(folder / place, ignore_errors=True)
    modules = _kept_modules(source.folder)
    if len(modules) == 1:  # a bare encoder
        settings = {"word_embedding_dimension": head.shape[1], "pooling_mode_mean_tokens": True}
        _write_json(folder / _POOLING / "config.json", settings)
        modules.append({"path": _POOLING, "type": f"{_TYPES}Pooling"})
    _copy_weights(source, folder, [str(module["path"]) for module in modules[1:]])
    modules += [{"path": _DENSE, "type": f"{_TYPES}Dense"}, {"path": "3_Normalize", "type": f"{_TYPES}Normalize"}]
    numbered = [{**module, "idx": number, "name": f"{number}"} for number, module in enumerate(modules)]
    _write_json(folder / "modules.json", numbered)
    settings = {"in_features": head.shape[1], "out_features": head.shape[0], "bias": False}
    _write_json(
        folder / _DENSE / "config.json", {**settings, "activation_function": "torch.nn.modules.linear.Identity"}
    )
    save_arrays({"linear.weight": np.ascontiguousarray(head)}, folder / _DENSE / "model.safetensors")


def _kept_modules(source: Path) -> list[dict[str, Any]]:
    """The encoder and its pooling, as a checkpoint lists them; the encoder alone if there is no list."""
    listed = source / "modules.json"
    if not listed.is_file():
        return [{"path": "", "type": f"{_TYPES}Transformer"}]
    modules = [dict(module) for module in json.loads(listed.read_text("utf-8"))]
    return [module for module in modules if not str(module["type"]).endswith((".Dense", ".Normalize"))]


def _write_prefixes(folder: Path, prefixes: Sequence[int]) -> None:
    """Note the prefixes where an import finds them."""
    file = folder / "config_sentence_transformers.json"
    settings = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    _write_json(file, {**settings, PREFIXES: list(prefixes)})


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
