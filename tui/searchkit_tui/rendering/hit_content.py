"""Hits as styled text: list entries, headings, passages with their marks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text
from textual.content import Content

from searchkit.display import alike, correspondence, place, plural, reason
from searchkit.types import Hit, Note
from searchkit_tui.rendering.file_names import folder_within, shortened, with_matches
from searchkit_tui.rendering.markup import Rewriting, visible

MARK_STYLE = "bold underline $text-warning"
PLACE_STYLE = "bold $text-primary"
SELECTED_STYLE = "bold $text"  # readable on the selection's background in every theme
ASIDE_STYLE = "$text 70%"

_CONTEXT_CHARACTERS = 24  # before the first mark in a list entry, so that the mark itself is never cut off
_SCORE_CELLS, _DATE_CELLS = 8, 14  # before the file name
_WEAK = "  weak"
_LEAST_NAME_CELLS = 16
_LEAST_SENDER_CELLS = 12

Marks = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Around:
    """What an entry depends on besides its hit: the folders that tell files of one name apart, and the words of the query."""

    folders: Mapping[Path, str] = field(default_factory=dict)
    words: Sequence[str] = ()


def entry(
    hit: Hit, cells: int, around: Around = Around(), *, is_selected: bool = False, is_marked: bool = False
) -> Content:
    """Style a hit for a list of this width: two lines, of which the second may be cut off on the right.

    Of a weak hit nothing stands out.
    """
    first, first_cells = _first(hit)
    locator = _locator(hit) if first_cells == _SCORE_CELLS else ""  # of a file in a list, no passage was found
    mail = f"  {visible(correspondence(hit), one_line=True)}" if hit.sender else ""
    is_pale = is_weak(hit)
    aside = f"{f'  +{len(hit.alike)} like it' if hit.alike else ''}{_WEAK if is_pale else ''}"
    room = max(cells - first_cells - cell_len(locator) - cell_len(aside), _LEAST_NAME_CELLS)
    folder = folder_within(around.folders.get(hit.path, ""), hit.path.name, room)
    name = shortened(visible(hit.path.name, one_line=True), max(room - cell_len(folder), _LEAST_NAME_CELLS))
    style = SELECTED_STYLE if is_selected else ASIDE_STYLE if is_pale else PLACE_STYLE
    bar = "▌" if is_selected else " "
    sign = (f"{bar} ", "bold $accent")
    return Content.assemble(
        (f"{bar}✓", "bold $accent") if is_marked else sign,
        (first, ASIDE_STYLE if is_pale or first_cells == _DATE_CELLS else "bold"),
        "  ",
        (folder, ASIDE_STYLE),
        with_matches(name, () if is_pale else around.words, style),
        (f"{locator}{_cut(mail, room - cell_len(folder) - cell_len(name))}{aside}\n", ASIDE_STYLE),
        sign,
        "      ",
        _extract(hit, () if is_pale else hit.marks).stylize(ASIDE_STYLE if is_pale else ""),
    )


def _first(hit: Hit) -> tuple[str, int]:
    """The score of a hit, or the date of one that nothing ranks; and the cells before the file's name."""
    if not hit.evidence.found_by and hit.date:
        return f"{hit.date:10}", _DATE_CELLS
    return f"{hit.score:.2f}", _SCORE_CELLS


def heading(hit: Hit) -> Content:
    """Style the heading of a hit: a line each for its place, its heading path (if any) and the reasons for it."""
    lines = [Content.assemble((visible(place(hit), one_line=True), PLACE_STYLE))]
    lines += [Content(visible(correspondence(hit), one_line=True))] if hit.sender else []
    lines += [Content(visible(hit.heading, one_line=True))] if hit.heading else []
    why = " · ".join(
        part for part in (reason(hit), alike(hit), "weak match" if is_weak(hit) else "", f"in {hit.collection}") if part
    )
    lines += [Content.assemble((visible(why, one_line=True), ASIDE_STYLE))]
    return Content("\n").join(lines)


def reasons(hit: Hit, among: Sequence[Hit], notes: Sequence[Note]) -> Table:
    """Lay out why a hit stands where it does: a row for each number, or what else there is, wrapped beside its name."""
    from searchkit.display.explanations import why  # loaded by those who ask for it

    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, text in why(hit, among, notes):
        rows.add_row(name, Text(visible(text, one_line=True)))
    return rows


def marks_in_passage(hit: Hit) -> Marks:
    """Compute the snippet's marks as (start, end) offsets in the hit's whole text."""
    offset = hit.text.find(hit.snippet)
    return [(start + offset, end + offset) for start, end in hit.marks] if offset >= 0 else []


def hit_count(count: int) -> str:
    """Count hits: `1 hit`, `2 hits`."""
    return plural(count, "hit")


def copied(hit: Hit) -> str:
    """Write a passage with its source for the clipboard, without anything that could steer a terminal it is pasted into."""
    return f"{visible(hit.text).strip()}\n\n({citation(hit)})\n"


def citation(hit: Hit) -> str:
    """Write the source of a passage on one line: its heading path, its file, and the page or line."""
    title = f"{visible(hit.heading, one_line=True)}, " if hit.heading else ""
    return f"{title}{visible(_source(hit), one_line=True)}"


def is_weak(hit: Hit) -> bool:
    """True if an answer is weak; similar passages do not claim to answer anything."""
    return hit.weak and hit.evidence.explanation is not None


def _source(hit: Hit) -> str:
    if hit.place:
        return f"{hit.path}, {hit.place}"
    return f"{hit.path}{_locator(hit)}"


def _locator(hit: Hit) -> str:
    if hit.page is not None:
        return f", page {hit.page}"
    line = hit.line if hit.marked_line is None else hit.marked_line
    return f":{line}" if line is not None else ""


def _cut(text: str, cells: int) -> str:
    """The text, its end cut off where there is no room, or nothing where there is room for little."""
    if cell_len(text) <= cells:
        return text
    return f"{set_cell_size(text, cells - 1).rstrip()}…" if cells >= _LEAST_SENDER_CELLS else ""


def _extract(hit: Hit, marks: Marks) -> Content:
    """Style the snippet as one line that begins shortly before its first mark."""
    first = marks[0][0] if marks else 0
    start = max(0, first - _CONTEXT_CHARACTERS)
    if start:
        blank = re.search(r"\s+", hit.snippet[start:first])
        start = start + blank.end() if blank else first
    writing = Rewriting(hit.snippet[start:])
    writing.styles = [(begin - start, end - start, MARK_STYLE) for begin, end in marks]
    writing.edits = [(found.start(), found.end(), " ") for found in re.finditer(r"\s+", writing.text)]
    return Content.assemble(("… " if start else "", ASIDE_STYLE), writing.content())
