"""One search, wherever it is done: by the engine that runs, else here."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from searchkit.daemon.client import ask_daemon
from searchkit.daemon.protocol import Found, SearchRequest
from searchkit.home import Home
from searchkit.types import Hit, SearchMode

if TYPE_CHECKING:
    from searchkit.library import Library


def find(home: Home, request: SearchRequest) -> Found:
    """What a running engine finds, else what a library opened for this finds. Raises what `Library.search` raises."""
    found = ask_daemon(home, request)
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
    return Found(tuple(hits), tuple(_notes(library, request, hits)))


def _notes(library: "Library", request: SearchRequest, hits: Sequence[Hit]) -> Iterator[str]:
    """What the hits themselves do not show."""
    from searchkit.search.across import filters_misread, nothing_found, phrases_not_found

    if hits and request.mode is not SearchMode.SEMANTIC and (missing := phrases_not_found(request.query, hits)):
        yield f"Nothing holds {' and '.join(repr(phrase) for phrase in missing)} as written; these come nearest."
    if hits and all(hit.is_weak for hit in hits):
        yield "Nothing here is clearly about that; these are only the nearest passages."
    if hint := filters_misread(request.query):
        yield hint
    if not hits:
        yield nothing_found(request.query, request.filters, request.mode)
    if request.mode is not SearchMode.LEXICAL:
        for name in request.collections or library.collections():
            yield from _not_covered(library, name)


def _not_covered(library: "Library", name: str) -> Iterator[str]:
    """How much of a collection can be found by meaning, where that is not everything."""
    if not library.is_covered(name):
        counts = library.coverage(name)
        if counts.vectors < counts.passages:
            yield (
                f"{name}: {counts.vectors:,} of {counts.passages:,} passages can be found by meaning so far."
                f" Go on: searchkit index -c {name}"
            )
