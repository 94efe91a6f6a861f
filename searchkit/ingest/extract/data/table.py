"""Rows of tables in any format: cells as one line, and the rows that name the columns; reads tables in text, such as CSV."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import NamedTuple

from searchkit.ingest.extract.text import cut_block, decode_text, numbered_lines
from searchkit.types import Block, BlockKind, ExtractedDocument

BAR = " | "
_BAR = re.compile(r"(?<!\\)\|")
_LONGEST_NAME = 60  # characters
_LEAST_ROWS = 3  # lines that are a table by their positions alone
_LONGEST_CELL = 30  # characters of its usual cell
_MOST_COLUMNS = 24
_MOST_ROWS = 3  # that name columns; a table that marks more of them is marked by mistake
_DELIMITERS = "\t;|,"  # the last needs most evidence: commas are also in numbers and sentences
_TRIED_LINES = 64
_TRIED_CHARACTERS = 20_000
BLOCK_CHARACTERS = 300


def joined_cells(cells: Sequence[str]) -> str:
    """A row as a line; an empty cell keeps its place before others; "" if all are empty."""
    filled = len(cells)
    while filled and not cells[filled - 1]:
        filled -= 1
    return BAR.join(cells[:filled])


def bar_cells(line: str) -> list[str]:
    """The cells of a row that is drawn with bars, as in Markdown; a bar after a backslash belongs to its cell."""
    return [" ".join(cell.split()).replace("\\|", "|") for cell in _BAR.split(line.strip().strip("|"))]


def column_names(rows: Sequence[Sequence[str]], marked: int = 0) -> str:
    """The names of a table's columns in one line, "" if its first row does not name them.

    `marked`: the number of first rows that the document itself calls the table's head; without them the first row counts
    if it looks like one.
    """
    if len(rows) < 2:
        return ""
    if 0 < marked < len(rows):
        return " / ".join(filter(None, map(joined_cells, rows[: min(marked, _MOST_ROWS)])))
    return joined_cells(rows[0]) if _look_like_names(rows[0]) else ""


def _look_like_names(cells: Sequence[str]) -> bool:
    """True for several short words, none twice, none a number except a year; the corner of a table may be empty."""
    filled = [cell for cell in cells if cell]
    if len(filled) < max(2, len(cells) // 2) or len(set(filled)) < len(filled):
        return False
    return all(
        len(cell) <= _LONGEST_NAME and (any(map(str.isalpha, cell)) or (cell.isdigit() and len(cell) == 4))
        for cell in filled
    )


class Cell(NamedTuple):
    """A piece of a line that is far from its neighbours: its left and right edges on the page, and its text."""

    left: float
    right: float
    text: str


def aligned_rows(lines: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """The rows of a table from the positions of their cells, each in its column; empty if they are not in columns.

    Columns are what no cell of any row reaches across. Two columns of running text are none, for their pieces are long.
    """
    cells = [cell for line in lines for cell in line]
    if len(lines) < _LEAST_ROWS or median([len(cell.text) for cell in cells]) > _LONGEST_CELL:
        return []
    edges: list[list[float]] = []  # left and right of each column
    for left, right, _ in sorted(cells):
        if edges and left < edges[-1][1]:
            edges[-1][1] = max(edges[-1][1], right)
        else:
            edges.append([left, right])
    if not 1 < len(edges) <= _MOST_COLUMNS:
        return []
    rows = []
    for line in lines:
        row = [""] * len(edges)
        for left, _, text in line:
            column = max(number for number, (start, _) in enumerate(edges) if start <= left)
            row[column] = f"{row[column]} {text}".strip()
        rows.append(row)
    filled = [sum(map(bool, row)) for row in rows]
    return rows if 2 * sum(count > 1 for count in filled) > len(rows) else []


def extract_table(content: bytes) -> ExtractedDocument:
    """Read rows as "a | b | c"; a first row of names becomes the heading. Lines are those of the file, rows are counted from 1."""
    return ExtractedDocument("", _blocks(decode_text(content)))


@dataclass(slots=True)
class _Row:
    number: int
    line: int
    line_end: int
    text: str


@dataclass(slots=True)
class _Lines:
    """Gives csv the lines, and remembers those of its current row."""

    source: Iterator[tuple[int, str]]
    taken: list[tuple[int, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        for number, line in self.source:
            self.taken.append((number, line))
            yield line + "\n"


def _blocks(text: str) -> Iterator[Block]:
    delimiter, columns = _dialect(text)
    rows = _rows(text, delimiter)
    first = next(rows, None)
    if first is None:
        return
    headings: tuple[str, ...] = ()
    if _are_names(first[1], columns):
        headings = (first[0].text,)
        yield Block(first[0].text, BlockKind.HEADING, headings, line=first[0].line, line_end=first[0].line_end)
        held = []
    else:
        held = [first[0]]
    size = sum(len(row.text) for row in held)
    for row, _ in rows:
        if held and size + len(row.text) > BLOCK_CHARACTERS:
            yield from _block(held, headings)
            held, size = [], 0
        held.append(row)
        size += len(row.text) + 1
    if held:
        yield from _block(held, headings)


def _block(rows: Sequence[_Row], headings: tuple[str, ...]) -> Iterator[Block]:
    first, last = rows[0], rows[-1]
    place = f"row {first.number}" if len(rows) == 1 else f"rows {first.number}–{last.number}"
    text = "\n".join(row.text for row in rows)
    block = Block(text, BlockKind.TABLE, headings, line=first.line, line_end=last.line_end, place=place)
    return cut_block(block) if len(text) > BLOCK_CHARACTERS else iter((block,))


def _rows(text: str, delimiter: str) -> Iterator[tuple[_Row, list[str]]]:
    """The rows that are not empty, with their cells."""
    lines = _Lines(numbered_lines(text))
    number = 0
    for cells in _cells(lines, delimiter):
        first, last = lines.taken[0][0], lines.taken[-1][0]
        lines.taken.clear()
        shown = " | ".join(" ".join(cell.split()) for cell in cells).rstrip(" |")
        if shown:
            number += 1
            yield _Row(number, first, last, shown), cells


def _cells(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    """Cells row by row. A quote that is never closed is an ordinary character: its row is read line by line."""
    while True:
        try:
            yield from csv.reader(lines, delimiter=delimiter)
        except csv.Error:
            spoilt = lines.taken[:]
            for taken in spoilt:
                lines.taken[:] = [taken]
                yield taken[1].split(delimiter)
            lines.taken.clear()
        else:
            return


def _dialect(text: str) -> tuple[str, int]:
    """Find the delimiter and the usual number of columns: the delimiter that makes the rows most alike."""
    start = text[:_TRIED_CHARACTERS].split("\n")[:_TRIED_LINES]
    lines = [line for line in (start[:-1] if len(start) > 1 else start) if line.strip()]
    best = (0.0, ",", 1)
    for delimiter in _DELIMITERS:
        widths = _widths(lines, delimiter)
        (width, rows), *_ = Counter(widths).most_common(1) or [(1, 0)]
        alike = rows / len(widths) + (widths[0] == width) if widths and width > 1 else 0.0
        if alike > best[0]:
            best = (alike, delimiter, width)
    return best[1], best[2]


def _widths(lines: Iterable[str], delimiter: str) -> list[int]:
    try:
        return [len(cells) for cells in islice(csv.reader(lines, delimiter=delimiter), _TRIED_LINES) if cells]
    except csv.Error:
        return []


def _are_names(cells: Sequence[str], columns: int) -> bool:
    """True if a first row names the columns: words, no number, none twice."""
    names = [cell.strip() for cell in cells]
    filled = [name for name in names if name]
    if len(names) != columns or len(filled) < max(1, columns // 2) or columns < 2:
        return False
    has_letters = all(any(map(str.isalpha, name)) or (name.isdigit() and len(name) == 4) for name in filled)
    return has_letters and len(set(filled)) == len(filled) and max(map(len, filled)) <= 80
