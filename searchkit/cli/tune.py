"""`searchkit tune`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import FILE, option, with_options
from searchkit.cli.output import print_json, say
from searchkit.display import error_text
from searchkit.errors import UsageError

if TYPE_CHECKING:
    from searchkit import Trial
    from searchkit.maintenance.tune_index import TuneReport

_ONE_PER_LINE = "Write one query per line."


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[
        str, option("-c", "--collection", type=COLLECTION, required=True, help="The collection to choose an index for.")
    ]
    recall: Annotated[
        float,
        option(
            "--recall",
            type=click.FloatRange(0, 1, min_open=True),
            default=0.99,
            show_default=True,
            help="Share of the true ten nearest that must be found.",
        ),
    ]
    max_ms: Annotated[
        float | None,
        option(
            "--max-ms",
            type=click.FloatRange(0, min_open=True),
            help="Longest median time of a search in milliseconds, without embedding the query.",
        ),
    ]
    max_megabytes: Annotated[
        float | None,
        option("--max-mb", type=click.FloatRange(0, min_open=True), help="Most megabytes that the index may take."),
    ]
    queries: Annotated[Path | None, option("--queries", type=FILE, help="A text file, one query per line.")]
    dry_run: Annotated[bool, option("--dry-run", is_flag=True, help="Measure and show, change nothing.")]
    auto: Annotated[
        bool,
        option("--auto", is_flag=True, help="Measure nothing; return to the index that suits the collection's size."),
    ]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print one JSON object.")]


@click.command()
@with_options(_Request)
def tune(request: _Request) -> None:
    """Measure the indexes on a collection's own vectors and set the cheapest that finds enough.

    Queries are the collection's headings unless a file names better ones. The cheapest has the lowest sum of
    milliseconds per query and a fiftieth of the megabytes.

    \b
    Examples:
      searchkit tune -c docs
      searchkit tune -c docs --recall 0.995 --max-mb 100 --dry-run
    """
    from searchkit.library import Library
    from searchkit.maintenance.tune_index import TuneOptions, measure_indexes, set_index

    collection = request.collection
    with Library() as library:
        if request.auto:
            set_index(library.collection(collection), None)
            say(f"{collection}: the index that suits its size")
            return
        queries = _lines_of(request.queries) if request.queries else ()
        options = TuneOptions(request.recall, request.max_ms, request.max_megabytes, queries)
        report = measure_indexes(library.collection(collection), options, lambda trial: say(_row(trial)))
        if report.chosen and not request.dry_run:
            set_index(library.collection(collection), report.chosen.spec, recall=request.recall, queries=queries)
    if request.as_json:
        print_json([_as_json(report)])
    else:
        _print(report, dry_run=request.dry_run)


def _lines_of(file: Path) -> tuple[str, ...]:
    """Read the lines that are not blank. Raises UsageError for a file without any, or one that is not text."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file} cannot be read as UTF-8 text: {error}.", remedy=_ONE_PER_LINE) from error
    texts = tuple(line.strip() for line in lines if line.strip())
    if not texts:
        raise UsageError(f"{file} contains no query.", remedy=_ONE_PER_LINE)
    return texts


def _print(report: "TuneReport", *, dry_run: bool) -> None:
    click.secho(
        f"{'index':<20} {'recall@10':>9} {'median':>9} {'slowest':>9} {'memory':>10} {'build':>8} {'cost':>7}",
        bold=True,
    )
    for trial in sorted(report.trials, key=lambda trial: trial.cost):
        chosen = "  ← " + ("would be set" if dry_run else "set") if trial == report.chosen else ""
        click.echo(_row(trial) + chosen)
    for name, error in report.skipped:
        say(f"{name}: {error_text(error)}")
    say(f"Measured on {report.queries:,} queries.")
    if report.chosen is None:
        say("None reaches that recall within these limits; nothing was changed.")


def _row(trial: "Trial") -> str:
    return (
        f"{trial.spec!s:<20} {trial.recall:>9.3f} {trial.median_ms:>6.2f} ms {trial.slowest_ms:>6.2f} ms"
        f" {trial.memory_bytes / 1e6:>7.1f} MB {trial.build_seconds:>6.1f} s {trial.cost:>7.2f}"
    )


def _as_json(report: "TuneReport") -> dict[str, object]:
    return {
        "queries": report.queries,
        "chosen": str(report.chosen.spec) if report.chosen else None,
        "trials": [{**asdict(trial), "spec": str(trial.spec), "cost": trial.cost} for trial in report.trials],
        "skipped": {name: error_text(error) for name, error in report.skipped},
    }
