"""`searchkit index`."""

from dataclasses import asdict

import click

from searchkit.cli.output import print_json, say
from searchkit.cli.progress import progress_line
from searchkit.types import IndexReport
from searchkit.wording import on_one_line, plural

_PROBLEMS_SHOWN = 5


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-c", "--collection", default="", help="Put the folders into this collection (default: named after each)."
)
@click.option("--model", default="", help="Embed with this model (default: the collection's, else the best installed).")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object a collection.")
def index(paths: tuple[str, ...], collection: str, model: str, *, as_json: bool) -> None:
    """Make folders searchable, or bring them up to date.

    Only new and changed files are read again. Without a PATH every collection (or the one named) is brought up to date.

    \b
    Examples:
      searchkit index ~/docs
      searchkit index ~/work/reports ~/work/minutes -c work
    """
    from searchkit.errors import CollectionNotFoundError
    from searchkit.library import Library

    with Library() as library, progress_line() as on_progress:
        names = [] if paths else ([collection] if collection else library.collections())
        if not (paths or names):
            raise CollectionNotFoundError("Nothing is indexed yet. Name a folder: searchkit index FOLDER")
        for path in paths:  # a misspelt one is better known before the first hour than after it
            library.check(path)
        for path in paths:
            report = library.index(path, collection=collection, model=model, on_progress=on_progress)
            _report(report, library.models.names(), as_json=as_json)
        for name in names:
            _report(library.refresh(name, on_progress=on_progress), library.models.names(), as_json=as_json)


def _report(report: IndexReport, installed: list[str], *, as_json: bool) -> None:
    from searchkit.embedding.store import BUNDLED

    if as_json:
        problems = [{"path": str(problem.path), "reason": problem.reason} for problem in report.problems]
        print_json([{**asdict(report), "problems": problems}])
        return
    changes = [
        f"{count:,} {what}"
        for count, what in (
            (report.added, "added"),
            (report.changed, "changed"),
            (report.moved, "moved"),
            (report.deleted, "deleted"),
            (report.unchanged, "unchanged"),
        )
        if count
    ]
    not_read = [(report.skipped, "skipped"), (report.unsupported, "without text")]
    skipped = "".join(f" {count:,} {what} in all;" for count, what in not_read if count)
    speed = f" ({report.embedded / report.embed_seconds:.1f}/s)" if report.embedded and report.embed_seconds else ""
    say(
        f"{report.collection}: {', '.join(changes) or 'no files'};"
        f"{skipped} {plural(report.chunks, 'passage')}, {report.embedded:,} embedded{speed}, {report.elapsed_seconds:.1f} s"
    )
    if report.added and not report.unchanged and installed == [BUNDLED]:
        say(f"  The small model {BUNDLED} knows English best. A better one: searchkit models pull embeddinggemma-300m")
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        say(f"  skipped {on_one_line(str(problem.path))}: {problem.reason}")
    if len(report.problems) > _PROBLEMS_SHOWN or report.skipped > len(report.problems):
        say(f"  {plural(report.skipped, 'file')} skipped in all; see each with its reason: searchkit status")
