"""`searchkit tune`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.output import print_json, say
from searchkit.errors import UsageError

if TYPE_CHECKING:
    from searchkit.index_store.trials import Trial
    from searchkit.maintenance.tune_index import TuneReport


@click.command()
@click.option("-c", "--collection", required=True, help="The collection to choose an index for.")
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.99,
    show_default=True,
    help="Share of the true ten nearest that must be found.",
)
@click.option(
    "--max-ms",
    type=click.FloatRange(0, min_open=True),
    help="Median milliseconds that a search may take, without embedding the query.",
)
@click.option("--max-mb", type=click.FloatRange(0, min_open=True), help="Megabytes that the index may take.")
@click.option(
    "--queries", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A text file, one query a line."
)
@click.option("--dry-run", is_flag=True, help="Measure and show, change nothing.")
@click.option("--auto", is_flag=True, help="Measure nothing; go back to what suits the collection's size.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def tune(  # noqa: PLR0913 - an option each
    collection: str,
    recall: float,
    max_ms: float | None,
    max_mb: float | None,
    queries: Path | None,
    *,
    dry_run: bool,
    auto: bool,
    as_json: bool,
) -> None:
    """Measure the indexes on a collection's own vectors and set the cheapest that finds enough.

    Queries are the collection's headings unless a file names better ones. Cheapest: the least of milliseconds a
    query plus a fiftieth of the megabytes.

    \b
    Examples:
      searchkit tune -c docs
      searchkit tune -c docs --recall 0.995 --max-mb 100 --dry-run
    """
    from searchkit.library import Library
    from searchkit.maintenance.tune_index import TuneOptions, measure_indexes, set_index

    with Library() as library:
        if auto:
            set_index(library, collection, None)
            say(f"{collection}: the index that suits its size")
            return
        texts = _lines_of(queries) if queries else ()
        report = measure_indexes(
            library, collection, TuneOptions(recall, max_ms, max_mb, texts), lambda trial: say(_row(trial))
        )
        if report.chosen and not dry_run:
            set_index(library, collection, report.chosen.spec, recall=recall, queries=texts)
    if as_json:
        print_json([_as_json(report)])
    else:
        _print(report, dry_run=dry_run)


def _lines_of(file: Path) -> tuple[str, ...]:
    """The lines that are not blank. Raises UsageError if there is none, or if it is no text."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file} cannot be read as UTF-8 text: {error}. It should hold one query a line.") from error
    texts = tuple(line.strip() for line in lines if line.strip())
    if not texts:
        raise UsageError(f"{file} holds no query. It should hold one a line.")
    return texts


def _print(report: "TuneReport", *, dry_run: bool) -> None:
    click.secho(
        f"{'index':<20} {'recall@10':>9} {'median':>9} {'slowest':>9} {'memory':>10} {'build':>8} {'cost':>7}",
        bold=True,
    )
    for trial in sorted(report.trials, key=lambda trial: trial.cost):
        chosen = "  ← " + ("would be set" if dry_run else "set") if trial == report.chosen else ""
        click.echo(_row(trial) + chosen)
    for name, reason in report.skipped:
        say(f"{name}: {reason}")
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
        "skipped": dict(report.skipped),
    }
