"""The checkpoint to train: a folder, or the one that an installed model was made from, if it is still here; and its model card."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.trained_form import read_form
from searchkit.embedding.model_folder import ModelCard, checksum
from searchkit.embedding.model_info import Prompts, Quantization, prompts_of_checkpoint
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint, default_name
from searchkit.errors import Action, Option, Remedy, TrainingError, UnsupportedCheckpointError

_GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at https://ai.google.dev/gemma/terms. This model is a"
    " Model Derivative of Gemma: whoever passes it on must pass these terms and their use restrictions on with it, and say"
    " that its weights were modified."
)


@dataclass(frozen=True)
class Base:
    """A checkpoint to start from; `name` is the one that people know it by."""

    folder: Path
    name: str

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint's files. Raises UnsupportedCheckpointError if they are missing."""
        return Checkpoint(self.folder)

    @cached_property
    def prompts(self) -> Prompts:
        """The prompts around its texts."""
        return prompts_of_checkpoint(self.checkpoint.prompts)

    @cached_property
    def weights_checksum(self) -> str:
        """The SHA-256 of its largest file of weights."""
        return checksum(max(self.folder.glob("*.safetensors"), key=lambda path: path.stat().st_size))

    @property
    def licence(self) -> str:
        """The licence, also of a tuned model: Gemma's terms for its family, whatever a copy's card says."""
        licence = self.checkpoint.licence
        is_gemma = self.checkpoint.model_type.startswith("gemma") or "gemma" in licence.lower()
        return "gemma" if is_gemma else licence


def find_base(models: ModelStore, named: str, quantize: Quantization | None = None) -> Base:
    """Find a base by a checkpoint's folder or an installed model's name. `quantize`: what it will be trained in, None for floats.

    Raises TrainingError if the weights that a model was made from are not here or only have a sense in another quantization,
    ModelNotFoundError, and UnsupportedCheckpointError for a folder that cannot be imported again.
    """
    folder = Path(named).expanduser()
    own_name = default_name(folder.resolve().name, Quantization.INT8)
    base = Base(folder, own_name) if folder.is_dir() else _of_model(models, named)
    base.checkpoint.check_modules()
    _ = base.prompts
    check_trained_in(base.folder, quantize)
    return base


def check_trained_in(folder: Path, quantize: Quantization | None) -> None:
    """Raise TrainingError for a checkpoint that was trained in int4 if it is to be used in anything else.

    Before they are rounded, its weights hold compensations for their rounding, and are no model that was trained.
    """
    form = read_form(folder)
    if form is not None and form.quantization is Quantization.INT4 and quantize is not Quantization.INT4:
        raise TrainingError(
            f"{folder} was trained in {form.quantization}; in floats its weights are not what was trained.",
            remedy=f"Name the checkpoint that it was made from, or train it in {form.quantization} again.",
        )


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
            f"Training needs the original weights of '{name}' ({source}), which are not kept after its import.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.BASE, sentence="Name the folder that has them"),
        )
    return Base(cached, name)


def _in_hub_cache(card: ModelCard) -> Path | None:
    """The repository that a model was pulled from, if another program has downloaded it; looks only at the disk."""
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


def model_card(base: Base, facts: Mapping[str, object], *, teacher: str = "", teacher_licence: str = "") -> str:
    """Write the tuned model's card as Markdown. `facts`: the rows of its table.

    `teacher`: whose vectors a student of `base` has learned, "" for a tuned model; its licence counts too.
    """
    licence = inherited_licence(base, teacher_licence)
    notice = f"\n{_GEMMA_NOTICE}\n" if licence == "gemma" else ""
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    title = f"A student of {teacher}" if teacher else f"A fine-tuned {base.name}"
    command = "searchkit train distill" if teacher else "searchkit train finetune"
    learned = f", learning the vectors of {teacher}," if teacher else ""
    applies = f"{base.name}'s and {teacher}'s licences apply" if teacher else "The base's licence applies"
    return f"""---
license: {licence}
base_model: {base.name}
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# {title}

Made from {base.name} by `{command}`{learned} on its user's own documents. The documents are not part of the model, but
a model can reveal something about what it was trained on: pass it on only to people who may read them.

| | |
|---|---|
{table}

## Licence

{applies} to this model too: {_licences(base, teacher_licence)}.
{notice}
"""


def inherited_licence(base: Base, teacher_licence: str = "") -> str:
    """The licence of what is made of a base, or learned from a teacher: Gemma's terms cover models that learn its output."""
    return "gemma" if "gemma" in teacher_licence.lower() else base.licence


def _licences(base: Base, teacher_licence: str) -> str:
    return " and ".join(dict.fromkeys(filter(None, (base.licence, teacher_licence))))
