"""`searchkit train finetune`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import PATH, EnumChoice, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_options import (
    AT_LEAST_0,
    EMBED_AND_USE,
    FRESH,
    GENERAL,
    INSTALL_ANYWAY,
    amount,
    say_installed,
    training,
    use_or_advise,
)
from searchkit.display import size
from searchkit.embedding.model_info import TRAINABLE, Quantization
from searchkit.train.options import FinetuneOptions, LossWeights

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.train.finetune.base import Base
    from searchkit.train.finetune.finetune import Tuned
    from searchkit.train.finetune.install import Prepared
    from searchkit.train.finetune.proof import ProofOptions

TRAINING = training(FinetuneOptions())
_LOSS = group(
    LossWeights,
    contrastive=amount(
        "--contrastive",
        1.0,
        "Weight of the contrastive loss; with 0, --quantize wins back what rounding loses and changes nothing else.",
        kind=AT_LEAST_0,
    ),
    temperature=amount("--temperature", 0.05, "Temperature of the contrastive loss."),
    spread=amount("--spread", 0.0, "Weight of the spread-out loss; no index gains by it.", kind=AT_LEAST_0),
    distillation=amount("--keep-near", 1.0, "Weight of the pull towards the base's vectors.", kind=AT_LEAST_0),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(type=COLLECTION, required=False, default="")]
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
    quantize: Annotated[
        Quantization | None,
        option(
            "--quantize",
            type=EnumChoice(Quantization, TRAINABLE),
            help="Round the weights while they are trained, to what the result is stored in.",
        ),
    ]
    quantization: Annotated[
        Quantization | None,
        option(
            "--quantization",
            type=EnumChoice(Quantization),
            help=f"How to store the result (default: as it was trained, else {Quantization.INT8}).",
        ),
    ]
    keep: Annotated[
        Path | None, option("--checkpoint", type=PATH, help="Also keep the tuned checkpoint, in this new folder.")
    ]
    general: Annotated[tuple[Path, ...], GENERAL]
    use: Annotated[bool, EMBED_AND_USE]
    force: Annotated[bool, INSTALL_ANYWAY]
    fresh: Annotated[bool, FRESH]
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
      searchkit train finetune docs --quantize int4
      searchkit train finetune docs --quantize int4 --contrastive 0
      searchkit train finetune --pairs pairs.jsonl --base ~/Downloads/embeddinggemma-300m --name mine
    """
    if not request.collection and (request.pairs is None or not request.base):
        raise click.UsageError("Name a collection, or pairs and a base: --pairs FILE --base MODEL")
    if request.use and not request.collection:
        raise click.UsageError("--use needs the collection that should use the result.")
    if not request.loss.contrastive and not (request.quantize and request.loss.distillation):
        raise click.UsageError("--contrastive 0 leaves nothing to learn but what --quantize loses, by --keep-near.")
    if request.quantize and request.quantization not in (None, request.quantize):
        raise click.UsageError(
            f"What is trained in {request.quantize} is stored in {request.quantize}: leave out --quantization."
        )
    from searchkit.library import Library
    from searchkit.train.options import require_torch

    require_torch()
    with Library() as library:
        _train(library, _prepare(library, request), request)


def _prepare(library: "Library", request: _Request) -> "Prepared":
    """Check the request completely before anything is trained."""
    from searchkit.embedding.prepare_form import check_form
    from searchkit.train.finetune.base import find_base
    from searchkit.train.finetune.data import prepare_data
    from searchkit.train.finetune.finetune import Run
    from searchkit.train.finetune.install import Prepared
    from searchkit.train.finetune.run_folder import RunFolder
    from searchkit.train.judged_sets import check_folders
    from searchkit.train.pairs.collect import read_or_mine_pairs
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks

    named = request.base or library.collection(request.collection).embedder().info.name
    base = find_base(library.models, named, request.quantize)
    name = library.models.free_name(request.name or _default_name(base, request))
    if request.keep and request.keep.expanduser().exists():
        raise click.UsageError(f"{request.keep} exists already. --checkpoint needs a new folder.")
    if request.quantize:
        check_form(base.checkpoint, request.quantize)
    check_folders(request.general)
    file = request.pairs.expanduser() if request.pairs else None
    seed = request.training.seed
    is_recovery = not request.loss.contrastive  # which learns nothing from which passage a query belongs to
    pairs, counts = read_or_mine_pairs(library, request.collection, file, seed=seed, with_sentences=is_recovery)
    data = prepare_data(pairs, base.prompts, counts.left_out)
    remarks = pair_remarks(
        pairs, corpus_sample(library, request.collection) if request.collection else [p.passage for p in pairs]
    )
    for remark in remarks:
        say(f"Note: {remark}")
    training = replace(request.training, quantize=request.quantize)
    run = Run(base, data, training, request.loss, RunFolder(library.home.finetuning / name), request.fresh)
    return Prepared(run, tuple(pairs), _proof(request), remarks)


def _proof(request: _Request) -> "ProofOptions":
    from searchkit.train.finetune.proof import ProofOptions

    return ProofOptions(
        request.general,
        _stored_in(request),
        request.training.seed,
        with_floats=request.quantize is not None,
        is_recovery=not request.loss.contrastive,
    )


def _default_name(base: "Base", request: _Request) -> str:
    from searchkit.embedding.store import default_name

    subject = request.collection or (request.pairs.stem if request.pairs else "")
    return default_name(f"{base.name}-{subject}-{request.training.method}", _stored_in(request))


def _stored_in(request: _Request) -> Quantization:
    return request.quantize or request.quantization or Quantization.INT8


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
    say_installed(
        outcome,
        "The base stays, and nothing was installed. To install the result nevertheless, repeat the command with --force.",
    )
    use_or_advise(library, request.collection, outcome.model, is_used=request.use)


def _say_tuned(tuned: "Tuned") -> None:
    found = f"{tuned.measure} on the validation pairs {tuned.base_score:.4f} → {tuned.score:.4f}"
    made = f"epoch {', '.join(f'{epoch:g}' for epoch in tuned.epochs)}, {tuned.share:.0%} tuned"
    took = f"{tuned.seconds / 60:.1f} minutes, {size(tuned.peak_bytes)} of memory at the peak"
    say(f"{found} ({made}; {took}).")
