"""`searchkit embed`: computes the vectors of what is stored, by itself or beside others on many machines."""

import time
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import clock_time, error_text, plural
from searchkit.errors import CatalogError, CollectionBusyError
from searchkit.reports import EmbedReport, RunOptions

if TYPE_CHECKING:
    from searchkit.collection import Collection
    from searchkit.library import Library

_LOOK_SECONDS = 2.0  # between two looks for new passages


@click.command()
@click.option("-c", "--collection", type=COLLECTION, default="", help="Embed this collection (default: all).")
@click.option("--follow", is_flag=True, help="Keep running, and embed what is added.")
@click.option(
    "--ray",
    default="",
    metavar="ADDRESS",
    help="Embed on the machines of a Ray cluster: its HOST:PORT, auto for the one that this machine is in, or local.",
)
@click.option("--wait", is_flag=True, help="Wait for another process that is writing to the collection.")
@click.option("--json", "as_json", is_flag=True, help="Print each report as one JSON object.")
def embed(*, collection: str, follow: bool, ray: str, wait: bool, as_json: bool) -> None:
    """Embed what is stored and has no vector yet.

    No folder is looked at, and what is left to questions (index --lazy) is
    embedded too. Of a collection in PostgreSQL any number of these processes,
    on any machines that have its model, share the work: each takes documents
    that no other has, and what one leaves when it is killed the others take.
    With --ray, one command has the machines of a Ray cluster do that.

    \b
    Examples:
      searchkit embed
      searchkit embed -c team --follow
      searchkit embed -c team --ray 10.0.0.1:6379
    """
    from searchkit.library import Library

    with Library() as library:
        names = [collection] if collection else library.collections()
        if not names:
            from searchkit.errors import NothingIndexedError

            raise NothingIndexedError
        options = RunOptions(wait=wait or follow)
        for name in names:
            _report(_embed(library.collection(name), options, ray), as_json=as_json)
        if follow:
            say(f"Waiting for what is added to {', '.join(names)}. Ctrl-C ends it.")
            _follow(library, names, options, ray, as_json=as_json)


def _embed(collection: "Collection", options: RunOptions, ray: str) -> EmbedReport:
    with progress_line() as listen:
        return collection.embed(on_progress=listen, options=options, ray=ray)


def _follow(library: "Library", names: list[str], options: RunOptions, ray: str, *, as_json: bool) -> None:
    """Embed what comes, until an interrupt. While a database is away, it is asked again and again."""
    said: dict[str, str] = {}
    while True:
        for name in names:
            collection = library.collection(name)
            try:
                counts = collection.coverage()
                if counts.vectors < counts.passages or not counts.model:
                    report = _embed(collection, options, ray)
                    if report.embedded:
                        _report(report, as_json=as_json, time=f"{clock_time()} ")
                said.pop(name, None)
            except (CatalogError, CollectionBusyError) as error:
                if collection.folder.url is None:
                    raise
                if said.get(name) != (text := error_text(error)):
                    say(f"{clock_time()} {name}: {text}")
                said[name] = text
        time.sleep(_LOOK_SECONDS)


def _report(report: EmbedReport, *, as_json: bool, time: str = "") -> None:
    if as_json:
        from searchkit.display.fields import fields_of

        print_json([fields_of(report)])
        return
    left = f"; {plural(report.left, 'passage')} left to others" if report.left else ""
    embedded = f"{plural(report.embedded, 'passage')} embedded, {report.elapsed_seconds:,.1f} s"
    say(f"{time}{report.collection}: {embedded if report.embedded else 'nothing to embed'}{left}")
