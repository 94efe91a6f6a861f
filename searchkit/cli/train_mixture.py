"""`searchkit train mixture` and `searchkit train soup`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import Declaration, EnumChoice, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_options import (
    EXISTING,
    GENERAL,
    MAKE_ANYWAY,
    NEW_MODEL,
    REPORT_FOLDER,
    USE_AT_ONCE,
    number,
    say_adapted,
    say_installed,
    seed,
    use_adapted,
    use_or_advise,
)
from searchkit.train.options import MixtureOptions, SoupOf

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.train.mixtures.checkpoints import CheckpointSoup
    from searchkit.train.mixtures.run import Mixed

_DEFAULT = MixtureOptions()
_SHARED: dict[str, Declaration] = {
    "pairs": option(
        "--pairs", multiple=True, type=EXISTING, help="A file of pairs as one more source; may be repeated."
    ),
    "queries": option(
        "--queries", type=EXISTING, help="Judged queries: of 40 or more, half choose, and the others are the target."
    ),
    "general": GENERAL,
    "name": NEW_MODEL,
    "is_forced": MAKE_ANYWAY,
    "seed": seed(_DEFAULT.seed),
    "out": REPORT_FOLDER,
}
_MIXTURE = group(
    MixtureOptions,
    trials=number(
        "--trials", _DEFAULT.trials, "Mixtures to try, two at a time; more later continue the same search.", least=2
    ),
    **_SHARED,
)
_SOUP = group(
    MixtureOptions,
    soup_of=option(
        "--ingredients",
        type=EnumChoice(SoupOf),
        default=_DEFAULT.soup_of.value,
        show_default=True,
        help="Adapters learned from each source of pairs, the best mixtures that `train mixture` kept, or both.",
    ),
    of=option(
        "--of",
        multiple=True,
        metavar="NAME|FOLDER",
        help="An installed model adapted from the collection's base, or a fine-tuned checkpoint's folder, to average instead; to be"
        " repeated.",
    ),
    base=option(
        "--base",
        default="",
        help="What the checkpoints of --of were tuned from: a folder, or a model whose original weights are here (default: the"
        " collection's).",
    ),
    **_SHARED,
)


@dataclass(frozen=True, slots=True)
class _MixtureRequest:
    collection: Annotated[str, argument(type=COLLECTION)]
    options: Annotated[MixtureOptions, _MIXTURE]
    use: Annotated[bool, USE_AT_ONCE]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print the report as one JSON object.")]


@dataclass(frozen=True, slots=True)
class _SoupRequest:
    collection: Annotated[str, argument(type=COLLECTION)]
    options: Annotated[MixtureOptions, _SOUP]
    use: Annotated[bool, USE_AT_ONCE]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print the report as one JSON object.")]


@click.command(short_help="Find how much of each source of pairs an adapter learns best from, in minutes.")
@with_options(_MixtureRequest)
def mixture(request: _MixtureRequest) -> None:
    """Find how much of each source of pairs an adapter of COLLECTION's model learns best from.

    Sources are titles, headings, questions, sentences taken out of their passages, opened hits and so on, and files of pairs. The
    mixture of all pairs and ten random ones are tried, then those that a Bayesian optimisation proposes. The best, or a soup
    of the best, is kept if held-out queries gain. The same command continues a search that was stopped.

    \b
    Examples:
      searchkit train mixture docs
      searchkit train mixture docs --pairs mine.jsonl --trials 60
    """
    from searchkit.library import Library
    from searchkit.train.options import require_optuna, require_torch

    require_torch()
    require_optuna()
    from searchkit.train.mixtures.run import train_mixture

    with Library() as library, progress_line() as listen:
        mixed = train_mixture(library, request.collection, request.options, listen)
    _finish(mixed, is_used=request.use, as_json=request.as_json)


@click.command(short_help="Average adapters that were learned from different pairs.")
@with_options(_SoupRequest)
def soup(request: _SoupRequest) -> None:
    """Average adapters of COLLECTION's model: of each source of its pairs, of the best mixtures, or installed ones.

    The mean of all (uniform) and the mean of those that help (greedy) are compared with each of them alone. What makes the answers
    of validation pairs likeliest is kept if held-out queries gain. The report says what the soups gain over the best
    ingredient and over the mean of the ingredients.

    \b
    Examples:
      searchkit train soup docs
      searchkit train soup docs --ingredients both
      searchkit train soup docs --of docs-first --of docs-second --name docs-soup
      searchkit train soup docs --of ~/tuned-1 --of ~/tuned-2 --base ~/all-MiniLM-L6-v2
    """
    from searchkit.library import Library
    from searchkit.train.options import require_torch

    require_torch()
    if any(Path(each).expanduser().is_dir() for each in request.options.of):
        _soup_of_checkpoints(request)
        return
    if request.options.base:
        raise click.UsageError("--base is for folders of checkpoints: --of FOLDER --of FOLDER")
    from searchkit.train.mixtures.run import train_soup

    with Library() as library, progress_line() as listen:
        mixed = train_soup(library, request.collection, request.options, listen)
    _finish(mixed, is_used=request.use, as_json=request.as_json)


def _soup_of_checkpoints(request: _SoupRequest) -> None:
    """Average fine-tuned checkpoints, with the pairs and the proof of `train finetune`."""
    from searchkit.embedding.model_info import Quantization
    from searchkit.embedding.store import default_name
    from searchkit.library import Library
    from searchkit.train.finetune.base import find_base
    from searchkit.train.finetune.proof import ProofOptions
    from searchkit.train.judged_sets import check_folders
    from searchkit.train.mixtures.checkpoints import SoupRun, soup_checkpoints
    from searchkit.train.pairs.collect import read_or_mine_pairs

    options, collection = request.options, request.collection
    folders = tuple(Path(each).expanduser() for each in options.of)
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise click.UsageError(
            f"{missing[0]} is not a folder. Checkpoints and installed models cannot be averaged together."
        )
    if len(options.pairs) > 1 or options.queries or options.out:
        raise click.UsageError(
            "For checkpoints there may be one --pairs, in place of the collection's; no --queries, no --out."
        )
    check_folders(options.general)
    with Library() as library:
        base = find_base(library.models, options.base or library.collection(collection).embedder().info.name)
        name = library.models.free_name(
            options.name or default_name(f"{base.name}-{collection}-soup", Quantization.INT8)
        )
        file = options.pairs[0] if options.pairs else None
        pairs, _ = read_or_mine_pairs(library, collection, file, seed=options.seed, with_sentences=False)
        proof = ProofOptions(options.general, seed=options.seed)
        with progress_line() as listen:
            found = soup_checkpoints(
                library, SoupRun(base, folders, tuple(pairs), name, proof, options.is_forced), listen
            )
        _say_checkpoints(found, library, request)


def _say_checkpoints(found: "CheckpointSoup", library: "Library", request: _SoupRequest) -> None:
    """Say what came of it, and switch the collection if that was asked for."""
    outcome = found.outcome
    if request.as_json:
        print_json([found.as_json()])
    for one in (found.base, *found.singles, *found.soups):
        say(f"{one.name}: nDCG@10 {one.validation:.4f} on validation pairs, {one.held_out:.4f} on held-out ones.")
    for soup in found.soups:
        over_best, over_mean = found.over(soup)
        say(
            f"Held-out pairs, nDCG@10 of the {soup.name}: {over_best:+.4f} over the best ingredient, {over_mean:+.4f} over the mean"
            " of all."
        )
    say_installed(
        outcome,
        "The base stays, and nothing was installed. To install the soup nevertheless, repeat the command with --force.",
    )
    use_or_advise(library, request.collection, outcome.model, is_used=request.use)


def _finish(mixed: "Mixed", *, is_used: bool, as_json: bool) -> None:
    """Use the model if that was asked for, and say what came of the run."""
    from searchkit.library import Library
    from searchkit.train.mixtures.report import as_json as fields_of

    if is_used:
        with Library() as library:
            use_adapted(library, mixed.report)
    if as_json:
        print_json([fields_of(mixed.report)])
    _say_outcome(mixed, is_used=is_used)


def _say_outcome(mixed: "Mixed", *, is_used: bool) -> None:
    report = mixed.report
    if report.trials:
        say(f"{len(report.trials)} mixtures tried, {report.resumed} of them kept from an earlier run.")
    for name, found in report.differences.items():
        over = "; ".join(f"{each.ndcg[0]:+.4f} over {each.instead_of}" for each in found)
        say(f"Held-out pairs, nDCG@10 of the {name}: {over}.")
    say_adapted(report, mixed.report_folder, is_used=is_used, made_of=report.chosen)
