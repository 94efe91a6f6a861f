"""`searchkit search` and `searchkit similar`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from searchkit.cli.completion import collections_option
from searchkit.cli.filter_options import FILTERS
from searchkit.cli.hit_formats import COLOR, OUTPUT, Output
from searchkit.cli.options import EnumChoice, argument, option, text_of, with_options
from searchkit.cli.output import say
from searchkit.display import note_remedy, note_text, remedy_text, sentences
from searchkit.search.query.filters import Filters
from searchkit.types import GroupBy, Note, NoteKind, SearchMode


@dataclass(frozen=True, slots=True)
class _Request:
    query: Annotated[tuple[str, ...], argument(nargs=-1)]
    collections: Annotated[tuple[str, ...], collections_option("Search")]
    k: Annotated[int, option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")]
    mode: Annotated[
        SearchMode,
        option(
            "--mode",
            type=EnumChoice(SearchMode),
            default=SearchMode.HYBRID.value,
            show_default=True,
            help="By meaning and words, by meaning alone, or by words alone.",
        ),
    ]
    filters: Annotated[Filters, FILTERS]
    group_by: Annotated[
        str | None,
        option(
            "--group-by",
            type=click.Choice([GroupBy.FILE.value]),
            help="Show only the best passage of each file, and how many more it has.",
        ),
    ]
    fold: Annotated[
        bool | None,
        option(
            "--fold/--no-fold",
            default=None,
            help="Give hits that say the same one place, and name the others below it; so unless they are for a program.",
        ),
    ]
    no_wait: Annotated[
        bool,
        option(
            "--no-wait",
            is_flag=True,
            help="Answer at once, without having the model read what is not embedded yet.",
        ),
    ]
    explain: Annotated[bool, option("--explain", is_flag=True, help="Show every number behind a hit's rank.")]
    output: Annotated[Output, OUTPUT]
    color: COLOR
    no_weak: Annotated[
        bool,
        option("--no-weak", is_flag=True, help="Leave out weak matches, which are as likely about something else."),
    ]
    exit_code: Annotated[
        bool,
        option(
            "--exit-code", is_flag=True, help="End with exit code 1 if nothing but weak matches is found, as grep does."
        ),
    ]


# In which the model reads sentences of the first hits: read, four marks in five are right, guessed two in three.
_MARKING_SECONDS = 0.15


@click.command()
@with_options(_Request)
def search(request: _Request) -> None:
    """Find the passages that answer QUERY, by meaning and by words.

    In QUERY, a "quoted phrase" must occur as written, and -word must not. type:, path:, folder:, since: and until: do
    what the options of these names do; -type:, -path: and -folder: leave out. Filters alone list the newest documents.
    Put a QUERY with quotes or hyphens in single quotes, so that the shell leaves it as it is, and -- before one that begins
    with a hyphen. QUERY - reads it from standard input.

    \b
    Examples:
      searchkit search when does the lease end
      searchkit search "error E07" --mode lexical -k 3
      searchkit search '"notice period" -draft type:pdf,md since:2025'
      searchkit search --type mail --since 7d
      searchkit search -0 --no-weak "last year's invoices" | xargs -0 ls -l
    """
    text = text_of(request.query)
    if not text and not request.filters:
        raise click.UsageError(
            "Missing argument 'QUERY...'. Say what you are looking for, or give a filter: --since 7d."
        )
    from searchkit.daemon.client import find
    from searchkit.home import Home
    from searchkit.search.request import SearchRequest

    wanted = SearchRequest(
        text,
        request.k,
        request.mode,
        request.collections,
        request.filters,
        GroupBy(request.group_by or GroupBy.PASSAGE),
        wait=not request.no_wait,
        marking_seconds=_MARKING_SECONDS,
        fold=request.output.is_for_people if request.fold is None else request.fold,
    )
    found = find(Home.default(), wanted)
    clear = [hit for hit in found.hits if not hit.weak]
    request.output.write(clear if request.no_weak else found.hits, are_explained=request.explain)
    for note in found.notes:
        is_of_weak = request.no_weak and note.kind is NoteKind.ALL_WEAK
        say("Nothing found that is clearly about it." if is_of_weak else _worded(note))
    if request.exit_code and not clear:
        click.get_current_context().exit(1)


def _worded(note: Note) -> str:
    """Word a note, with a command to type."""
    remedy = note_remedy(note)
    return sentences(note_text(note), remedy_text(remedy) if remedy else "")


@dataclass(frozen=True, slots=True)
class _SimilarRequest:
    place: Annotated[str, argument(metavar="PATH[:LINE]")]
    collections: Annotated[tuple[str, ...], collections_option("Search")]
    k: Annotated[int, option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Number of hits.")]
    filters: Annotated[Filters, FILTERS]
    output: Annotated[Output, OUTPUT]
    color: COLOR


@click.command()
@with_options(_SimilarRequest)
def similar(request: _SimilarRequest) -> None:
    """Find the passages nearest in meaning to an indexed file, or to its passage at LINE.

    LINE is the page in formats that have pages and no lines. The file's own passages are left out. Nothing is embedded:
    the vectors of the index answer.

    \b
    Examples:
      searchkit similar notes/roof.md
      searchkit similar contracts/lease.txt:40 --type pdf --since 1y
    """
    from searchkit.library import Library
    from searchkit.search.request import PassageAt, SearchRequest

    path, line = _place(request.place)
    like = PassageAt(path.expanduser().resolve(), line)
    with Library() as library:
        wanted = SearchRequest(k=request.k, collections=request.collections, filters=request.filters, like=like)
        found = library.find(wanted)
        request.output.write(found.hits)
        if not found.hits:
            say("Nothing found.")
        for note in found.notes:
            say(_worded(note))


def _place(place: str) -> tuple[Path, int | None]:
    """Split path and line; an existing file whose name ends like a line is taken as it is."""
    numbered = re.fullmatch(r"(.+):([0-9]{1,9})", place, re.DOTALL)
    if numbered is None or Path(place).expanduser().exists():
        return Path(place), None
    return Path(numbered[1]), int(numbered[2])
