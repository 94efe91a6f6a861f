"""Turns sheets of any spreadsheet into blocks of some rows each, under the sheet's name and the column names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from searchkit.types import Block, BlockKind

_BLOCK_CHARACTERS = 300
_GAP_ROWS = 2  # empty rows within a block; more of them separate blocks
_NAME_CHARACTERS = 60  # longest name of a column
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_WIDEST_GAP = 24  # empty cells that are written down
_CELL_LIKE = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*")


class Row(NamedTuple):
    """The filled cells of a row, or of several alike. `cells`: (column from 1, text); `words`: none is a number or date.

    `wide`: some of them span several columns, as titles of groups of columns do.
    """

    first: int
    last: int
    cells: list[tuple[int, str]]
    words: bool
    wide: bool = False


def sheet_blocks(sheet: str, rows: Iterable[Row]) -> Iterator[Block]:
    """Make blocks of several rows, up to some 600 characters; a row of column names is a heading of those below."""
    headings: tuple[str, ...] = (sheet,)
    header: Row | None = None
    held: list[Row] = []
    origin = 0  # the table's first column, from which empty cells count; 0 while it is not known
    length, previous_end = 0, 0
    for row, following in pairwise(chain(_whole_heads(rows), [None])):
        assert row is not None
        line_length = sum(len(text) + 3 for _, text in row.cells)
        gap = row.first - previous_end - 1
        is_header = _is_header(row, following, header, after_gap=gap > 0)
        previous_end = row.last
        if held and (is_header or gap > _GAP_ROWS or length + line_length > _BLOCK_CHARACTERS):
            yield _block(sheet, held, headings, origin)
            held, length = [], 0
        if is_header:
            assert following is not None
            origin = min(row.cells[0][0], following.cells[0][0])
            header, headings = row, (sheet, _line(row, origin))
            yield _block(sheet, [row], headings, origin, BlockKind.HEADING)
        else:
            held.append(row)
            length += line_length
    if held:
        yield _block(sheet, held, headings, origin)


def _whole_heads(rows: Iterable[Row]) -> Iterator[Row]:
    """Join a row of titles that span columns with the names below it, as in "2024 Q1"; it begins the sheet or a table."""
    previous_end = -1
    for row, following in windowed(rows):
        if row.last <= previous_end:  # it was joined to the one above
            continue
        begins = row.first > previous_end + 1 or previous_end < 0
        is_above = following is not None and following.first == row.last + 1 and following.words
        if begins and is_above and row.wide and row.words and len(row.cells) > 1:
            assert following is not None
            joined = _joined(row, following)
            previous_end = joined.last
            yield joined
            continue
        previous_end = row.last
        yield row


def windowed(rows: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Each row with the one after it, None after the last."""
    held: Row | None = None
    for row in rows:
        if held is not None:
            yield held, row
        held = row
    if held is not None:
        yield held, None


def _joined(titles: Row, names: Row) -> Row:
    cells: list[tuple[int, str]] = []
    above, below = dict(titles.cells), dict(names.cells)
    last = ""
    for column in range(min(*above, *below), max(*above, *below) + 1):
        last = above.get(column, last)
        words = [last, below.get(column, "")] if column in below and last != below[column] else [above.get(column, "")]
        if text := " ".join(filter(None, words)):
            cells.append((column, text))
    return Row(titles.first, names.last, cells, words=True)


def _is_header(row: Row, following: Row | None, header: Row | None, *, after_gap: bool) -> bool:
    """True if a row names the columns of the rows below: several short words, right above something of several cells.

    Further down it must follow an empty row and differ from the next rows, since tables of words look the same.
    """
    if len(row.cells) < 2 or following is None or following.first > row.last + 1:
        return False
    if not row.words and (following.words or header is not None or not _are_years([text for _, text in row.cells])):
        return False
    if len(following.cells) < 2 or any(len(text) > _NAME_CHARACTERS for _, text in row.cells):
        return False
    if header is None:
        return True
    columns = [column for column, _ in row.cells]
    return after_gap and (not following.words or columns != [column for column, _ in header.cells])


def _are_years(texts: Sequence[str]) -> bool:
    """True for years, and at least one word that says of what."""
    years = [text for text in texts if len(text) == 4 and text.isdigit()]
    words = [text for text in texts if any(map(str.isalpha, text))]
    return bool(years and words) and len(years) + len(words) == len(texts) == len(set(texts))


def _block(
    sheet: str, rows: Sequence[Row], headings: tuple[str, ...], origin: int, kind: BlockKind = BlockKind.TABLE
) -> Block:
    start = min(row.cells[0][0] for row in rows)
    end = max(row.cells[-1][0] for row in rows)
    text = "\n".join([_line(row, origin or start) for row in rows])
    return Block(text, kind, headings, place=place(sheet, (rows[0].first, start), (rows[-1].last, end)))


def _line(row: Row, origin: int) -> str:
    """The cells in their columns, from the table's first one on; one that is far from the others is said with its column."""
    parts: list[str] = []
    expected = origin
    for column, text in row.cells:
        empty = column - expected
        if 0 < empty <= _WIDEST_GAP:
            parts += [""] * empty
        parts.append(f"{column_letters(column)}: {text}" if empty > _WIDEST_GAP else text)
        expected = column + 1
    return " | ".join(parts)


def place(sheet: str, start: tuple[int, int], end: tuple[int, int] | None = None) -> str:
    """A range in a spreadsheet's notation, from (row, column) of its corners."""
    corners = [f"{column_letters(column)}{row}" for row, column in (start, end or start)]
    plain = _PLAIN_NAME.fullmatch(sheet) and not _CELL_LIKE.fullmatch(sheet)
    name = sheet if plain else "'" + sheet.replace("'", "''") + "'"
    return f"{name}!{':'.join(dict.fromkeys(corners))}"


@lru_cache(maxsize=1024)
def column_letters(column: int) -> str:
    """The letters of a column: 1 is A, 27 is AA."""
    letters = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@lru_cache(maxsize=1024)
def column_number(letters: str) -> int:
    """The number of a column: A is 1, AA is 27; 0 for anything but letters from A to Z."""
    number = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            return 0
        number = number * 26 + ord(letter) - 64
    return number


def cell_text(text: str) -> str:
    """A cell's text on one line."""
    return " ".join(text.split()) if "\n" in text or "\t" in text or "\r" in text else text.strip()
