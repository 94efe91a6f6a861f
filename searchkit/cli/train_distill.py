"""`searchkit train distill`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import FOLDER, PATH, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_options import (
    AT_LEAST_0,
    EMBED_AND_USE,
    FRESH,
    INSTALL_ANYWAY,
    QUANTIZATION,
    amount,
    number,
    say_installed,
    training,
    use_or_advise,
)
from searchkit.embedding.model_info import Quantization
from searchkit.train.options import DISTILLING, FinetuneOptions, LossWeights

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder
    from searchkit.library import Library
    from searchkit.reports import ProgressListener
    from searchkit.train.distill.distill import Distillation
    from searchkit.train.finetune.base import Base

_LOSS = group(
    LossWeights,
    distillation=amount("--distillation", 1.0, "Weight of the distance to the teacher's vectors."),
    contrastive=amount(
        "--contrastive",
        0.0,
        "Weight of the contrastive loss, over all prefixes; pairs alone are then learned from.",
        kind=AT_LEAST_0,
    ),
    spread=amount("--spread", 0.0, "Weight of the spread-out loss, over all prefixes.", kind=AT_LEAST_0),
    temperature=amount("--temperature", 0.05, "Temperature of the contrastive loss."),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(type=COLLECTION, required=False, default="")]
    layers: Annotated[
        int | None,
        option(
            "--layers",
            type=click.IntRange(1),
            help="Layers that stay (default: half of the teacher's; all of another student's).",
        ),
    ]
    student: Annotated[
        str,
        option(
            "--student",
            default="",
            help="Make the student of another checkpoint: its folder, or a model whose original weights are here.",
        ),
    ]
    base: Annotated[
        str,
        option("--base", default="", help="Folder with the teacher's original weights, if they are not found."),
    ]
    teacher: Annotated[str, option("--teacher", default="", help="Model to learn from (default: the collection's).")]
    passages: Annotated[int, number("--passages", 20_000, "Passages to learn from, at most.")]
    pairs: Annotated[
        Path | None,
        option("--pairs", type=PATH, help="A file of pairs for the queries and the proof (default: the collection's)."),
    ]
    name: Annotated[
        str,
        option("--name", default="", help="Name of the result (default: made of base, layers and collection)."),
    ]
    training: Annotated[FinetuneOptions, training(DISTILLING, least_epochs=0)]
    loss: Annotated[LossWeights, _LOSS]
    most_loss: Annotated[
        float,
        option(
            "--max-loss",
            type=click.FloatRange(0, 1),
            default=0.03,
            show_default=True,
            help="nDCG@10 that the student may lose against its teacher on held-out pairs.",
        ),
    ]
    quantization: Annotated[Quantization, QUANTIZATION]
    keep: Annotated[
        Path | None, option("--checkpoint", type=PATH, help="Also keep the student's checkpoint, in this new folder.")
    ]
    general: Annotated[
        tuple[Path, ...],
        option(
            "--general",
            multiple=True,
            type=FOLDER,
            help="A folder in BEIR's layout that must not lose more either; may be repeated. The bundled one is shown only.",
        ),
    ]
    use: Annotated[bool, EMBED_AND_USE]
    force: Annotated[bool, INSTALL_ANYWAY]
    fresh: Annotated[bool, FRESH]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print one JSON object.")]


@click.command(
    short_help="Make a smaller, faster model that learns a larger one's vectors on a collection; takes hours."
)
@with_options(_Request)
def distill(request: _Request) -> None:
    """Make a smaller student of a collection's model, which learns that model's vectors on the collection's texts.

    Layers are removed, the cheapest first; the head is fitted to the teacher's stored vectors in closed form; the rest is
    trained. Each step is measured. The student is installed as a separate model if it is faster and loses no more than
    --max-loss on held-out pairs. Nothing else changes. The same command resumes a run that was stopped.

    \b
    Examples:
      searchkit train distill docs --base ~/Downloads/embeddinggemma-300m
      searchkit train distill docs --layers 18 --epochs 0
      searchkit train distill docs --student ~/Downloads/mdbr-leaf-ir --use
    """
    if not request.collection and (request.pairs is None or not request.teacher):
        raise click.UsageError("Name a collection, or pairs and a teacher: --pairs FILE --teacher MODEL")
    if request.student and request.base:
        raise click.UsageError("The student is made of --student or of --base, not of both.")
    if request.use and not request.collection:
        raise click.UsageError("--use needs the collection that should use the result.")
    from searchkit.library import Library
    from searchkit.train.options import require_torch

    require_torch()
    with Library() as library:
        _distill(library, request)


def _distill(library: "Library", request: _Request) -> None:
    from searchkit.train.distill.distill import distill as make_student
    from searchkit.train.distill.install import install_if_worth_it
    from searchkit.train.distill.proof import Bargain

    with progress_line() as on_progress:
        run, remarks = _prepare(library, request, on_progress)
        student = make_student(run, on_progress=on_progress, say=say)
        bargain = Bargain(request.most_loss, request.general, request.quantization, request.training.seed)
        outcome = install_if_worth_it(
            library,
            run,
            student,
            bargain,
            keep=request.keep.expanduser() if request.keep else None,
            is_forced=request.force,
            remarks=remarks,
            on_progress=on_progress,
        )
    if request.as_json:
        print_json([outcome.as_json()])
    say_installed(
        outcome,
        "Nothing was installed. To install the student nevertheless, repeat the command with --force; to train it longer,"
        " with more --epochs and --fresh.",
    )
    use_or_advise(library, request.collection, outcome.model, is_used=request.use)


def _prepare(
    library: "Library", request: _Request, on_progress: "ProgressListener"
) -> "tuple[Distillation, tuple[str, ...]]":
    """Check the request completely, and collect what is learned from; also remarks on the pairs."""
    from searchkit.train.distill.distill import Distillation
    from searchkit.train.distill.lesson import Assignment, prepare_lesson
    from searchkit.train.finetune.base import find_base
    from searchkit.train.finetune.run_folder import RunFolder
    from searchkit.train.judged_sets import check_folders
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks

    teacher = _teacher(library, request)
    base = find_base(library.models, request.student or request.base or teacher.info.name)
    layers = _layers(base, request)
    name = library.models.free_name(request.name or _default_name(base, layers, request))
    if request.keep and request.keep.expanduser().exists():
        raise click.UsageError(f"{request.keep} exists already. --checkpoint needs a new folder.")
    check_folders(request.general)
    folder = RunFolder(library.home.finetuning / name)
    assignment = Assignment(
        collection=request.collection,
        pairs=request.pairs.expanduser() if request.pairs else None,
        folder=folder.path,
        passages=request.passages,
        max_tokens=request.training.max_tokens,
        seed=request.training.seed,
        with_contrast=request.loss.contrastive > 0,
    )
    lesson = prepare_lesson(library, assignment, base, teacher, on_progress)
    texts = corpus_sample(library, request.collection) if request.collection else [p.passage for p in lesson.pairs]
    remarks = pair_remarks(lesson.pairs, texts)
    for remark in remarks:
        say(f"Note: {remark}")
    run = Distillation(
        source=base,
        teacher=teacher.info.name,
        lesson=lesson,
        layers=layers,
        speaks_teacher=not request.student,
        prefixes=teacher.info.prefix_dimensions,
        options=request.training,
        weights=request.loss,
        folder=folder,
        fresh=request.fresh,
    )
    return run, remarks


def _teacher(library: "Library", request: _Request) -> "Embedder":
    if request.teacher:
        return library.models.open(request.teacher)
    return library.collection(request.collection).embedder()


def _layers(base: "Base", request: _Request) -> int:
    """How many layers stay. Raises a usage error for more than there are, or as many as the teacher has."""
    from searchkit.train.distill.student import check_removable, layer_count

    whole = layer_count(base.checkpoint)
    layers = request.layers or (whole if request.student else max(1, whole // 2))
    if layers > whole or (layers == whole and not request.student):
        raise click.UsageError(f"{base.name} has {whole} layers; --layers says how many of them stay.")
    if layers < whole:
        check_removable(base.checkpoint)
    return layers


def _default_name(base: "Base", layers: int, request: _Request) -> str:
    from searchkit.embedding.store import default_name

    subject = request.collection or (request.pairs.stem if request.pairs else "")
    return default_name(f"{base.name}-{subject}-{layers}-layers", request.quantization)
