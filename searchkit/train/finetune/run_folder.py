"""The folder in which a run keeps its state between two starts of the program, and what identifies the run."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.display import size
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.files import make_private_folder, write_atomically
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.data import Data
from searchkit.train.finetune.objective import Teacher
from searchkit.train.options import FinetuneOptions, LossWeights, writing_to

_MANIFEST = "run.json"
_TEACHER = "teacher.npz"
_WANTED = "validation.npy"
# Options that may change between two starts: how it is computed and what is made of it, not what is computed.
_FREE = ("tokens_at_once", "threads", "checkpoint_minutes", "mix", "soup")
_STATES = 4  # on the disk at once, at most: one being written, the newest, the best, one to be removed
_PER_TRAINED = 3  # weights, and the optimizer's two numbers for each


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run."""

    path: Path

    @property
    def states(self) -> Path:
        """The folder of the trainer's states."""
        return self.path / "states"

    @property
    def prepared(self) -> Path:
        """The folder of the checkpoint that training in a quantization starts from."""
        return self.path / "prepared"

    @property
    def checkpoint(self) -> Path:
        """The folder of the tuned checkpoint."""
        return self.path / "checkpoint"

    def open(self, identity: str, *, fresh: bool) -> bool:
        """Create the folder, or resume the run in it. Returns True if a run is resumed.

        Raises TrainingError if the folder is another run's; with `fresh`, that is removed.
        """
        if fresh:
            self.remove()
        known = self.manifest().get("identity")
        if known not in (None, identity):
            fresh_start = Remedy(Action.CHANGE_OPTION, option=Option.FRESH, sentence="Start over")
            raise TrainingError(
                f"{self.path} has an unfinished run with other pairs or options.",
                remedy=Remedy(sentence="Resume it with the options that it was started with") | fresh_start,
            )
        with writing_to(self.path, "The run's state"):
            make_private_folder(self.states)
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        self.note(identity=identity)
        return known is not None

    def manifest(self) -> Mapping[str, Any]:
        """The facts that were noted; none if they cannot be read."""
        try:
            content = json.loads((self.path / _MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def note(self, **facts: object) -> None:
        """Add facts to the manifest."""
        content = {**self.manifest(), **facts}
        with writing_to(self.path, "The run's state"):
            write_atomically(self.path / _MANIFEST, json.dumps(content, indent=2).encode())

    def teacher(self) -> Teacher | None:
        """The base's vectors, None if they were not computed yet."""
        try:
            with np.load(self.path / _TEACHER, allow_pickle=False) as stored:
                return Teacher(**{name: stored[name] for name in ("queries", "positives", "negatives")})
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def keep_teacher(self, teacher: Teacher) -> None:
        """Write the base's vectors, whole or not at all."""
        temporary = self.path / f".{_TEACHER.removesuffix('.npz')}.tmp.npz"
        with writing_to(self.path, "The base's vectors"):
            np.savez(temporary, **asdict(teacher))
            temporary.replace(self.path / _TEACHER)

    def wanted(self) -> npt.NDArray[np.float32] | None:
        """The vectors that the validation texts should have, None if they were not computed yet."""
        try:
            found: npt.NDArray[np.float32] = np.load(self.path / _WANTED, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found

    def keep_wanted(self, vectors: npt.NDArray[np.float32]) -> None:
        """Write the vectors that the validation texts should have, whole or not at all."""
        temporary = self.path / f".{_WANTED.removesuffix('.npy')}.tmp.npy"
        with writing_to(self.path, "The base's vectors"):
            np.save(temporary, vectors)
            temporary.replace(self.path / _WANTED)

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def identity_of(base: Base, data: Data, options: FinetuneOptions, weights: LossWeights) -> str:
    """A digest that is equal for starts of the same run: of base, pairs, and every option that changes the result."""
    chosen = {name: value for name, value in asdict(options).items() if name not in _FREE}
    if options.quantize is None:  # so that runs of earlier versions, which knew of no quantization, can be resumed
        del chosen["quantize"]
    digest = hashlib.sha256(json.dumps([base.weights_checksum, chosen, asdict(weights)], sort_keys=True).encode())
    for row in (*data.train, *data.validation):
        digest.update(json.dumps(asdict(row)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def check_space(folder: Path, base: Base, trained_numbers: int, *, copies: int = 2) -> None:
    """Raise TrainingError unless there is room for the states and for `copies` of the checkpoint.

    These are the tuned checkpoint and the model made of it; or also the prepared one.
    """
    weights = sum(path.stat().st_size for path in base.folder.rglob("*.safetensors"))
    needed = _STATES * _PER_TRAINED * 4 * trained_numbers + copies * weights
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TrainingError(
            f"Training needs {size(needed)} at {folder}, but only {size(free)} is free.",
            remedy="Make room, or choose another disk (SEARCHKIT_HOME).",
        )
