"""`searchkit models`: pull, import, list, use, verify, remove."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.models_use import use_model
from searchkit.cli.output import print_json, say
from searchkit.display import on_one_line, remedy_text, size
from searchkit.embedding.model_info import Quantization
from searchkit.errors import UsageError

if TYPE_CHECKING:
    from searchkit.embedding.model_folder import ModelCard
    from searchkit.embedding.verify import Verification
    from searchkit.library import Library
    from searchkit.types import Passage

_CALIBRATION_PASSAGES = 64  # enough for stable scales; each takes a fraction of a second
_calibrate = click.option(
    "--calibrate",
    default="",
    metavar="COLLECTION",
    help="Calibrate the quantization on this collection's texts too, not only on the built-in sample.",
)
_quantization = click.option(
    "--quantization",
    type=click.Choice([kind.value for kind in Quantization]),
    default=Quantization.INT8.value,
    show_default=True,
    help="Precision of the stored weights.",
)


@click.group()
def models() -> None:
    """Get, list, choose, check and remove embedding models.

    \b
    Example:
      searchkit models pull embeddinggemma-300m
    """


models.add_command(use_model)


@dataclass(frozen=True, slots=True)
class _Row:
    """A model as `models list` prints it; None for facts that a package reveals only after its conversion."""

    name: str
    default: bool
    dimension: int | None = None
    max_tokens: int | None = None
    quantization: str | None = None
    licence: str | None = None
    size_bytes: int | None = None
    broken: str | None = None

    def __str__(self) -> str:
        head = f"{'*' if self.default else ' '} {self.name}"
        if self.broken:
            return on_one_line(f"{head}  broken: {self.broken} Remove it: searchkit models remove {self.name}")
        if self.dimension is None:
            return f"{head}  (package installed; converted when first used)"
        facts = f"{self.dimension} dimensions, {self.max_tokens} tokens, {self.quantization}, licence {self.licence}"
        return f"{head}  {facts}, {size(self.size_bytes or 0)}"


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model.")
def list_models(*, as_json: bool) -> None:
    """List the models; the one for new collections is starred."""
    from searchkit.embedding.store import GET_A_MODEL
    from searchkit.library import Library

    with Library() as library:
        rows = _rows(library)
        has_models = bool(library.models.names())
    if as_json:
        print_json(map(asdict, rows))
        return
    for row in rows:
        click.echo(row)
    if not has_models:
        say(f"No model is installed. {remedy_text(GET_A_MODEL)}")


def _rows(library: "Library") -> list[_Row]:
    """List the models by name, including broken ones and packages."""
    from searchkit.files import folder_size_bytes

    chosen = _default(library)
    rows = {name: _Row(name, name == chosen) for name in library.models.names()}
    for card in library.models.installed():
        rows[card.name] = _Row(
            name=card.name,
            default=card.name == chosen,
            dimension=card.dimension,
            max_tokens=card.max_tokens,
            quantization=card.quantization.value,
            licence=card.licence,
            size_bytes=folder_size_bytes(library.home.models / card.name),
        )
    for model in library.models.broken():
        size_bytes = folder_size_bytes(library.home.models / model.name)
        rows[model.name] = _Row(model.name, model.name == chosen, size_bytes=size_bytes, broken=model.reason)
    return [rows[name] for name in sorted(rows)]


@models.command("pull")
@click.argument("model")
@click.option("--revision", default="", help="Branch, tag or commit (default: the main branch).")
@click.option("--name", default="", help="Name of the installed model (default: its name on the hub).")
@_quantization
@_calibrate
@click.option("--offline", is_flag=True, help="Refuse to use the network (also: SEARCHKIT_OFFLINE=1).")
def pull_model(model: str, revision: str, name: str, quantization: str, calibrate: str, *, offline: bool) -> None:
    """Download MODEL from the Hugging Face hub, convert it, verify it, and delete the download.

    MODEL is embeddinggemma-300m, all-minilm-l6-v2, or the OWNER/NAME of a sentence-transformers checkpoint with
    safetensors weights (Gemma 3 encoders and the BERT family). The same command resumes an interrupted download. If a model
    requires that you accept its terms, do so on its page, then set HF_TOKEN or run `hf auth login`.

    \b
    Examples:
      searchkit models pull embeddinggemma-300m
      searchkit models pull BAAI/bge-small-en-v1.5 --name bge
    """
    from searchkit.cli.output import progress_line
    from searchkit.embedding.pull import PullRequest, pull_model
    from searchkit.library import Library

    with Library() as library:
        passages = _calibration_passages(library, calibrate)
        request = PullRequest(model, revision, name, Quantization(quantization), offline, passages)
        with progress_line() as on_progress:
            card = pull_model(library.models, library.home.downloads, request, on_progress=on_progress)
        _report(library, card, f"Pulled {card.name} from {_origin(card)}")


@models.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name of the installed model (default: the folder's name).")
@_quantization
@_calibrate
def import_model(folder: Path, name: str, quantization: str, calibrate: str) -> None:
    """Convert a sentence-transformers checkpoint FOLDER (EmbeddingGemma, or the BERT family) to a model.

    \b
    Examples:
      searchkit models import ~/Downloads/embeddinggemma-300m
      searchkit models import ~/Downloads/embeddinggemma-300m --quantization int4 --calibrate docs
    """
    from searchkit.library import Library

    with Library() as library:
        passages = _calibration_passages(library, calibrate)
        store, stored_as = library.models, Quantization(quantization)
        card = store.add(folder.expanduser(), name=name, quantization=stored_as, passages=passages)
        _report(library, card, f"Imported {card.name}")


@models.command("verify")
@click.argument("name", default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model.")
@click.pass_context
def verify_models(context: click.Context, name: str, *, as_json: bool) -> None:
    """Check the files and vectors of model NAME, or of all models. Exit code 1 if a check fails.

    \b
    Example:
      searchkit models verify
    """
    from searchkit.library import Library

    failed = False
    with Library() as library:
        store = library.models
        names = [name] if name else sorted({*store.names(), *(model.name for model in store.broken())})
        for model in names:
            found = store.verify(model)
            failed = failed or bool(found.problems)
            if as_json:
                row = {
                    "name": model,
                    "ok": not found.problems,
                    "problems": found.problems,
                    "mean_cosine": found.mean_cosine,
                    "worst_cosine": found.worst_cosine,
                    "remark": found.remark,
                }
                print_json([row])
            else:
                click.echo(on_one_line(f"{model}  {_verdict(model, found)}"))
    if failed:
        context.exit(1)


@models.command("remove")
@click.argument("name")
@click.option("--force", is_flag=True, help="Remove it even if a collection uses it.")
def remove_model(name: str, *, force: bool) -> None:
    """Delete model NAME from the disk, broken or not. Switch collections that use it to another model first.

    \b
    Example:
      searchkit models remove all-minilm-l6-v2
    """
    from searchkit.library import Library

    with Library() as library:
        before = _default(library)
        freed_bytes = library.remove_model(name, force=force)
        left = name in library.models.names()
        after = _default(library)
        others = f" New collections will use {after}." if after not in ("", before) else ""
    again = " Its package is still there; it is converted again when next used." if left else ""
    say(f"Removed {name}: {size(freed_bytes)} freed.{again}{others}")


def _calibration_passages(library: "Library", collection: str) -> "list[Passage]":
    """Sample passages of a collection to calibrate with; empty if no collection is named."""
    if not collection:
        return []
    passages = library.collection(collection).sample_passages(_CALIBRATION_PASSAGES)
    if not passages:
        raise UsageError(f"The collection '{collection}' has no passages to calibrate with.")
    return passages


def _default(library: "Library") -> str:
    """Return the model for new collections, "" if there is none."""
    from searchkit.config import load_settings

    return load_settings(library.home).model or (library.models.best() if library.models.names() else "")


def _report(library: "Library", card: "ModelCard", what: str) -> None:
    """Print the facts about a new model, and whether new collections will use it."""
    from searchkit.files import folder_size_bytes

    amount = size(folder_size_bytes(library.home.models / card.name))
    say(f"{what}: {card.dimension} dimensions, {card.quantization}, {amount}, licence {card.licence}.")
    chosen = _default(library)
    advice = "" if chosen == card.name else f" To use this one: searchkit models use {card.name}"
    say(f"New collections use {chosen}.{advice}")


def _origin(card: "ModelCard") -> str:
    """Name the source that a model was pulled from."""
    if "package" in card.source:
        return f"the package {card.source['package']}"
    return f"{card.source['repository']}, commit {card.source['revision'][:12]}"


def _verdict(name: str, found: "Verification") -> str:
    if found.problems:
        return f"FAILED: {' '.join(found.problems)} Remove it and get it again: searchkit models remove {name}"
    if found.mean_cosine is None or found.worst_cosine is None:
        return f"ok ({found.remark})"
    return f"ok: cosine to the reference {found.mean_cosine:.4f} on average, {found.worst_cosine:.4f} at worst"
