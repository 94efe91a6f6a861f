"""Hits as styled text: list entries, headings, passages with their marks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from textual.content import Content, Span

from searchkit.display import correspondence, place, plural, reason
from searchkit.types import Hit
from searchkit_tui.rendering.markup import Rewriting, visible

MARK_STYLE = "bold underline $text-warning"
PLACE_STYLE = "bold $text-primary"
SELECTED_STYLE = "bold $text"  # readable on the selection's background in every theme
MATCH_STYLE = "underline"
ASIDE_STYLE = "$text 70%"

_CONTEXT_CHARACTERS = 24  # before the first mark in a list entry, so that the mark itself is never cut off
_SCORE_CELLS = 8  # before the file name
_WEAK = "  weak"
_LEAST_NAME_CELLS = 16
_LEAST_SENDER_CELLS = 12
_NAME_END_CHARACTERS = 10  # of a long file name; includes the suffix

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
    locator, mail = _locator(hit), f"  {visible(correspondence(hit), one_line=True)}" if hit.sender else ""
    weak = _WEAK if is_weak(hit) else ""
    room = max(cells - _SCORE_CELLS - cell_len(locator) - cell_len(weak), _LEAST_NAME_CELLS)
    folder = _folder(around.folders.get(hit.path, ""), hit.path.name, room)
    name = _shortened(visible(hit.path.name, one_line=True), max(room - cell_len(folder), _LEAST_NAME_CELLS))
    style = SELECTED_STYLE if is_selected else ASIDE_STYLE if weak else PLACE_STYLE
    bar = "▌" if is_selected else " "
    sign = (f"{bar} ", "bold $accent")
    return Content.assemble(
        (f"{bar}✓", "bold $accent") if is_marked else sign,
        (f"{hit.score:.2f}", ASIDE_STYLE if weak else "bold"),
        "  ",
        (folder, ASIDE_STYLE),
        _with_matches(name, () if weak else around.words, style),
        (f"{locator}{_cut(mail, room - cell_len(folder) - cell_len(name))}{weak}\n", ASIDE_STYLE),
        sign,
        "      ",
        _extract(hit, () if weak else hit.marks).stylize(ASIDE_STYLE if weak else ""),
    )


def telling_folders(paths: Iterable[Path]) -> dict[Path, str]:
    """The shortest folder, as `garden/` or `garden/…/`, that tells each file from the others of its name; none for the others."""
    by_name: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        by_name.setdefault(path.name, []).append(path)
    found = {}
    for alike in by_name.values():
        for path in alike if len(alike) > 1 else ():
            above = path.parent.parts[::-1]
            others = [other.parent.parts[::-1] for other in alike if other != path]
            depth = next(
                (n for n in range(1, len(above) + 1) if all(each[:n] != above[:n] for each in others)), len(above)
            )
            if depth:
                top = above[depth - 1].strip("/")
                found[path] = f"{top}/" if depth == 1 else f"{top}/…/"
    return found


def words_of(query: str) -> list[str]:
    """The words of a query that are worth a mark in a file's name: no filters, no function words, no single letters."""
    from searchkit.search.lexical.inflections import STOP_WORDS  # loaded with the engine

    words = re.findall(r"\w{2,}", re.sub(r"\S+:\S*", " ", query))
    return [word for word in words if word.casefold() not in STOP_WORDS]


def heading(hit: Hit) -> Content:
    """Style the heading of a hit: a line each for its place, its heading path (if any) and the reasons for it."""
    lines = [Content.assemble((visible(place(hit), one_line=True), PLACE_STYLE))]
    lines += [Content(visible(correspondence(hit), one_line=True))] if hit.sender else []
    lines += [Content(visible(hit.title, one_line=True))] if hit.title else []
    why = " · ".join(
        part for part in (reason(hit), "weak match" if is_weak(hit) else "", f"in {hit.collection}") if part
    )
    lines += [Content.assemble((visible(why, one_line=True), ASIDE_STYLE))]
    return Content("\n").join(lines)


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
    title = f"{visible(hit.title, one_line=True)}, " if hit.title else ""
    return f"{title}{visible(_source(hit), one_line=True)}"


def is_weak(hit: Hit) -> bool:
    """True if an answer is weak; similar passages do not claim to answer anything."""
    return hit.is_weak and hit.evidence.explanation is not None


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


def _shortened(name: str, cells: int) -> str:
    """Cut the middle out of a long file name, so that its suffix and what follows stay in sight."""
    if cell_len(name) <= cells:
        return name
    end = name[-_NAME_END_CHARACTERS:]
    return f"{set_cell_size(name, cells - cell_len(end) - 1).rstrip()}…{end}"


def _folder(folder: str, name: str, cells: int) -> str:
    """The folder, cut where it and the name have no room."""
    room = max(cells - cell_len(name), cells // 3)
    shown = visible(folder, one_line=True)
    return shown if cell_len(shown) <= room else f"{set_cell_size(shown, room - 2).rstrip()}…/"


def _with_matches(name: str, words: Sequence[str], style: str) -> Content:
    """A file's name with the letters underlined that match the query."""
    matches = [found.span() for word in words for found in re.finditer(re.escape(word), name, re.IGNORECASE)]
    return Content(name, [Span(0, len(name), style), *(Span(*span, MATCH_STYLE) for span in matches)])


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
