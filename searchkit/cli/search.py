"""`searchkit search`."""

from typing import Any

import click

from searchkit.cli.filter_options import filter_options
from searchkit.cli.hits import hit_as_json, print_hits
from searchkit.cli.output import print_json, say
from searchkit.display import command, note_text
from searchkit.search.query.filters import Filters
from searchkit.types import GroupBy, Note, NoteKind, SearchMode


@click.command()
@click.argument("query", nargs=-1)
@click.option("-c", "--collection", "collections", multiple=True, help="Search this collection only; may be repeated.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in SearchMode]),
    default=SearchMode.HYBRID.value,
    show_default=True,
    help="By meaning and words, by meaning alone, or by words alone.",
)
@filter_options
@click.option(
    "--group-by",
    type=click.Choice([GroupBy.FILE.value]),
    help="Show only the best passage of each file, and how many more it has.",
)
@click.option("--explain", is_flag=True, help="Show every number behind a hit's rank.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per hit (fields: see docs/json.md).")
def search(
    query: tuple[str, ...], filters: Filters, group_by: str | None, *, explain: bool, as_json: bool, **how: Any
) -> None:
    """Find the passages that answer QUERY, by meaning and by words.

    In QUERY, a "quoted phrase" must occur as written, and -word must not. type:, path:, folder:, since: and until: do
    what the options of these names do; -type:, -path: and -folder: leave out. Filters alone list the newest documents.
    Put a QUERY with quotes or hyphens in single quotes, so that the shell leaves it as it is, and -- before one that begins
    with a hyphen.

    \b
    Examples:
      searchkit search when does the lease end
      searchkit search "error E07" --mode lexical -k 3
      searchkit search '"notice period" -draft type:pdf,md since:2025'
      searchkit search --type mail --since 7d
    """
    if not query and not filters:
        raise click.UsageError("Missing argument 'QUERY...'. Say what you look for, or give a filter: --since 7d.")
    from searchkit.daemon.client import find
    from searchkit.home import Home
    from searchkit.search.request import SearchRequest

    how = {**how, "mode": SearchMode(how["mode"]), "group_by": GroupBy(group_by or GroupBy.PASSAGE)}
    request = SearchRequest(" ".join(query), filters=filters, **how)
    found = find(Home.default(), request)
    if as_json:
        print_json(hit_as_json(hit, rank, is_explained=explain) for rank, hit in enumerate(found.hits, 1))
    else:
        print_hits(found.hits, are_explained=explain)
    for note in found.notes:
        say(_worded(note))


def _worded(note: Note) -> str:
    """A note, with what can be typed about it."""
    if note.kind is NoteKind.PARTLY_EMBEDDED:
        return f"{note_text(note)} Go on: {command('index', '-c', note.collection)}"
    return note_text(note)
