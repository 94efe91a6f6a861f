"""`searchkit train init`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import FOLDER, PATH, EnumChoice, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_options import FRESH, amount, number, precision, seed, threads
from searchkit.display import command
from searchkit.train.options import InitOptions, Start, TokenPooling

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


_OPTIONS = group(
    InitOptions,
    layers=number("--layers", _DEFAULT.layers, "Of a new decoder.", most=48),
    width=option(
        "--width",
        type=click.IntRange(12, 1536),
        callback=_width,
        default=_DEFAULT.width,
        show_default=True,
        help=f"Of a new decoder; a multiple of {_SIXTH}.",
    ),
    vocabulary=number(
        "--vocabulary", _DEFAULT.vocabulary, "How many of the texts' most frequent tokens are kept.", least=256
    ),
    max_tokens=number("--max-tokens", _DEFAULT.max_tokens, "Longest training text, in tokens.", least=16, most=2048),
    language_steps=number(
        "--decoder-steps", _DEFAULT.language_steps, "Steps of the decoder as a language model.", least=0
    ),
    adaptation_steps=number("--adaptation-steps", _DEFAULT.adaptation_steps, "Steps of the encoder-decoder.", least=0),
    texts=number("--texts", _DEFAULT.texts, "Texts of a step of these two."),
    rate=amount(
        "--rate", _DEFAULT.rate, "Learning rate of these two; for a decoder that is trained already, take a tenth."
    ),
    epochs=number("--epochs", _DEFAULT.epochs, "How often each encoder sees each pair."),
    batch_size=number("--batch-size", _DEFAULT.batch_size, "Pairs per step.", least=2),
    contrastive_rate=amount("--contrastive-rate", _DEFAULT.contrastive_rate, "Learning rate of the encoders."),
    temperature=amount("--temperature", _DEFAULT.temperature, "Temperature of the contrastive loss."),
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
    seeds=number("--seeds", _DEFAULT.seeds, "How often each encoder is trained, with other seeds.", most=20),
    seed=seed(_DEFAULT.seed, "The first seed."),
    tokens_at_once=number(
        "--memory-tokens",
        _DEFAULT.tokens_at_once,
        "Tokens of pairs that are trained through at once; fewer take less memory.",
    ),
    precision=precision(_DEFAULT.precision),
    threads=threads(_DEFAULT.threads),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(type=COLLECTION, required=False, default="")]
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
    fresh: Annotated[bool, FRESH]
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
