"""Which checkpoint is trained: a folder, or the one that an installed model was made of, where that is still at hand."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.model_folder import ModelCard, checksum
from searchkit.embedding.model_info import Prompts, Quantization, prompts_of_checkpoint
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint, default_name
from searchkit.errors import TrainingError, UnsupportedCheckpointError


@dataclass(frozen=True)
class Base:
    """A checkpoint to start from, under the name that people know it by."""

    folder: Path
    name: str

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """Its files. Raises UnsupportedCheckpointError if they are not there."""
        return Checkpoint(self.folder)

    @cached_property
    def prompts(self) -> Prompts:
        """What is put around its texts."""
        return prompts_of_checkpoint(self.checkpoint.prompts)

    @cached_property
    def weights_checksum(self) -> str:
        """SHA-256 of its largest file of weights."""
        return checksum(max(self.folder.glob("*.safetensors"), key=lambda path: path.stat().st_size))


def find_base(models: ModelStore, named: str) -> Base:
    """The base that `named` says: a checkpoint's folder or an installed model.

    Raises TrainingError, with where to get it, if the weights that a model was made of are not here; ModelNotFoundError;
    UnsupportedCheckpointError for a folder that cannot be imported again.
    """
    folder = Path(named).expanduser()
    own_name = default_name(folder.resolve().name, Quantization.INT8)
    base = Base(folder, own_name) if folder.is_dir() else _of_model(models, named)
    base.checkpoint.check_modules()
    _ = base.prompts
    return base


def _of_model(models: ModelStore, name: str) -> Base:
    models.require(name)
    card = next((card for card in models.installed() if card.name == name), None)
    bundled = bundled_checkpoint()
    if bundled is not None and (name == BUNDLED or (card and card.source.get("checkpoint") == bundled.name)):
        return Base(bundled, name)
    cached = _in_hub_cache(card) if card else None
    if cached is None:
        source = card.source.get("repository") or card.source.get("checkpoint", "") if card else ""
        raise TrainingError(
            f"The original weights of '{name}' ({source}) are not kept after its import, and training needs them."
            " Name the folder that has them: --base FOLDER"
        )
    return Base(cached, name)


def _in_hub_cache(card: ModelCard) -> Path | None:
    """The repository that a pulled model came from, where another program has downloaded it; looks at the disk only."""
    repository, revision = card.source.get("repository"), card.source.get("revision")
    if not (repository and revision):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
        Checkpoint(folder)
    except (LocalEntryNotFoundError, UnsupportedCheckpointError, OSError, ValueError):
        return None
    return folder
