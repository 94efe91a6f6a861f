"""`searchkit search`."""

from typing import TYPE_CHECKING, Any

import click

from searchkit.cli.filter_options import filter_options
from searchkit.cli.hits import hit_as_json, print_hits
from searchkit.cli.output import print_json, say
from searchkit.search.filters import Filters
from searchkit.types import GroupBy, SearchMode

if TYPE_CHECKING:
    from searchkit.warm.wire import Found, SearchRequest


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
    help="Show the best passage of each file alone, and how many more there are in it.",
)
@click.option("--explain", is_flag=True, help="Show every number that gave a hit its place.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a hit (fields: see docs/json.md).")
def search(
    query: tuple[str, ...], filters: Filters, group_by: str | None, *, explain: bool, as_json: bool, **how: Any
) -> None:
    """Find the passages that answer QUERY, by meaning and by words.

    In QUERY, a "quoted phrase" must occur as written, and -word must not. type:, path:, folder:, since: and until: do
    what the options of these names do; -type:, -path: and -folder: leave out. Filters alone list the newest documents.
    Put a QUERY with quotes or hyphens between single quotes, so that the shell leaves it as it is, and -- before one that
    begins with a hyphen.

    \b
    Examples:
      searchkit search when does the lease end
      searchkit search "error E07" --mode lexical -k 3
      searchkit search '"notice period" -draft type:pdf,md since:2025'
      searchkit search --type mail --since 7d
    """
    if not query and not filters:
        raise click.UsageError("Missing argument 'QUERY...'. Say what you look for, or give a filter: --since 7d.")
    from searchkit.paths import default_home
    from searchkit.warm.searching import find
    from searchkit.warm.wire import SearchRequest

    how = {**how, "mode": SearchMode(how["mode"]), "group_by": GroupBy(group_by or GroupBy.PASSAGE)}
    request = SearchRequest(" ".join(query), filters=filters, **how)
    found = find(default_home(), request)
    if as_json:
        print_json(hit_as_json(hit, rank, is_explained=explain) for rank, hit in enumerate(found.hits, 1))
    else:
        print_hits(found.hits, are_explained=explain)
    _say_about(request, found)


def _say_about(request: "SearchRequest", found: "Found") -> None:
    """Say what the hits themselves do not show."""
    from searchkit.finding import filters_misread, nothing_found, phrases_not_found

    hits = found.hits
    if hits and request.mode is not SearchMode.SEMANTIC and (missing := phrases_not_found(request.query, hits)):
        say(f"Nothing holds {' and '.join(repr(phrase) for phrase in missing)} as written; these come nearest.")
    if hits and all(hit.is_weak for hit in hits):
        say("Nothing here is clearly about that; these are only the nearest passages.")
    if hint := filters_misread(request.query):
        say(hint)
    if not hits:
        say(nothing_found(request.query, request.filters, request.mode))
    for each in found.uncovered:
        say(
            f"{each.collection}: {each.vectors:,} of {each.passages:,} passages can be found by meaning so far."
            f" Go on: searchkit index -c {each.collection}"
        )
