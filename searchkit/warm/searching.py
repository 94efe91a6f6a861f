"""One search, wherever it is done: by the engine that runs, else here."""

from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.types import SearchMode
from searchkit.warm.client import ask_engine
from searchkit.warm.wire import Found, SearchRequest, Uncovered

if TYPE_CHECKING:
    from searchkit.library import Library


def find(home: Path, request: SearchRequest) -> Found:
    """What a running engine finds, else what a library opened for this finds. Raises what `Library.search` raises."""
    found = ask_engine(home, request)
    if found is not None:
        return found
    from searchkit.library import Library

    with Library(home) as library:
        return find_with(library, request)


def find_with(library: "Library", request: SearchRequest) -> Found:
    """What a library finds. Raises what `Library.search` raises."""
    hits = library.search(
        request.query,
        k=request.k,
        collections=request.collections,
        mode=request.mode,
        filters=request.filters,
        group_by=request.group_by,
    )
    names = () if request.mode is SearchMode.LEXICAL else request.collections or tuple(library.collections())
    uncovered = (_uncovered(library, name) for name in names)
    return Found(tuple(hits), tuple(each for each in uncovered if each))


def _uncovered(library: "Library", name: str) -> Uncovered | None:
    if library.is_covered(name):
        return None
    counts = library.coverage(name)
    return Uncovered(name, counts.vectors, counts.passages) if counts.vectors < counts.passages else None
