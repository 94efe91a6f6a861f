"""`searchkit eval`: measure the quality of search and of chunking on judged data."""

from pathlib import Path

import click

from searchkit.cli.completion import MODEL, NearestGroup
from searchkit.cli.eval_answers import answers
from searchkit.cli.eval_retrieval import retrieval
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import plural

_REFERENCE_TOKENS = 256


def _windows(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Parse windows such as 512, or 512:64 with an overlap of 64, to pairs of tokens and overlap."""
    return tuple(map(_window, values))


def _window(value: str) -> tuple[int, int]:
    tokens, _, shared = value.partition(":")
    if not (tokens.isdecimal() and (shared or "0").isdecimal() and int(shared or 0) < int(tokens)):
        raise click.BadParameter(f"{value!r} is not a number of tokens, or two such as 512:64, the second smaller.")
    return int(tokens), int(shared or 0)


@click.group(name="eval", cls=NearestGroup)
def eval() -> None:
    """Measure the quality of search, of answers and of chunking on judged data.

    \b
    Examples:
      searchkit eval retrieval ~/beir/scifact
      searchkit eval answers questions.jsonl
      searchkit eval init docs
      searchkit eval chunking ~/judged
    """


eval.add_command(retrieval)
eval.add_command(answers)


@eval.command(short_help="Measure how much of the answers the best chunks contain.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--model", type=MODEL, default="", help="Embedding model (default: the best one installed).")
@click.option("-k", type=click.IntRange(1), default=5, show_default=True, help="Chunks that each query retrieves.")
@click.option(
    "--windows",
    multiple=True,
    callback=_windows,
    metavar="TOKENS[:SHARED]",
    help="Fixed windows to compare too, such as 128 or 256:64; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (fields: searchkit docs json).")
def chunking(folder: Path, *, model: str, k: int, windows: tuple[tuple[int, int], ...], as_json: bool) -> None:
    """Measure how much of the answers the best chunks contain, and how much else.

    FOLDER contains documents/, queries.jsonl ({"_id", "text"}) and spans.jsonl ({"_id", "file", "spans": [[start, end], ...]},
    in characters of the document). The documents are chunked as `index` does it, and in windows of 256 tokens.

    \b
    Examples:
      searchkit eval chunking ~/judged
      searchkit eval chunking ~/judged --windows 128 --windows 256:64 --json
    """
    from searchkit.evaluate.chunking.chunkers import ByStructure, FixedWindows
    from searchkit.evaluate.chunking.data import read_chunking_data
    from searchkit.evaluate.chunking.measure import ChunkingEvaluation, report_as_json, report_as_text
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


@eval.command(short_help="Compare two TREC run files on the same judgements.")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--qrels", required=True, type=click.Path(path_type=Path), help="Judgements: qrels/test.tsv, or a TREC qrels file."
)
@click.option("--queries", "queries_file", type=click.Path(path_type=Path), help="queries.jsonl, to show their texts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (fields: searchkit docs json).")
def compare(run_a: Path, run_b: Path, *, qrels: Path, queries_file: Path | None, as_json: bool) -> None:
    """Compare two TREC run files on the same judgements: is B better than A, by how much, on which queries?

    The runs may come from any system. Judged queries that are missing from a run count as 0.

    \b
    Example:
      searchkit eval compare before/scifact.hybrid.trec after/scifact.hybrid.trec \\
        --qrels scifact/qrels/test.tsv --queries scifact/queries.jsonl
    """
    from searchkit.evaluate.beir import json_objects
    from searchkit.evaluate.retrieval.compare import compare_runs, comparison_as_json, comparison_as_text

    texts = (
        {str(row.get("_id")): str(row.get("text", "")) for row, _ in json_objects(queries_file)} if queries_file else {}
    )
    comparison = compare_runs(run_a, run_b, qrels, texts)
    if as_json:
        print_json([comparison_as_json(comparison)])
    else:
        click.echo(comparison_as_text(comparison))


@eval.command(short_help="Start a file of judged queries for a collection.")
@click.argument("collection", metavar="NAME")
@click.option("--out", type=click.Path(path_type=Path), help="File to write (default: NAME-queries.jsonl here).")
@click.option("--count", default=20, show_default=True, type=click.IntRange(1), help="Number of queries to suggest.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(collection: str, *, out: Path | None, count: int, force: bool) -> None:
    """Start a file of judged queries for a collection: headings from all parts of it, each with its file.

    Each line is {"query": "...", "relevant": ["PATH"]}; PATH#12 names a line of a file, PATH:3 a page (or a line, in a file
    without pages). Rewrite the queries before you measure with them.

    \b
    Example:
      searchkit eval init docs --count 30
    """
    from searchkit.evaluate.query_suggestions import suggest_queries, write_suggestions
    from searchkit.library import Library

    file = out or Path(f"{collection}-queries.jsonl")
    with Library() as library:
        suggestions = suggest_queries(library.home, collection, count)
    if not suggestions:
        say(f"Nothing to suggest: collection '{collection}' has no headings and no text. Nothing was written.")
        return
    write_suggestions(file, suggestions, force=force)
    click.echo(file)
    say(
        f"{plural(len(suggestions), 'heading')} to turn into queries. Unchanged, they favour lexical search: reword each as a"
        ' question of yours, add other files that answer it to "relevant", and delete lines that make no good query. Then:'
    )
    say(f"  searchkit eval retrieval -c '{collection}' --queries '{file}'")
