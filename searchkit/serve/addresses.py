"""Addresses and titles of what was found: URLs of files on this machine, each with the page, lines or place in it.

Clients such as Open WebUI count the addresses of an answer's sources and merge equal ones, so no two of a list are the same.
They show the title alone, so no two of these are the same either.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import quote

from searchkit.display import on_one_line
from searchkit.serve.search import ReferencedHit, sanitize
from searchkit.types import Hit


def addresses_of(hits: Sequence[Hit]) -> list[str]:
    """Return one address for each hit: `file:///…/lease.pdf#page=3`, `file:///…/notes.md#L21`.

    Where two would be equal, lines become `#L21-L40`, and what is still equal is numbered: `#page=3&part=2`.
    """
    first = [_address(hit, _start(hit)) for hit in hits]
    counts = Counter(first)
    spans = [_address(hit, _span(hit)) if counts[plain] > 1 else plain for hit, plain in zip(hits, first, strict=True)]
    given: set[str] = set()
    return [_another(address, given) for address in spans]


def titles_of(found: Sequence[ReferencedHit]) -> list[str]:
    """Return one title for each. Where two would be equal, they tell their folders, lines or numbers."""
    titles = [each.title for each in found]
    folders = [sanitize(on_one_line(each.hit.path.parent.name)) for each in found]
    titles = _told_apart(titles, lambda i: f" ({folders[i]})")
    titles = _told_apart(titles, lambda i: f", line {found[i].hit.line}" if found[i].hit.line is not None else "")
    return _told_apart(titles, lambda i: f" ({i + 1})")


def _told_apart(titles: list[str], more: Callable[[int], str]) -> list[str]:
    """Say more about those that are equal, if it differs."""
    added: dict[str, set[str]] = {}
    for i, title in enumerate(titles):
        added.setdefault(title, set()).add(more(i))
    return [title + more(i) if len(added[title]) > 1 else title for i, title in enumerate(titles)]


def _another(address: str, given: set[str]) -> str:
    """Number an address that was given before."""
    joined = "&" if "#" in address else "#"
    own, part = address, 1
    while own in given:
        part += 1
        own = f"{address}{joined}part={part}"
    given.add(own)
    return own


def _address(hit: Hit, fragment: str) -> str:
    return f"{hit.path.as_uri()}{f'#{fragment}' if fragment else ''}"


def _start(hit: Hit) -> str:
    if hit.place:
        return quote(sanitize(hit.place), safe="")
    if hit.page is not None:
        return f"page={hit.page}"
    return "" if hit.line is None else f"L{hit.line}"


def _span(hit: Hit) -> str:
    has_lines = hit.line is not None and hit.line_end is not None and hit.line_end > hit.line
    if not has_lines:
        return _start(hit)
    lines = f"L{hit.line}-L{hit.line_end}"
    is_lines = not hit.place and hit.page is None
    return lines if is_lines else f"{_start(hit)}&{lines}"
