"""`searchkit eval retrieval`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION, MODEL
from searchkit.cli.options import PATH, EnumChoice, argument, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import plural
from searchkit.types import SearchMode

if TYPE_CHECKING:
    from searchkit.evaluate.retrieval.evaluation import EvaluationOptions, SetResult
    from searchkit.library import Library
    from searchkit.reports import ProgressListener


@dataclass(frozen=True, slots=True)
class _Request:
    folders: Annotated[tuple[Path, ...], argument(nargs=-1, metavar="[FOLDER]...", type=PATH)]
    collection: Annotated[
        str | None, option("-c", "--collection", type=COLLECTION, help="Evaluate this collection, with --queries.")
    ]
    queries: Annotated[
        Path | None, option("--queries", type=PATH, help="Judged queries for the collection; see eval init.")
    ]
    split: Annotated[
        str, option("--split", default="test", show_default=True, help="Judgements to use: qrels/SPLIT.tsv.")
    ]
    modes: Annotated[
        tuple[SearchMode, ...],
        option(
            "--mode", multiple=True, type=EnumChoice(SearchMode), help="Way to search; may be repeated (default: all)."
        ),
    ]
    model: Annotated[
        str,
        option(
            "--model",
            type=MODEL,
            default="",
            help="Embedding model for FOLDERs (default: the one for new collections).",
        ),
    ]
    indexes: Annotated[
        tuple[str, ...],
        option(
            "--index",
            multiple=True,
            metavar="KIND",
            help="Index to search through, such as rabitq-1bit-256, or auto; may be repeated (default: auto).",
        ),
    ]
    dimensions: Annotated[
        tuple[int, ...],
        option(
            "--dimension",
            multiple=True,
            type=click.IntRange(1),
            help="Prefix dimension of the index that auto gives; may be repeated.",
        ),
    ]
    k: Annotated[
        int, option("-k", default=100, show_default=True, type=click.IntRange(1, 1000), help="Documents per query.")
    ]
    limit: Annotated[
        int | None,
        option("--limit", type=click.IntRange(1), help="Only this many queries of each set, for a quick look."),
    ]
    no_latency: Annotated[bool, option("--no-latency", is_flag=True, help="Do not time searches.")]
    out: Annotated[
        Path | None,
        option("--out", type=PATH, help="Folder for TREC run and judgement files, and report.json."),
    ]
    as_json: Annotated[
        bool, option("--json", is_flag=True, help="Print one JSON object (fields: searchkit docs json).")
    ]


@click.command(short_help="Measure how well searches find what was judged relevant.")
@with_options(_Request)
def retrieval(request: _Request) -> None:
    """Measure how well lexical, semantic and hybrid search find what was judged relevant.

    FOLDER contains corpus.jsonl, queries.jsonl and qrels/test.tsv (BEIR's layout). It is indexed once, in `eval` in
    the data directory, separate from your collections. Alternatively name a collection and a file of judged queries for it.

    \b
    Examples:
      searchkit eval retrieval ~/beir/scifact ~/beir/nfcorpus
      searchkit eval retrieval ~/beir/scifact --mode semantic --index auto --index rabitq-1bit-256 --out runs
      searchkit eval init docs && searchkit eval retrieval -c docs --queries docs-queries.jsonl
    """
    _check(request)
    from searchkit.evaluate.retrieval.evaluation import EvaluationOptions
    from searchkit.evaluate.retrieval.report import report_as_json, report_as_text
    from searchkit.evaluate.retrieval.results import report_of
    from searchkit.library import Library

    options = EvaluationOptions(
        modes=tuple(mode for mode in SearchMode if not request.modes or mode in request.modes),
        indexes=request.indexes,
        dimensions=request.dimensions,
        k=request.k,
        limit=request.limit,
        with_latency=not request.no_latency,
    )
    with Library() as library, progress_line() as listen:
        if request.collection is not None and request.queries is not None:
            results = [_own(library, request.collection, request.queries, options, listen)]
        else:
            results = _sets(library, request, options, listen)
    report = report_of([result.report for result in results])
    if request.out:
        _write(request.out, results, report_as_json(report))
    if request.as_json:
        print_json([report_as_json(report)])
    else:
        click.echo(report_as_text(report))


def _check(request: _Request) -> None:
    if request.collection is None and request.queries is None:
        if not request.folders:
            raise click.UsageError(
                "Name a folder in BEIR's layout, or a collection and its judged queries: -c, --queries."
            )
        return
    if request.folders:
        raise click.UsageError("Either folders, or one of your collections (-c) with its judged queries (--queries).")
    if request.collection is None or request.queries is None:
        raise click.UsageError("-c and --queries go together. Start a file of judged queries: searchkit eval init NAME")
    if request.model or request.split != "test":
        raise click.UsageError(
            "--model and --split are for folders; a collection has its model, and --queries its judgements."
        )


def _named(folders: Sequence[Path], split: str) -> Mapping[str, Path]:
    """Map the names of sets in reports and files to their folders."""
    suffix = "" if split == "test" else f"-{split}"
    named = {f"{folder.resolve().name}{suffix}": folder for folder in folders}
    if len(named) < len(folders):
        raise click.UsageError("Two of the folders have one name. Evaluate them one by one.")
    return named


def _sets(
    library: "Library", request: _Request, options: "EvaluationOptions", listen: "ProgressListener"
) -> "list[SetResult]":
    from searchkit.config import load_settings
    from searchkit.evaluate.beir import read_beir
    from searchkit.evaluate.retrieval.evaluation import evaluate_set

    named = _named(request.folders, request.split)
    data = {name: read_beir(folder, request.split) for name, folder in named.items()}  # read all before embedding any
    for name, one in data.items():
        if unknown := one.unknown_documents:
            say(
                f"{name}: {plural(len(unknown), 'judged document')} not in corpus.jsonl, such as {min(unknown)};"
                " counted as not found."
            )
    embedder = library.models.open(request.model or load_settings(library.home).model or library.models.best())
    return [evaluate_set(library.home, one, embedder, options, listen, label=name) for name, one in data.items()]


def _own(
    library: "Library", collection: str, queries_file: Path, options: "EvaluationOptions", listen: "ProgressListener"
) -> "SetResult":
    from searchkit.evaluate.judged import read_judged
    from searchkit.evaluate.retrieval.evaluation import evaluate_collection

    judged = read_judged(library.home, collection, queries_file)
    embedder = library.collection(collection).embedder()
    return evaluate_collection(judged, embedder, options, listen)


def _write(out: Path, results: "Sequence[SetResult]", report: Mapping[str, object]) -> None:
    """Write judgements, queries and run files of each set, and the report."""
    import json

    from searchkit.errors import UsageError
    from searchkit.evaluate.trec import write_qrels, write_run
    from searchkit.files import write_atomically

    try:
        out.mkdir(parents=True, exist_ok=True)
        for result in results:
            queries = (json.dumps({"_id": key, "text": text}) for key, text in result.queries.items())
            write_atomically(out / f"{result.report.name}.queries.jsonl", "\n".join([*queries, ""]).encode())
            write_qrels(out / f"{result.report.name}.qrels", result.qrels)
            for way, rankings in result.rankings.items():
                write_run(out / f"{result.report.name}.{way}.trec", rankings, f"searchkit-{way}")
        write_atomically(out / "report.json", json.dumps(report, indent=2).encode())
    except OSError as error:
        raise UsageError(
            f"{error.filename or out} cannot be written: {error.strerror}. Choose another folder: --out"
        ) from error
    say(f"Written: {out}")
