"""Hits as styled text. What comes from files is data here: it is never parsed as markup, and cannot steer the terminal."""

import re
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from searchkit.types import Hit
from searchkit.wording import place, plural, printable, reason

MARK_STYLE = "bold $text-warning"
PLACE_STYLE = "bold $text-primary"
ASIDE_STYLE = "dim"

_CONTEXT_CHARACTERS = 24  # before the first mark in a list entry, so that the mark itself is never cut off
_ENTRY_CELLS = 38  # for file name and page or line: what the list has for them on a terminal of 120 columns
_NAME_END_CHARACTERS = 10  # of a long file name; holds the suffix


def entry(hit: Hit) -> Content:
    """A hit in the list: two lines, to be cut off on the right where they are too long."""
    locator = _locator(hit)
    return Content.assemble(
        (f"{hit.score:.2f}", "bold"),
        "  ",
        (_shortened(_one_line(hit.path.name), _ENTRY_CELLS - len(locator)), PLACE_STYLE),
        (locator, ASIDE_STYLE),
        "\n      ",
        _extract(hit),
    )


def heading(hit: Hit) -> Content:
    """Where a hit stands and why it is one: a line each for place, heading path (if there is one) and reason."""
    lines = [Content.assemble((_one_line(place(hit)), PLACE_STYLE))]
    lines += [Content(_one_line(hit.title))] if hit.title else []
    lines += [Content.assemble((_one_line(f"{reason(hit)} · in {hit.collection}"), ASIDE_STYLE))]
    return Content("\n").join(lines)


def passage(hit: Hit) -> Content:
    """The whole passage, with the marks of its snippet."""
    offset = hit.text.find(hit.snippet)
    if offset < 0:
        return _marked(hit.snippet, hit.marks)
    return _marked(hit.text, [(start + offset, end + offset) for start, end in hit.marks])


def hit_count(count: int) -> str:
    """`1 hit`, `2 hits`."""
    return plural(count, "hit")


def _locator(hit: Hit) -> str:
    if hit.page is not None:
        return f", page {hit.page}"
    return f":{hit.line}" if hit.line is not None else ""


def _shortened(name: str, cells: int) -> str:
    """A file name without its middle if it is too long, so that its suffix and what follows stay in sight."""
    if cell_len(name) <= cells:
        return name
    end = name[-_NAME_END_CHARACTERS:]
    return f"{set_cell_size(name, cells - cell_len(end) - 1).rstrip()}…{end}"


def _extract(hit: Hit) -> Content:
    """The snippet as one line that begins shortly before its first mark."""
    first = hit.marks[0][0] if hit.marks else 0
    start = max(0, first - _CONTEXT_CHARACTERS)
    if start:
        blank = re.search(r"\s+", hit.snippet[start:first])
        start = start + blank.end() if blank else first
    marks = [(begin - start, end - start) for begin, end in hit.marks]
    line = _marked(hit.snippet[start:], marks, one_line=True)
    return Content.assemble(("… " if start else "", ASIDE_STYLE), line)


def _marked(text: str, marks: Iterable[tuple[int, int]], *, one_line: bool = False) -> Content:
    """Text with the (start, end) stretches highlighted. Cleaned piece by piece, since that changes offsets."""
    clean = _spaces_for_breaks if one_line else printable
    parts: list[str | tuple[str, str]] = []
    at = 0
    for start, end in marks:
        parts += [clean(text[at:start]), (clean(text[start:end]), MARK_STYLE)]
        at = end
    return Content.assemble(*parts, clean(text[at:]))


def _spaces_for_breaks(text: str) -> str:
    return re.sub(r"\s+", " ", printable(text))


def _one_line(text: str) -> str:
    return _spaces_for_breaks(text).strip()
