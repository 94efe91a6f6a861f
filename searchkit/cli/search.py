"""`searchkit search`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from searchkit.cli.hits import hit_as_json, print_hits
from searchkit.cli.output import print_json, say
from searchkit.types import SearchMode

if TYPE_CHECKING:
    from searchkit.library import Library


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("-c", "--collection", "collections", multiple=True, help="Search this collection only; may be repeated.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in SearchMode]),
    default=SearchMode.HYBRID.value,
    show_default=True,
    help="By meaning and words, by meaning alone, or by words alone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a hit (fields: see docs/json.md).")
def search(query: tuple[str, ...], collections: tuple[str, ...], k: int, mode: str, *, as_json: bool) -> None:
    """Find the passages that answer QUERY, by meaning and by words.

    \b
    Examples:
      searchkit search when does the lease end
      searchkit search "error E07" --mode lexical -k 3
    """
    from searchkit.library import Library

    with Library() as library:
        hits = library.search(" ".join(query), k=k, collections=collections, mode=SearchMode(mode))
        if as_json:
            print_json(hit_as_json(hit, rank) for rank, hit in enumerate(hits, 1))
        else:
            print_hits(hits)
        if not hits:
            say("Nothing found.")
        if mode != SearchMode.LEXICAL:
            _say_coverage(library, collections or library.collections())


def _say_coverage(library: "Library", names: Sequence[str]) -> None:
    """Say how much can be found by meaning, where that is not everything."""
    for name in names:
        if not library.is_covered(name):
            status = library.status(name)
            if status.vectors < status.passages:
                say(
                    f"{name}: {status.vectors:,} of {status.passages:,} passages can be found by meaning so far."
                    f" Go on: searchkit index -c {name}"
                )
