"""Reads sheets of an ODS row by row; a million repetitions of a cell or row count as one."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby

from lxml import etree

from searchkit.ingest.extract.archive import attribute, forget, local
from searchkit.ingest.extract.office.cell_formats import beside, number_text, percentage
from searchkit.ingest.extract.office.odf_text import Walk, plain_text
from searchkit.ingest.extract.office.sheets import Row, place, sheet_blocks
from searchkit.types import Block

SHEET_TAGS = ("table", "table-row", "shapes")
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_MOST_REPEATED = 64  # equal cells beside each other that are written down
_DURATION = re.compile(r"-?PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?")


@dataclass(slots=True)
class _Sheet:
    """A sheet that is being read: its number of rows so far, and the blocks to read after its cells."""

    name: str
    rows: int = 0
    above: dict[int, tuple[int, str]] = field(
        default_factory=dict
    )  # rows that a cell still spans, and its text, by column
    around: list[Block] = field(default_factory=list)


def spreadsheet_blocks(events: Iterable[tuple[str, etree._Element]]) -> Iterator[Block]:
    """Read the blocks of all sheets from starts and ends of the elements named in SHEET_TAGS."""
    for _, group in groupby(_rows(events), key=lambda found: id(found[0])):
        yield from _sheet_blocks(group)


def _sheet_blocks(found: Iterator[tuple[_Sheet, Row | None]]) -> Iterator[Block]:
    sheet, first = next(found)
    rows = (row for row in chain([first], (row for _, row in found)) if row is not None)
    yield from sheet_blocks(sheet.name, rows)
    yield from sheet.around


def _rows(events: Iterable[tuple[str, etree._Element]]) -> Iterator[tuple[_Sheet, Row | None]]:
    """(sheet, row); None for the row at a sheet's end. Tables in a sheet, such as those of charts, do not count."""
    sheet: _Sheet | None = None
    depth = 0
    for event, element in events:
        name = local(element.tag)
        if name == "table":
            depth += 1 if event == "start" else -1
            if depth == 1 and event == "start":
                sheet = _Sheet(attribute(element, "name"))
            elif depth == 0 and sheet is not None:
                yield sheet, None
                forget(element)
        elif event == "end" and depth == 1 and sheet is not None:
            if name == "shapes":
                walk = Walk(place=f"{place(sheet.name, (1, 1)).rpartition('!')[0]}, drawing")
                sheet.around += list(walk.blocks(element))
            elif row := _row(sheet, element):
                yield sheet, row
            forget(element)


def _row(sheet: _Sheet, element: etree._Element) -> Row | None:
    """A row, None if it is empty. A repeated row is read once."""
    first = sheet.rows + 1
    sheet.rows += _count(element.get(f"{_TABLE}number-rows-repeated"))
    cells: list[tuple[int, str]] = []
    words, wide, column = True, False, 1
    for cell in element:
        text = ""
        if len(cell) or f"{_OFFICE}value-type" in cell.attrib:
            kind = cell.get(f"{_OFFICE}value-type") or "string"
            if text := _value(cell, kind):
                words = words and kind == "string"
                wide = wide or _count(cell.get(f"{_TABLE}number-columns-spanned")) > 1
            if any(local(child.tag) != "p" for child in cell):
                sheet.around += _hanging(cell, place(sheet.name, (first, column)))
        left, said = sheet.above.get(column, (0, ""))
        if left and not text:
            text = said
            sheet.above[column] = (left - 1, said)
        elif text and (spanned := _count(cell.get(f"{_TABLE}number-rows-spanned"))) > 1:
            sheet.above[column] = (spanned - 1, text)
        repeated = _count(cell.get(f"{_TABLE}number-columns-repeated"))
        if text:
            cells += [(column + i, text) for i in range(min(repeated, _MOST_REPEATED))]
        column += repeated
    return Row(first, sheet.rows, cells, words, wide) if cells else None


def _count(said: str | None) -> int:
    return int(said) if said and said.isdigit() and len(said) < 9 else 1


def _value(cell: etree._Element, kind: str) -> str:
    """A cell as it is shown, with what is stored beside it where that is something else; "" if it is empty."""
    if len(cell) == 1 and not len(cell[0]) and local(cell[0].tag) == "p":
        shown = " ".join((cell[0].text or "").split())
    else:
        shown = plain_text(cell)
    if kind == "percentage":
        return percentage(shown, cell.get(f"{_OFFICE}value", ""))
    if show := _SHOWS.get(kind):
        name = "value" if kind in ("float", "currency") else f"{kind}-value"
        currency = cell.get(f"{_OFFICE}currency") if kind == "currency" else None
        return beside(shown, show(cell.get(f"{_OFFICE}{name}", "")) + (f" {currency}" if currency else ""))
    return shown or " ".join(cell.get(f"{_OFFICE}string-value", "").split())


def _time(duration: str) -> str:
    """Turn PT12H30M00S into 12:30; leave anything else as it is."""
    found = _DURATION.fullmatch(duration)
    if not found:
        return duration
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return f"{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


def _date(said: str) -> str:
    return said.replace("T00:00:00", "").replace("T", " ")


_SHOWS: dict[str, Callable[[str], str]] = {
    "float": number_text,
    "currency": number_text,
    "date": _date,
    "time": _time,
    "boolean": str.upper,
}


def _hanging(cell: etree._Element, where: str) -> list[Block]:
    """Comments and drawings of a cell."""
    others = [child for child in cell if local(child.tag) not in ("p", "h", "list", "table")]
    return list(Walk(place=where).blocks(others))
