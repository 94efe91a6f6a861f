"""`searchkit train init`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.options import FOLDER, PATH, EnumChoice, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import command
from searchkit.train.options import InitOptions, Precision, Start, TokenPooling

if TYPE_CHECKING:
    from searchkit.train.init.result import Made

_DEFAULT = InitOptions()
_SIXTH = 6  # the width is a multiple of it: three heads, of an even size each


def _width(_ctx: click.Context, _parameter: click.Parameter, value: int) -> int:
    if value % _SIXTH:
        raise click.BadParameter(f"{value} is no multiple of {_SIXTH}.")
    return value


def _all_starts(_ctx: click.Context, _parameter: click.Parameter, value: tuple[Start, ...]) -> tuple[Start, ...]:
    return tuple(each for each in Start if each in value) or _DEFAULT.starts


def _all_poolings(
    _ctx: click.Context, _parameter: click.Parameter, value: tuple[TokenPooling, ...]
) -> tuple[TokenPooling, ...]:
    return tuple(each for each in TokenPooling if each in value) or _DEFAULT.poolings


def _torch_s_threads(_ctx: click.Context, _parameter: click.Parameter, value: int | None) -> int:
    return value or _DEFAULT.threads


_OPTIONS = group(
    InitOptions,
    layers=option(
        "--layers", type=click.IntRange(1, 48), default=_DEFAULT.layers, show_default=True, help="Of a new decoder."
    ),
    width=option(
        "--width",
        type=click.IntRange(12, 1536),
        callback=_width,
        default=_DEFAULT.width,
        show_default=True,
        help=f"Of a new decoder; a multiple of {_SIXTH}.",
    ),
    vocabulary=option(
        "--vocabulary",
        type=click.IntRange(256),
        default=_DEFAULT.vocabulary,
        show_default=True,
        help="How many of the texts' most frequent tokens are kept.",
    ),
    max_tokens=option(
        "--max-tokens",
        type=click.IntRange(16, 2048),
        default=_DEFAULT.max_tokens,
        show_default=True,
        help="Longest training text, in tokens.",
    ),
    language_steps=option(
        "--decoder-steps",
        type=click.IntRange(0),
        default=_DEFAULT.language_steps,
        show_default=True,
        help="Steps of the decoder as a language model.",
    ),
    adaptation_steps=option(
        "--adaptation-steps",
        type=click.IntRange(0),
        default=_DEFAULT.adaptation_steps,
        show_default=True,
        help="Steps of the encoder-decoder.",
    ),
    texts=option(
        "--texts",
        type=click.IntRange(1),
        default=_DEFAULT.texts,
        show_default=True,
        help="Texts of a step of these two.",
    ),
    rate=option(
        "--rate",
        type=click.FloatRange(0, min_open=True),
        default=_DEFAULT.rate,
        show_default=True,
        help="Learning rate of these two; for a decoder that is trained already, take a tenth.",
    ),
    epochs=option(
        "--epochs",
        type=click.IntRange(1),
        default=_DEFAULT.epochs,
        show_default=True,
        help="How often each encoder sees each pair.",
    ),
    batch_size=option(
        "--batch-size", type=click.IntRange(2), default=_DEFAULT.batch_size, show_default=True, help="Pairs per step."
    ),
    contrastive_rate=option(
        "--contrastive-rate",
        type=click.FloatRange(0, min_open=True),
        default=_DEFAULT.contrastive_rate,
        show_default=True,
        help="Learning rate of the encoders.",
    ),
    temperature=option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=_DEFAULT.temperature,
        show_default=True,
        help="Temperature of the contrastive loss.",
    ),
    starts=option(
        "--start",
        multiple=True,
        type=EnumChoice(Start),
        callback=_all_starts,
        help="What encoders start from; may be repeated (default: all three).",
    ),
    poolings=option(
        "--pooling",
        multiple=True,
        type=EnumChoice(TokenPooling),
        callback=_all_poolings,
        help="How they pool; may be repeated (default: all four).",
    ),
    seeds=option(
        "--seeds",
        type=click.IntRange(1, 20),
        default=_DEFAULT.seeds,
        show_default=True,
        help="How often each encoder is trained, with other seeds.",
    ),
    seed=option(
        "--seed",
        type=click.IntRange(0, 2**31),
        default=_DEFAULT.seed,
        show_default=True,
        help="The first seed.",
    ),
    tokens_at_once=option(
        "--memory-tokens",
        type=click.IntRange(1),
        default=_DEFAULT.tokens_at_once,
        show_default=True,
        help="Tokens of pairs that are trained through at once; fewer take less memory.",
    ),
    precision=option(
        "--precision",
        type=EnumChoice(Precision),
        default=_DEFAULT.precision.value,
        show_default=True,
        help="Precision of the matrix products.",
    ),
    threads=option(
        "--threads",
        type=click.IntRange(1),
        callback=_torch_s_threads,
        help="Processor threads (default: one for each core).",
    ),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(required=False, default="")]
    out: Annotated[Path, option("--out", type=PATH, required=True, help="New folder for the encoder's checkpoint.")]
    base: Annotated[
        Path | None,
        option(
            "--base",
            type=FOLDER,
            help="Checkpoint folder with the tokenizer; a Gemma 3 decoder's weights are adapted (default: the bundled"
            " model's tokenizer, and a new decoder).",
        ),
    ]
    pairs: Annotated[
        Path | None, option("--pairs", type=PATH, help="A file of pairs (default: those of the collection).")
    ]
    judged: Annotated[
        tuple[Path, ...],
        option(
            "--judged", multiple=True, type=FOLDER, help="A folder in BEIR's layout to search too; may be repeated."
        ),
    ]
    options: Annotated[InitOptions, _OPTIONS]
    fresh: Annotated[bool, option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run.")]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print one JSON object.")]


@click.command(short_help="Make an encoder from a decoder, as EmbeddingGemma was; an experiment of an evening.")
@with_options(_Request)
def init(request: _Request) -> None:
    """Make a small encoder as EmbeddingGemma was made, and compare its beginnings.

    A causal language model is trained on COLLECTION's passages, adapted to an encoder-decoder, and the encoder is trained on
    the collection's pairs, beside encoders that start from the decoder and from random weights, with four ways of pooling. The
    best one is written to --out, to be imported. It shows what the recipe's beginning is worth; a model that was trained on the
    world's texts finds more. The same command resumes a run that was stopped.

    \b
    Examples:
      searchkit train init docs --out docs-encoder
      searchkit train init docs --out docs-encoder --base ~/Downloads/embeddinggemma-300m --start encoder-decoder --seeds 1
      searchkit models import docs-encoder
    """
    if not request.collection and request.pairs is None:
        raise click.UsageError("Name a collection, or pairs: --pairs FILE")
    out = request.out.expanduser().absolute()
    if out.exists():
        raise click.UsageError(f"{request.out} exists already. --out needs a new folder.")
    if not out.parent.is_dir():
        raise click.UsageError(f"There is no folder {out.parent}. Create it, or name another: --out")
    from searchkit.library import Library
    from searchkit.train.options import require_torch

    require_torch()
    from searchkit.train.init.initialize import initialize
    from searchkit.train.init.prepare import InitRequest, prepare_run
    from searchkit.train.init.result import write_report
    from searchkit.train.reports import where_written

    file = request.pairs.expanduser() if request.pairs else None
    asked = InitRequest(request.collection, out, request.base, file, request.judged, request.fresh)
    with Library() as library:
        run = prepare_run(library, asked, request.options)
        with progress_line() as on_progress:
            made = initialize(run, on_progress=on_progress, say=say)
        report = library.home.initialization_reports / out.name
        write_report(run, made, report)
    run.folder.remove()
    _show(made, as_json=request.as_json)
    say(where_written(report, has_figures=True))
    say(f"Written: {request.out}. To search with it: {command('models', 'import', str(request.out))}")


def _show(made: "Made", *, as_json: bool) -> None:
    if as_json:
        print_json([made.as_json()])
        return
    for line in made.lines:
        found = f"{line.ndcg:.4f} ({line.low:.4f} to {line.high:.4f})"
        click.echo(f"{line.set:<16} {line.start:<16} {line.pooling:<10} nDCG@10 {found}")
    chosen = made.chosen
    say(f"Best on the validation pairs: {chosen.start}, {chosen.pooling} pooling.")
