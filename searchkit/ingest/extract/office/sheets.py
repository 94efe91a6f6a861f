"""Turns sheets of any spreadsheet into blocks of some rows each, under the sheet's name and the column names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from searchkit.types import Block, BlockKind

_BLOCK_CHARACTERS = 300
_GAP_ROWS = 2  # empty rows within a block; more of them separate blocks
_NAME_CHARACTERS = 60  # longest name of a column
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_CELL_LIKE = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*")


class Row(NamedTuple):
    """The filled cells of a row, or of several alike. `cells`: (column from 1, text); `words`: none is a number or date."""

    first: int
    last: int
    cells: list[tuple[int, str]]
    words: bool


def sheet_blocks(sheet: str, rows: Iterable[Row]) -> Iterator[Block]:
    """Make blocks of several rows, up to some 600 characters; a row of column names is a heading of those below."""
    headings: tuple[str, ...] = (sheet,)
    header: Row | None = None
    held: list[Row] = []
    length, previous_end = 0, 0
    for row, following in pairwise(chain(rows, [None])):
        assert row is not None
        line_length = sum(len(text) + 3 for _, text in row.cells)
        gap = row.first - previous_end - 1
        is_header = _is_header(row, following, header, after_gap=gap > 0)
        previous_end = row.last
        if held and (is_header or gap > _GAP_ROWS or length + line_length > _BLOCK_CHARACTERS):
            yield _block(sheet, held, headings)
            held, length = [], 0
        if is_header:
            header, headings = row, (sheet, _line(row))
            yield _block(sheet, [row], headings, BlockKind.HEADING)
        else:
            held.append(row)
            length += line_length
    if held:
        yield _block(sheet, held, headings)


def _is_header(row: Row, following: Row | None, header: Row | None, *, after_gap: bool) -> bool:
    """True if a row names the columns of the rows below: several short words, right above something of several cells.

    Further down it must follow an empty row and differ from the next rows, since tables of words look the same.
    """
    if not row.words or len(row.cells) < 2 or following is None or following.first > row.last + 1:
        return False
    if len(following.cells) < 2 or any(len(text) > _NAME_CHARACTERS for _, text in row.cells):
        return False
    if header is None:
        return True
    columns = [column for column, _ in row.cells]
    return after_gap and (not following.words or columns != [column for column, _ in header.cells])


def _block(sheet: str, rows: Sequence[Row], headings: tuple[str, ...], kind: BlockKind = BlockKind.TABLE) -> Block:
    start = min(row.cells[0][0] for row in rows)
    end = max(row.cells[-1][0] for row in rows)
    text = "\n".join(map(_line, rows))
    return Block(text, kind, headings, place=place(sheet, (rows[0].first, start), (rows[-1].last, end)))


def _line(row: Row) -> str:
    return " | ".join([text for _, text in row.cells])


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


def number_text(value: str) -> str:
    """A number as people write it: 15 digits as spreadsheets show, no 3.0, no exponent unless it is enormous."""
    if len(value) < 16 and value.isdigit():
        return value
    try:
        shown = f"{float(value):.15g}"
    except ValueError:
        return value
    if "e" in shown and abs(int(shown.partition("e")[2])) <= 20:
        shown = f"{Decimal(shown):f}"
    return "0" if shown == "-0" else shown


def percent_text(value: str) -> str:
    """Write 0.25 as 25%."""
    try:
        return number_text(f"{float(value) * 100:.12g}") + "%"
    except ValueError:
        return value


def date_text(value: str, *, epoch_1904: bool) -> str:
    """Turn a serial day into an ISO date, with the time if it has one; less than a day is a time. Leave anything else as it is."""
    try:
        serial = float(value)
        if 0 <= serial < 1:
            return _without_seconds(
                (datetime(2000, 1, 1) + timedelta(seconds=round(serial * 86400))).strftime("%H:%M:%S")
            )
        # Excel counts a 29th of February 1900, which never existed.
        epoch = datetime(1904, 1, 1) if epoch_1904 else datetime(1899, 12, 30 if serial >= 60 else 31)
        moment = epoch + timedelta(days=int(serial), seconds=round(serial % 1 * 86400))
    except (ValueError, OverflowError):
        return value
    return iso_text(moment)


def iso_text(moment: datetime) -> str:
    """Write date and time without parts that are zero."""
    if moment.hour == moment.minute == moment.second == 0:
        return moment.date().isoformat()
    return f"{moment.date().isoformat()} {_without_seconds(moment.strftime('%H:%M:%S'))}"


def _without_seconds(time: str) -> str:
    return time.removesuffix(":00") if time.endswith(":00") else time


def cell_text(text: str) -> str:
    """A cell's text on one line."""
    return " ".join(text.split()) if "\n" in text or "\t" in text or "\r" in text else text.strip()
