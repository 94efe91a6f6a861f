"""Rows of tables in any format: cells as one line, each in its place, and the rows that name the columns."""

import re
from collections.abc import Sequence

BAR = " | "
_BAR = re.compile(r"(?<!\\)\|")
_LONGEST_NAME = 60  # characters
_MOST_ROWS = 3  # that name columns; a table that marks more of them is marked by mistake


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
    return joined_cells(rows[0]) if _are_names(rows[0]) else ""


def _are_names(cells: Sequence[str]) -> bool:
    """True for several short words, none twice, none a number except a year; the corner of a table may be empty."""
    filled = [cell for cell in cells if cell]
    if len(filled) < max(2, len(cells) // 2) or len(set(filled)) < len(filled):
        return False
    return all(
        len(cell) <= _LONGEST_NAME and (any(map(str.isalpha, cell)) or (cell.isdigit() and len(cell) == 4))
        for cell in filled
    )
