"""Makes a checkpoint of trained weights: averaged, mixed with the base, written into a copy of the base's folder, and checked.

Everything else is copied byte by byte: window, heads, prompts, tokenizer and maximal length stay the base's.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from searchkit.embedding.graph.trained_form import FORM_FILE
from searchkit.errors import ModelError

Tensors = Mapping[str, Tensor]
_COPIED = (".json", ".txt", ".model", ".md")
_NOTICES = ("LICENSE", "LICENCE", "NOTICE", "USE_POLICY")
BASE_CARD = "README.base.md"  # the base's model card, next to the tuned model's own


def mean_of(checkpoints: Sequence[Tensors]) -> dict[str, Tensor]:
    """Average checkpoints with the same tensors (a soup)."""
    return {name: torch.stack([each[name].float() for each in checkpoints]).mean(dim=0) for name in checkpoints[0]}


def mixed(base: Tensor, tuned: Tensor, share: float) -> Tensor:
    """(1 - share) base + share tuned, in float32."""
    return base.float() + share * (tuned.float() - base.float())


def write_tuned(base: Path, target: Path, tuned: Mapping[str, Tensors], *, share: float = 1.0) -> None:
    """Copy the checkpoint folder `base` to the folder `target`, which exists and is empty, with tuned weights.

    `tuned`: by module folder ("" for the encoder), then by name; `share`: of the tuned weights, see `mixed`. Weights are
    written as float32. Raises ModelError if a tuned weight has no place in the base.
    """
    for place, tensors in tuned.items():
        files = sorted((base / place).glob("*.safetensors"))
        if (base / place / "model.safetensors") in files:
            files = [base / place / "model.safetensors"]
        written: set[str] = set()
        (target / place).mkdir(exist_ok=True)
        for file in files:
            written |= _write_weights(file, target / place / file.name, tensors, share)
        if missing := {name for name in tensors if _is_weight(name)} - written:
            raise ModelError(f"The tuned weights {', '.join(sorted(missing)[:3])} have no place in {base / place}.")
    copy_description(base, target)


def _write_weights(source: Path, target: Path, tensors: Tensors, share: float) -> set[str]:
    """Write one file of weights, and return the names of the tuned ones in it."""
    written: set[str] = set()
    content: dict[str, Tensor] = {}
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
        for name in file.keys():  # noqa: SIM118 - it is not a mapping
            value = file.get_tensor(name)
            own = _name_in(tensors, name)
            if own is not None and value.is_floating_point():
                value = mixed(value, tensors[own].cpu(), share)
                written.add(own)
            content[name] = (value.float() if value.is_floating_point() else value).contiguous()
    save_file(content, target, metadata=metadata)
    return written


def _name_in(tensors: Tensors, name: str) -> str | None:
    """The tensor's name in the network, without the prefix that files may have."""
    while name not in tensors:
        _, dot, name = name.partition(".")
        if not dot:
            return None
    return name


def _is_weight(name: str) -> bool:
    """True if a file must have it; buffers such as position numbers may be computed again."""
    return name.endswith((".weight", ".bias")) and "pooler" not in name


def copy_description(base: Path, target: Path) -> None:
    """Copy everything of a checkpoint except its weights, and what these were rounded to in training."""
    for file in sorted(base.rglob("*")):
        place = file.relative_to(base)
        fits = file.suffix in _COPIED or file.name.startswith(_NOTICES)
        if (
            not file.is_file()
            or not fits
            or len(place.parts) > 2
            or _is_foreign(place, base)
            or place.name == FORM_FILE
        ):
            continue
        (target / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target / (BASE_CARD if place.name == "README.md" else place))
    config = json.loads((target / "config.json").read_text("utf-8"))
    for key in {"dtype", "torch_dtype"} & config.keys():
        config[key] = "float32"
    if config != json.loads((base / "config.json").read_text("utf-8")):  # only if the base is stored in lower precision
        (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _is_foreign(place: Path, base: Path) -> bool:
    """True if a file is in a folder that is not a module's, such as exports to other formats."""
    modules = base / "modules.json"
    own = {str(module["path"]) for module in json.loads(modules.read_text("utf-8"))} if modules.is_file() else set()
    return len(place.parts) == 2 and place.parts[0] not in own


def check_same_shape(base: Path, tuned: Path) -> None:
    """Raise ModelError unless the tuned checkpoint has the base's tensors, window, heads, prompts and maximal length."""
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        if (base / name).is_file() and _json(base / name) != _json(tuned / name):
            raise ModelError(f"{name} of the tuned checkpoint is not the base's.")
    before, after = _json(base / "config.json"), _json(tuned / "config.json")
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if changed - {"dtype", "torch_dtype"}:
        raise ModelError(f"config.json of the tuned checkpoint is not the base's: {', '.join(sorted(changed))}.")
    for file in base.rglob("model*.safetensors"):
        place = file.relative_to(base)
        if (tuned / place).is_file() and _shapes(file) != _shapes(tuned / place):
            raise ModelError(f"{place} of the tuned checkpoint has other tensors than the base's.")


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
