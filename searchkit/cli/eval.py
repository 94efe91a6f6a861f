"""`searchkit eval`: measure how good it is on judged data."""

from pathlib import Path

import click

from searchkit.cli.eval_compare import compare
from searchkit.cli.eval_init import init
from searchkit.cli.eval_retrieval import retrieval
from searchkit.cli.output import print_json
from searchkit.cli.progress import progress_line

_REFERENCE_TOKENS = 256


def _windows(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Tokens and shared tokens of windows written as 512, or as 512:64 where two of them share 64."""
    return tuple(map(_window, values))


def _window(value: str) -> tuple[int, int]:
    tokens, _, shared = value.partition(":")
    if not (tokens.isdecimal() and (shared or "0").isdecimal() and int(shared or 0) < int(tokens)):
        raise click.BadParameter(f"{value!r} is not a number of tokens, or two such as 512:64, the second smaller.")
    return int(tokens), int(shared or 0)


@click.group(name="eval")
def eval() -> None:
    """Measure how well searches find, and how well passages are cut, on judged data.

    \b
    Examples:
      searchkit eval retrieval ~/beir/scifact
      searchkit eval init docs
      searchkit eval chunking ~/judged
    """


eval.add_command(retrieval)
eval.add_command(compare)
eval.add_command(init)


@eval.command(short_help="Measure how much of the answers the best passages hold.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--model", default="", help="Embedding model (default: the best one installed).")
@click.option("-k", type=click.IntRange(1), default=5, show_default=True, help="Passages that a query retrieves.")
@click.option(
    "--windows",
    multiple=True,
    callback=_windows,
    metavar="TOKENS[:SHARED]",
    help="Fixed windows to compare as well, such as 128 or 256:64; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (fields: see docs/json.md).")
def chunking(folder: Path, *, model: str, k: int, windows: tuple[tuple[int, int], ...], as_json: bool) -> None:
    """Measure how much of the answers the best passages hold, and how much else.

    FOLDER holds documents/, queries.jsonl ({"_id", "text"}) and spans.jsonl ({"_id", "file", "spans": [[start, end], ...]},
    counted in characters of the document). The documents are cut as `index` cuts them, and in windows of 256 tokens.

    \b
    Examples:
      searchkit eval chunking ~/judged
      searchkit eval chunking ~/judged --windows 128 --windows 256:64 --json
    """
    from searchkit.evaluate.chunking.chunkers import ByStructure, FixedWindows
    from searchkit.evaluate.chunking.data import read_chunking_data
    from searchkit.evaluate.chunking.measure import ChunkingEvaluation
    from searchkit.evaluate.chunking.report import report_as_json, report_as_text
    from searchkit.library import Library

    data = read_chunking_data(folder)
    with Library() as library:
        embedder = library.models.open(model or library.models.best())
    reference = FixedWindows(_REFERENCE_TOKENS)
    others = dict.fromkeys(FixedWindows(*sizes) for sizes in windows if sizes != (_REFERENCE_TOKENS, 0))
    with progress_line() as listen:
        report = ChunkingEvaluation(data, embedder, k, listen).run([ByStructure(), reference, *others], reference)
    if as_json:
        print_json([report_as_json(report)])
    else:
        click.echo(report_as_text(report))
