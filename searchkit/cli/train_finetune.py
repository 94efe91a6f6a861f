"""`searchkit train finetune`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import command, size
from searchkit.embedding.model_info import Quantization
from searchkit.train.finetune.options import FinetuneOptions, Method, Precision

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.train.finetune.base import Base
    from searchkit.train.finetune.finetune import Tuned
    from searchkit.train.finetune.install import Outcome, Prepared
    from searchkit.train.losses import LossWeights

_DEFAULT = FinetuneOptions()
_SHARE = click.FloatRange(0, 1, min_open=True)
_WEIGHT = click.FloatRange(0)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for, besides how to train. `keep`: where the tuned checkpoint is to be left as well."""

    collection: str
    pairs: Path | None
    base: str
    name: str
    quantization: Quantization
    keep: Path | None
    general: tuple[Path, ...]
    use: bool
    force: bool
    fresh: bool


@click.command(short_help="Train the model itself on a collection's pairs; takes from half an hour to an evening.")
@click.argument("collection", required=False, default="")
@click.option("--pairs", type=click.Path(path_type=Path), help="A file of pairs (default: what the collection says).")
@click.option(
    "--base", default="", help="Checkpoint folder, or model whose weights are here (default: the collection's)."
)
@click.option("--name", default="", help="What to call the result (default: made of the base's and the collection's).")
@click.option(
    "--method",
    type=click.Choice([each.value for each in Method]),
    default=_DEFAULT.method.value,
    show_default=True,
    help="What is trained.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=_DEFAULT.epochs, show_default=True, help="Times each pair is seen."
)
@click.option(
    "--batch-size", type=click.IntRange(2), default=_DEFAULT.batch_size, show_default=True, help="Pairs a step."
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Default: 2e-4 for lora, 5e-5 for full.")
@click.option("--rank", type=click.IntRange(1, 64), default=_DEFAULT.lora_rank, show_default=True, help="Rank of lora.")
@click.option(
    "--max-tokens", type=click.IntRange(16), default=_DEFAULT.max_tokens, show_default=True, help="Of a training text."
)
@click.option(
    "--memory-tokens",
    type=click.IntRange(1),
    default=_DEFAULT.tokens_at_once,
    show_default=True,
    help="Trained through at once; fewer take less memory.",
)
@click.option(
    "--precision",
    type=click.Choice([each.value for each in Precision]),
    default=_DEFAULT.precision.value,
    show_default=True,
    help="Of the products.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=0.05,
    show_default=True,
    help="Of the contrastive loss.",
)
@click.option("--spread", type=_WEIGHT, default=0.0, show_default=True, help="Weight of the spread-out loss.")
@click.option(
    "--keep-near", type=_WEIGHT, default=1.0, show_default=True, help="Weight of the pull towards the base's vectors."
)
@click.option("--mix", type=_SHARE, help="Share of the tuned weights (default: what finds most on validation).")
@click.option(
    "--soup",
    type=click.IntRange(1, 8),
    default=_DEFAULT.soup,
    show_default=True,
    help="Average so many of the best states.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=_DEFAULT.seed, show_default=True, help="Of everything random."
)
@click.option("--threads", type=click.IntRange(1), help="Processor threads (default: as many as there are cores).")
@click.option(
    "--quantization",
    type=click.Choice([each.value for each in Quantization]),
    default=Quantization.INT8.value,
    show_default=True,
    help="How to store the result.",
)
@click.option(
    "--checkpoint",
    "keep",
    type=click.Path(path_type=Path),
    help="Leave the tuned checkpoint in this new folder as well.",
)
@click.option(
    "--general",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder in BEIR's layout that must not lose; may be repeated. The bundled one is always checked.",
)
@click.option(
    "--use", is_flag=True, help="Then embed the collection with the result, and switch it when all is embedded."
)
@click.option("--force", is_flag=True, help="Install the result even if it does not pass.")
@click.option("--fresh", is_flag=True, help="Begin anew instead of going on with an unfinished run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def finetune(  # noqa: PLR0913 - an option each
    *,
    collection: str,
    pairs: Path | None,
    base: str,
    name: str,
    method: Method,
    epochs: int,
    batch_size: int,
    learning_rate: float | None,
    rank: int,
    max_tokens: int,
    memory_tokens: int,
    precision: Precision,
    temperature: float,
    spread: float,
    keep_near: float,
    mix: float | None,
    soup: int,
    seed: int,
    threads: int | None,
    quantization: Quantization,
    keep: Path | None,
    general: tuple[Path, ...],
    use: bool,
    force: bool,
    fresh: bool,
    as_json: bool,
) -> None:
    """Train the model itself on pairs of a question and its passage, and install the result as a model of its own.

    The base and the collection stay as they are. The result is installed if it finds more than the base on held-out pairs
    and loses next to nothing on general ones. A run that is stopped goes on with the same command. `lora` trains small
    updates of the encoder, `full` all of it but the token table.

    \b
    Examples:
      searchkit train finetune docs
      searchkit train finetune docs --method full --use
      searchkit train finetune --pairs pairs.jsonl --base ~/Downloads/embeddinggemma-300m --name mine
    """
    if not collection and (pairs is None or not base):
        raise click.UsageError("Name a collection, or pairs and a base: --pairs FILE --base MODEL")
    if use and not collection:
        raise click.UsageError("--use needs the collection that is to use the result.")
    from searchkit.library import Library
    from searchkit.train.extra import require_torch

    require_torch()
    from searchkit.train.losses import LossWeights

    options = FinetuneOptions(
        method=Method(method),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate or 0.0,
        max_tokens=max_tokens,
        lora_rank=rank,
        tokens_at_once=memory_tokens,
        precision=Precision(precision),
        mix=mix,
        soup=soup,
        seed=seed,
        threads=threads or 0,
    )
    weights = LossWeights(spread=spread, distillation=keep_near, temperature=temperature)
    request = _Request(collection, pairs, base, name, Quantization(quantization), keep, general, use, force, fresh)
    with Library() as library:
        prepared = _prepare(library, request, options, weights)
        _train(library, prepared, request, as_json=as_json)


def _prepare(library: "Library", request: _Request, options: FinetuneOptions, weights: "LossWeights") -> "Prepared":
    """Everything that can be wrong with the request is found here, before anything is trained."""
    from searchkit.train.finetune.base import find_base
    from searchkit.train.finetune.data import prepare_data
    from searchkit.train.finetune.finetune import Run
    from searchkit.train.finetune.install import Prepared
    from searchkit.train.finetune.proof import ProofOptions
    from searchkit.train.finetune.run_folder import RunFolder
    from searchkit.train.judged_sets import check_folders
    from searchkit.train.pairs.collect import gather_pairs
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks

    base = find_base(library.models, request.base or library.collection(request.collection).embedder().info.name)
    name = library.models.free_name(request.name or _default_name(base, request, options))
    if request.keep and request.keep.expanduser().exists():
        raise click.UsageError(f"{request.keep} is there already; --checkpoint names a new folder.")
    check_folders(request.general)
    file = request.pairs.expanduser() if request.pairs else None
    pairs, counts = gather_pairs(library, request.collection, file, seed=options.seed)
    data = prepare_data(pairs, base.prompts, counts.left_out)
    remarks = pair_remarks(
        pairs, corpus_sample(library, request.collection) if request.collection else [p.passage for p in pairs]
    )
    for remark in remarks:
        say(f"Note: {remark}")
    run = Run(base, data, options, weights, RunFolder(library.home.finetuning / name), request.fresh)
    return Prepared(run, tuple(pairs), ProofOptions(request.general, request.quantization, options.seed), remarks)


def _default_name(base: "Base", request: _Request, options: FinetuneOptions) -> str:
    from searchkit.embedding.store import default_name

    subject = request.collection or (request.pairs.stem if request.pairs else "")
    return default_name(f"{base.name}-{subject}-{options.method}", request.quantization)


def _train(library: "Library", prepared: "Prepared", request: _Request, *, as_json: bool) -> None:
    from searchkit.train.finetune.finetune import finetune as train_model
    from searchkit.train.finetune.install import install_if_better

    with progress_line() as on_progress:
        tuned = train_model(prepared.run, on_progress=on_progress, say=say)
        _say_tuned(tuned)
        keep = request.keep.expanduser() if request.keep else None
        outcome = install_if_better(
            library, prepared, tuned, keep=keep, is_forced=request.force, on_progress=on_progress
        )
    if as_json:
        print_json([outcome.as_json()])
    _say_outcome(outcome)
    if outcome.model and request.use:
        _use(library, request.collection, outcome.model)
    elif outcome.model and request.collection:
        say(f"To search with it: {command('models', 'use', outcome.model, '-c', request.collection)}")


def _say_tuned(tuned: "Tuned") -> None:
    found = f"nDCG@10 on the validation pairs {tuned.base_score:.4f} → {tuned.score:.4f}"
    made = f"epoch {', '.join(f'{epoch:g}' for epoch in tuned.epochs)}, {tuned.share:.0%} tuned"
    took = f"{tuned.seconds / 60:.1f} minutes, {size(tuned.peak_bytes)} of memory at most"
    say(f"{found} ({made}; {took}).")


def _say_outcome(outcome: "Outcome") -> None:
    from searchkit.train.report_folder import where_written

    say(f"{'Passed' if outcome.proof.verdict.passed else 'Not passed'}: {outcome.proof.verdict.reason}.")
    if outcome.model:
        say(f"Installed as {outcome.model}: {outcome.quantization}, licence {outcome.licence}.")
    else:
        say("The base stays, and nothing was installed. To have the result all the same: the same command with --force")
    say(where_written(outcome.report, has_figures=True))


def _use(library: "Library", collection: str, model: str) -> None:
    from searchkit.maintenance.switch_model import embed_and_switch

    before = library.collection(collection).embedder().info.name
    with progress_line() as on_progress:
        embed_and_switch(library.collection(collection), model, on_progress)
    say(f"{collection} now uses {model}. Back: {command('models', 'use', before, '-c', collection)}")
