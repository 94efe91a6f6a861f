"""`searchkit similar`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from searchkit.cli.filter_options import FILTERS
from searchkit.cli.hits import hit_as_json, print_hits
from searchkit.cli.options import argument, option, with_options
from searchkit.cli.output import print_json, say
from searchkit.search.query.filters import Filters


@dataclass(frozen=True, slots=True)
class _Request:
    place: Annotated[str, argument(metavar="PATH[:LINE]")]
    collections: Annotated[
        tuple[str, ...],
        option("-c", "--collection", multiple=True, help="Search this collection only; may be repeated."),
    ]
    k: Annotated[int, option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")]
    filters: Annotated[Filters, FILTERS]
    as_json: Annotated[
        bool, option("--json", is_flag=True, help="Print one JSON object per hit (fields: searchkit docs json).")
    ]


@click.command()
@with_options(_Request)
def similar(request: _Request) -> None:
    """Find the passages nearest in meaning to an indexed file, or to its passage at LINE.

    LINE is the page in formats that have pages and no lines. The file's own passages are left out. Nothing is embedded:
    the vectors of the index answer.

    \b
    Examples:
      searchkit similar notes/roof.md
      searchkit similar contracts/lease.txt:40 --type pdf --since 1y
    """
    from searchkit.library import Library

    path, line = _place(request.place)
    with Library() as library:
        hits = library.similar(path, line, k=request.k, collections=request.collections, filters=request.filters)
        if request.as_json:
            print_json(hit_as_json(hit, rank) for rank, hit in enumerate(hits, 1))
        else:
            print_hits(hits)
        if not hits:
            say("Nothing found.")


def _place(place: str) -> tuple[Path, int | None]:
    """Split path and line; an existing file whose name ends like a line is taken as it is."""
    numbered = re.fullmatch(r"(.+):([0-9]{1,9})", place, re.DOTALL)
    if numbered is None or Path(place).expanduser().exists():
        return Path(place), None
    return Path(numbered[1]), int(numbered[2])
