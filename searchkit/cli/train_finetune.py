"""`searchkit train finetune`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.options import FOLDER, PATH, Declaration, EnumChoice, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import command, size
from searchkit.embedding.model_info import Quantization
from searchkit.train.options import FinetuneOptions, LossWeights, Method, Precision

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.train.finetune.base import Base
    from searchkit.train.finetune.finetune import Tuned
    from searchkit.train.finetune.install import Outcome, Prepared

_WEIGHT = click.FloatRange(0)


def training_options(default: FinetuneOptions, *, least_epochs: int = 1) -> Declaration:
    """Declare the options of training with these defaults. A `default.learning_rate` of 0 means each method's own."""

    def rate(_ctx: click.Context, _parameter: click.Parameter, value: float | None) -> float:
        return value or default.learning_rate

    own = {
        "method": option(
            "--method",
            type=EnumChoice(Method),
            default=default.method.value,
            show_default=True,
            help="Train small updates of the encoder (lora), or all of it but the token table (full).",
        ),
        "epochs": option(
            "--epochs",
            type=click.IntRange(least_epochs),
            default=default.epochs,
            show_default=True,
            help=f"How often each pair is seen{'' if least_epochs else '; 0 for no training, only a fitted head'}.",
        ),
        "learning_rate": option(
            "--learning-rate",
            type=click.FloatRange(0, min_open=True),
            callback=rate,
            help=f"Default: {default.learning_rate:g}."
            if default.learning_rate
            else "Default: 2e-4 for lora, 5e-5 for full.",
        ),
        "mix": option(
            "--mix",
            type=click.FloatRange(0, 1, min_open=True),
            default=default.mix,
            show_default=default.mix is not None,
            help="Share of the tuned weights"
            + ("" if default.mix else " (default: the one that scores best on validation)")
            + ".",
        ),
    }
    own["batch_size"] = option(
        "--batch-size", type=click.IntRange(2), default=default.batch_size, show_default=True, help="Pairs per step."
    )
    rank = click.IntRange(1, 64)
    own["lora_rank"] = option(
        "--rank", type=rank, default=default.lora_rank, show_default=True, help="Rank of lora's updates."
    )
    found = {**own, **_plain_options(default)}
    return group(
        FinetuneOptions, **{field.name: found[field.name] for field in fields(FinetuneOptions) if field.name in found}
    )


def _plain_options(default: FinetuneOptions) -> dict[str, Declaration]:
    return {
        "max_tokens": option(
            "--max-tokens",
            type=click.IntRange(16),
            default=default.max_tokens,
            show_default=True,
            help="Longest training text, in tokens.",
        ),
        "tokens_at_once": option(
            "--memory-tokens",
            type=click.IntRange(1),
            default=default.tokens_at_once,
            show_default=True,
            help="Tokens that are trained through at once; fewer take less memory.",
        ),
        "precision": option(
            "--precision",
            type=EnumChoice(Precision),
            default=default.precision.value,
            show_default=True,
            help="Precision of the matrix products.",
        ),
        "soup": option(
            "--soup",
            type=click.IntRange(1, 8),
            default=default.soup,
            show_default=True,
            help="Best checkpoints to average.",
        ),
        "seed": option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            default=default.seed,
            show_default=True,
            help="Seed of everything random.",
        ),
        "threads": option(
            "--threads",
            type=click.IntRange(1),
            callback=lambda _ctx, _parameter, value: value or default.threads,
            help="Processor threads (default: one for each core).",
        ),
    }


TRAINING = training_options(FinetuneOptions())
_LOSS = group(
    LossWeights,
    temperature=option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=0.05,
        show_default=True,
        help="Temperature of the contrastive loss.",
    ),
    spread=option(
        "--spread",
        type=_WEIGHT,
        default=0.0,
        show_default=True,
        help="Weight of the spread-out loss; no index gains by it.",
    ),
    distillation=option(
        "--keep-near",
        type=_WEIGHT,
        default=1.0,
        show_default=True,
        help="Weight of the pull towards the base's vectors.",
    ),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(required=False, default="")]
    pairs: Annotated[
        Path | None, option("--pairs", type=PATH, help="A file of pairs (default: those of the collection).")
    ]
    base: Annotated[
        str,
        option(
            "--base",
            default="",
            help="Checkpoint folder, or a model whose original weights are here (default: the collection's).",
        ),
    ]
    name: Annotated[
        str,
        option("--name", default="", help="Name of the result (default: made of the base's and the collection's)."),
    ]
    training: Annotated[FinetuneOptions, TRAINING]
    loss: Annotated[LossWeights, _LOSS]
    quantization: Annotated[
        Quantization,
        option(
            "--quantization",
            type=EnumChoice(Quantization),
            default=Quantization.INT8.value,
            show_default=True,
            help="How to store the result.",
        ),
    ]
    keep: Annotated[
        Path | None, option("--checkpoint", type=PATH, help="Also keep the tuned checkpoint, in this new folder.")
    ]
    general: Annotated[
        tuple[Path, ...],
        option(
            "--general",
            multiple=True,
            type=FOLDER,
            help="A folder in BEIR's layout that must not lose; may be repeated. The bundled one is always checked.",
        ),
    ]
    use: Annotated[
        bool,
        option(
            "--use",
            is_flag=True,
            help="Then embed the collection with the result, and switch it when that is complete.",
        ),
    ]
    force: Annotated[bool, option("--force", is_flag=True, help="Install the result even if it does not pass.")]
    fresh: Annotated[bool, option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run.")]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print one JSON object.")]


@click.command(short_help="Train the model itself on a collection's pairs; takes from half an hour to an evening.")
@with_options(_Request)
def finetune(request: _Request) -> None:
    """Train the model itself on pairs of a question and its passage, and install the result as a separate model.

    The base and the collection do not change. The result is installed if it finds more than the base on held-out pairs
    and loses next to nothing on general ones. The same command resumes a run that was stopped.

    \b
    Examples:
      searchkit train finetune docs
      searchkit train finetune docs --method full --use
      searchkit train finetune --pairs pairs.jsonl --base ~/Downloads/embeddinggemma-300m --name mine
    """
    if not request.collection and (request.pairs is None or not request.base):
        raise click.UsageError("Name a collection, or pairs and a base: --pairs FILE --base MODEL")
    if request.use and not request.collection:
        raise click.UsageError("--use needs the collection that should use the result.")
    from searchkit.library import Library
    from searchkit.train.options import require_torch

    require_torch()
    with Library() as library:
        _train(library, _prepare(library, request), request)


def _prepare(library: "Library", request: _Request) -> "Prepared":
    """Check the request completely before anything is trained."""
    from searchkit.train.finetune.base import find_base
    from searchkit.train.finetune.data import prepare_data
    from searchkit.train.finetune.finetune import Run
    from searchkit.train.finetune.install import Prepared
    from searchkit.train.finetune.proof import ProofOptions
    from searchkit.train.finetune.run_folder import RunFolder
    from searchkit.train.judged_sets import check_folders
    from searchkit.train.pairs.collect import read_or_mine_pairs
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks

    base = find_base(library.models, request.base or library.collection(request.collection).embedder().info.name)
    name = library.models.free_name(request.name or _default_name(base, request))
    if request.keep and request.keep.expanduser().exists():
        raise click.UsageError(f"{request.keep} exists already. --checkpoint needs a new folder.")
    check_folders(request.general)
    file = request.pairs.expanduser() if request.pairs else None
    seed = request.training.seed
    pairs, counts = read_or_mine_pairs(library, request.collection, file, seed=seed, with_sentences=False)
    data = prepare_data(pairs, base.prompts, counts.left_out)
    remarks = pair_remarks(
        pairs, corpus_sample(library, request.collection) if request.collection else [p.passage for p in pairs]
    )
    for remark in remarks:
        say(f"Note: {remark}")
    run = Run(base, data, request.training, request.loss, RunFolder(library.home.finetuning / name), request.fresh)
    return Prepared(
        run, tuple(pairs), ProofOptions(request.general, request.quantization, request.training.seed), remarks
    )


def _default_name(base: "Base", request: _Request) -> str:
    from searchkit.embedding.store import default_name

    subject = request.collection or (request.pairs.stem if request.pairs else "")
    return default_name(f"{base.name}-{subject}-{request.training.method}", request.quantization)


def _train(library: "Library", prepared: "Prepared", request: _Request) -> None:
    from searchkit.train.finetune.finetune import finetune as train_model
    from searchkit.train.finetune.install import install_if_better

    with progress_line() as on_progress:
        tuned = train_model(prepared.run, on_progress=on_progress, say=say)
        _say_tuned(tuned)
        keep = request.keep.expanduser() if request.keep else None
        outcome = install_if_better(
            library, prepared, tuned, keep=keep, is_forced=request.force, on_progress=on_progress
        )
    if request.as_json:
        print_json([outcome.as_json()])
    _say_outcome(outcome)
    if outcome.model and request.use:
        use_model(library, request.collection, outcome.model)
    elif outcome.model and request.collection:
        say(f"To search with it: {command('models', 'use', outcome.model, '-c', request.collection)}")


def _say_tuned(tuned: "Tuned") -> None:
    found = f"nDCG@10 on the validation pairs {tuned.base_score:.4f} → {tuned.score:.4f}"
    made = f"epoch {', '.join(f'{epoch:g}' for epoch in tuned.epochs)}, {tuned.share:.0%} tuned"
    took = f"{tuned.seconds / 60:.1f} minutes, {size(tuned.peak_bytes)} of memory at the peak"
    say(f"{found} ({made}; {took}).")


def _say_outcome(outcome: "Outcome") -> None:
    from searchkit.train.reports import where_written

    say(f"{'Passed' if outcome.proof.verdict.passed else 'Not passed'}: {outcome.proof.verdict.reason}.")
    if outcome.model:
        say(f"Installed as {outcome.model}: {outcome.quantization}, licence {outcome.licence}.")
    else:
        say(
            "The base stays, and nothing was installed. To install the result nevertheless, repeat the command with --force."
        )
    say(where_written(outcome.report, has_figures=True))


def use_model(library: "Library", collection: str, model: str) -> None:
    """Embed a collection with a model and switch it; says how to go back."""
    from searchkit.maintenance.switch_model import embed_and_switch

    before = library.collection(collection).embedder().info.name
    with progress_line() as on_progress:
        embed_and_switch(library.collection(collection), model, on_progress)
    say(f"{collection} now uses {model}. To switch back: {command('models', 'use', before, '-c', collection)}")
