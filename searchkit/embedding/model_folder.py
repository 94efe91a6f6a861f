"""The model folder: model.onnx, weights.bin, tokenizer, reference vectors, and model.json with their checksums and its own.

All files are read and compared with their checksums once, again when one has changed, and after a week. That they were found
sound is remembered beside them by the size, time and inode of each, so that starting costs no reading.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from searchkit.embedding.known_models import get_again
from searchkit.embedding.model_info import UNMEASURED, Fidelity, ModelInfo, Prompts, Quantization, Scale
from searchkit.embedding.tokenizer import TokenizerKind
from searchkit.errors import ModelError
from searchkit.files import write_atomically

FORMAT = 1
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"
ADAPTER_FILE = "adapter.npy"  # of an adapted model only, see adapted_model.py
REFERENCE_FILE = "reference.npy"
JUDGED_FILE = "judged.npy"  # vectors of the judged set, see scale.py; not in models of early versions
PROVISIONAL_FILE = "provisional.npy"  # these two: see provisional.py; not in models of early versions
CORRECTION_FILE = "provisional_correction.npy"
CARD_FILE = "model.json"
CHECKED_FILE = "checked.json"
WEEK_SECONDS = 7 * 86400.0  # a bit that falls over on the disk changes no time
_SEAL = "seal"  # its own checksum


@dataclass(frozen=True)
class ModelCard:
    """The content of model.json. `checksums`: SHA-256 by file name; `source`: the origin of the weights and their hash.

    `similarity_range`: mean cosines of unrelated and of matching pairs of the built-in sample, see ModelInfo. `scale`: measured
    on the judged set. `fidelity`: None for models imported before it was measured.
    """

    name: str
    architecture: str
    dimension: int
    prefix_dimensions: tuple[int, ...]
    max_tokens: int
    prompts: Prompts
    quantization: Quantization
    tokenizer: TokenizerKind
    tokenizer_file: str
    licence: str
    source: Mapping[str, str]
    checksums: Mapping[str, str]
    similarity_range: tuple[float, float]
    scale: Scale = UNMEASURED
    fidelity: Fidelity | None = None

    @cached_property
    def fingerprint(self) -> str:
        """A hash, 16 hex digits, of everything that determines a vector."""
        files = [self.checksums.get(name, "") for name in (GRAPH_FILE, WEIGHTS_FILE, self.tokenizer_file)]
        files += [self.checksums[ADAPTER_FILE]] if ADAPTER_FILE in self.checksums else []
        decisive = [files, asdict(self.prompts), self.max_tokens, self.tokenizer]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]

    @property
    def root_fingerprint(self) -> str:
        """The fingerprint of the model that this one was adapted from, else its own; see ModelInfo."""
        return self.source.get("root", "") or self.fingerprint

    @property
    def info(self) -> ModelInfo:
        """The facts that an embedder publishes about its model."""
        return ModelInfo(
            name=self.name,
            dimension=self.dimension,
            prefix_dimensions=self.prefix_dimensions,
            fingerprint=self.fingerprint,
            root_fingerprint=self.root_fingerprint,
            max_tokens=self.max_tokens,
            similarity_range=self.similarity_range,
            scale=self.scale,
        )

    def write(self, folder: Path) -> None:
        """Write model.json, with the checksum of what it says."""
        content = {"format": FORMAT, **asdict(self)}
        content[_SEAL] = _seal_of(content)
        write_atomically(folder / CARD_FILE, json.dumps(content, indent=2, ensure_ascii=False).encode())


def read_model_card(folder: Path) -> ModelCard:
    """Read model.json of a model folder.

    Raises ModelError if it is missing, damaged or of another format.
    """
    try:
        content: Any = json.loads((folder / CARD_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} is not a readable model folder ({error}).", remedy=get_again(folder.name)
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{folder / CARD_FILE} is damaged (no JSON object).", remedy=get_again(folder.name))
    seal = content.pop(_SEAL, None)
    if seal is not None and seal != _seal_of(content):
        raise ModelError(
            f"{folder / CARD_FILE} is damaged (it does not match its checksum).", remedy=get_again(folder.name)
        )
    if content.pop("format", None) != FORMAT:
        raise ModelError(f"{folder} was written by another version of searchkit.", remedy=get_again(folder.name))
    try:
        card = ModelCard(
            **{
                **content,
                "name": folder.name,  # renaming the folder renames the model
                "prefix_dimensions": tuple(content["prefix_dimensions"]),
                "prompts": Prompts(**content["prompts"]),
                "quantization": Quantization(content["quantization"]),
                "tokenizer": TokenizerKind(content["tokenizer"]),
                "similarity_range": tuple(content["similarity_range"]),
                "scale": _scale(content.get("scale")),
                "fidelity": _fidelity(content.get("fidelity")),
            }
        )
        _check(card)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder / CARD_FILE} is damaged ({error}).", remedy=get_again(folder.name)) from error
    return card


def _is_sealed(folder: Path) -> bool:
    """Return whether model.json has a checksum of its own, which those of early versions lack."""
    return _SEAL in json.loads((folder / CARD_FILE).read_bytes())


def _seal_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _scale(values: Any) -> Scale:
    if values is None:
        return UNMEASURED
    return Scale(**{**values, "languages": None if values["languages"] is None else tuple(values["languages"])})


def _fidelity(values: Any) -> Fidelity | None:
    return None if values is None else Fidelity(**{**values, "floats": tuple(values["floats"])})


def _check(card: ModelCard) -> None:
    """Raise ValueError for values that no import writes."""
    numbers = {"dimension": card.dimension, "max_tokens": card.max_tokens}
    for name, value in numbers.items():
        if not (isinstance(value, int) and value > 0):
            raise ValueError(f"{name} is {value!r}")
    if not all(isinstance(size, int) and 0 < size <= card.dimension for size in card.prefix_dimensions):
        raise ValueError(f"prefix_dimensions are {card.prefix_dimensions!r}")
    low, high = card.similarity_range
    if not -1 <= low <= high <= 1:
        raise ValueError(f"similarity_range is {card.similarity_range!r}")
    cuts = (card.scale.short_cut, card.scale.long_cut, card.scale.support)
    if not all(math.isfinite(cut) for cut in cuts) or not 0 < card.scale.short_tokens < card.scale.long_tokens:
        raise ValueError(f"scale is {card.scale!r}")


def file_problems(folder: Path, card: ModelCard) -> Iterator[str]:
    """Say which files of a model folder are missing or not as they were written."""
    for name in sorted({GRAPH_FILE, card.tokenizer_file} - set(card.checksums)):
        yield f"model.json contains no checksum of {name}."
    for name, expected in card.checksums.items():
        path = folder / name
        if path.parent != folder:
            yield f"model.json names {name!r}, which is not in its folder."
        elif not path.is_file():
            yield f"{name} is missing."
        elif checksum(path) != expected:
            yield f"{name} is damaged: its SHA-256 is not the one in model.json."


def damage_of(folder: Path, card: ModelCard, *, believed_seconds: float = math.inf) -> str:
    """Say what is damaged, "" for nothing. The files are read unless they were found sound at most so long ago, as they are now."""
    if 0 <= time.time() - _checked_at(folder, state_of(folder, card)) <= believed_seconds:
        return ""
    return next(iter(check_files(folder, card)), "").rstrip(".")


def check_files(folder: Path, card: ModelCard) -> tuple[str, ...]:
    """Read all files of a model; return sentences on those that are damaged, and remember it if none is.

    A model.json of an earlier version gets its checksum.
    """
    state = state_of(folder, card)
    problems = tuple(file_problems(folder, card))
    with suppress(OSError):  # on a medium that cannot be written they are read again by each process
        if problems:
            (folder / CHECKED_FILE).unlink(missing_ok=True)
        else:
            if not _is_sealed(folder):
                card.write(folder)
            write_atomically(folder / CHECKED_FILE, json.dumps({"state": state, "at": int(time.time())}).encode())
    return problems


def state_of(folder: Path, card: ModelCard) -> str:
    """What changes when a file of the model is written or replaced, 16 hex digits; it differs between machines."""
    files: list[object] = []
    for name in card.checksums:
        try:
            status = (folder / name).stat()
        except OSError:
            files.append(None)
        else:
            files.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return hashlib.sha256(json.dumps([dict(card.checksums), files]).encode()).hexdigest()[:16]


def _checked_at(folder: Path, state: str) -> float:
    """When the files were found sound in this state, in seconds since 1970; infinitely late if they were not."""
    try:
        found = json.loads((folder / CHECKED_FILE).read_bytes())
        return float(found["at"]) if found["state"] == state else math.inf
    except (OSError, ValueError, LookupError, TypeError):
        return math.inf


def is_sound(folder: Path) -> bool:
    """Return whether all files of a model folder are as they were written; reads all of them."""
    try:
        return not any(file_problems(folder, read_model_card(folder)))
    except ModelError:
        return False


def is_model_folder(folder: Path) -> bool:
    """Return whether a folder has a model.json."""
    return (folder / CARD_FILE).is_file()


def checksum(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
