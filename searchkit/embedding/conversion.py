"""A conversion of a checkpoint that may be stopped at any time: what is finished is kept, and the next one goes on from it.

The parts lie in a hidden folder beside the model to be. They are of use for the same checkpoint, quantization and texts only,
and are removed when the model is finished, when it turns out to be impossible, and when another checkpoint takes its name.
Knows nothing of what the parts are.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.model_folder import checksum, is_sound
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import UNFINISHED
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, publish_folder
from searchkit.reports import Progress, ProgressListener
from searchkit.types import Passage

_DECISIVE = frozenset((".json", ".model", ".safetensors", ".txt"))  # files of a checkpoint that the model is made of
_KEY = "key"
_VERSION = 1  # of the parts: raise it with any change to what an import writes
_WHOLE = 100  # per cent
Arrays = Mapping[str, npt.NDArray[Any]]


def silent(_: Progress) -> None:
    """Ignore progress."""


class Conversion:
    """The finished parts of a conversion, by name: arrays and facts (what JSON can say). `folder`: the model folder to be.

    `parts`: the folder in which they are kept; None for a conversion that starts anew each time.
    """

    def __init__(self, folder: Path, parts: Path | None = None, on_progress: ProgressListener = silent) -> None:
        self.folder = folder
        self._parts = parts
        self._on_progress = on_progress

    def report(self, share: float, what: str) -> None:
        """Tell what is being done now, and which share of the whole was done before."""
        self._on_progress(Progress("Converting", round(_WHOLE * share), _WHOLE, "%", note=what))

    def arrays(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of a part, computed unless they are there."""
        if (kept := self.kept_arrays(name)) is not None:
            return kept
        found = compute()
        self.keep_arrays(name, found)
        return found

    def kept_arrays(self, name: str) -> Arrays | None:
        """Return the arrays of a part, None if it is not finished."""
        if self._parts is None:
            return None
        try:
            with (self._parts / f"{name}.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):  # also one that a crash of the machine has cut
            return None

    def keep_arrays(self, name: str, found: Arrays) -> None:
        """Store the arrays of a part, in place of earlier ones."""
        if self._parts is None:
            return
        temporary = self._parts / f"{name}.part"
        with temporary.open("wb") as file:
            np.savez(file, **dict[str, Any](found))
        temporary.replace(self._parts / f"{name}.npz")

    def fact(self, name: str) -> Any:
        """Return a fact, None if it is not there."""
        if self._parts is None:
            return None
        try:
            return json.loads((self._parts / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def keep_fact(self, name: str, value: object) -> None:
        """Store a fact, in place of an earlier one."""
        if self._parts is None:
            return
        temporary = self._parts / f"{name}.part"
        temporary.write_text(json.dumps(value), "utf-8")
        temporary.replace(self._parts / f"{name}.json")

    def forget(self, name: str) -> None:
        """Remove a part: what it says no longer holds."""
        if self._parts is not None:
            for suffix in ("json", "npz"):
                (self._parts / f"{name}.{suffix}").unlink(missing_ok=True)

    def once(self, name: str, work: Callable[[], object]) -> None:
        """Do work that leaves its result in the model folder, unless it was done."""
        if self.fact(name) is None:
            work()
            self.keep_fact(name, True)


@contextmanager
def conversion(target: Path, key: str, on_progress: ProgressListener = silent) -> Iterator[Conversion]:
    """A conversion to the model folder `target`, which appears when the block ends without an error.

    `key`: what the model is made of; parts of another one are removed. Parts stay if the process is interrupted or killed, and
    not after an error. Another process that converts to the same folder is waited for.

    Raises FileExistsError if the target is a sound model when it begins, or is there when it ends.
    """
    place = target.parent / f".{target.name}{UNFINISHED}"
    with _locked(place):
        if is_sound(target):
            shutil.rmtree(place, ignore_errors=True)
            raise FileExistsError(f"{target} exists already")
        if not _is_of(place, key):
            for old in (place / target.name, place / "parts"):
                shutil.rmtree(old, ignore_errors=True)
        parts, folder = make_private_folder(place / "parts"), make_private_folder(place / target.name)
        (parts / _KEY).write_text(key, "utf-8")
        try:
            yield Conversion(folder, parts, on_progress)
            publish_folder(folder, target)
        except Exception:
            shutil.rmtree(place, ignore_errors=True)
            raise
        shutil.rmtree(place, ignore_errors=True)


def key_of(checkpoint: Path, quantization: Quantization, passages: Sequence[Passage]) -> str:
    """Digest all that a model is made of: the checkpoint's files, the quantization, the texts, and what converts them."""
    files = sorted(path for path in checkpoint.rglob("*") if path.suffix in _DECISIVE and path.is_file())
    content = [(str(path.relative_to(checkpoint)), checksum(path)) for path in files]
    texts = [(passage.title, passage.text) for passage in passages]
    return hashlib.sha256(json.dumps([_VERSION, content, quantization, texts]).encode()).hexdigest()


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the lock of a conversion's folder, which the process that held it before may have removed."""
    from filelock import FileLock

    while True:
        file = make_private_folder(place) / "lock"
        lock = FileLock(file, mode=PRIVATE_FILE_MODE)
        try:
            lock.acquire()
        except FileNotFoundError:
            continue
        if file.exists():
            break
        lock.release()
    try:
        yield
    finally:
        lock.release()


def _is_of(place: Path, key: str) -> bool:
    try:
        return (place / "parts" / _KEY).read_text("utf-8") == key
    except OSError:
        return False
