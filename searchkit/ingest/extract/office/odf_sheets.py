"""Reads sheets of an ODS row by row; a million repetitions of a cell or row count as one."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby

from lxml import etree

from searchkit.ingest.extract.archive import attribute, forget, local
from searchkit.ingest.extract.office.odf_text import Walk, plain_text
from searchkit.ingest.extract.office.sheets import Row, number_text, percent_text, place, sheet_blocks
from searchkit.types import Block

SHEET_TAGS = ("table", "table-row", "shapes")
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_DURATION = re.compile(r"-?PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?")


@dataclass(slots=True)
class _Sheet:
    """A sheet that is being read: its number of rows so far, and the blocks to read after its cells."""

    name: str
    rows: int = 0
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
    words, column = True, 1
    for cell in element:
        if len(cell) or f"{_OFFICE}value-type" in cell.attrib:
            kind = cell.get(f"{_OFFICE}value-type") or "string"
            if text := _value(cell, kind):
                cells.append((column, text))
                words = words and kind == "string"
            if any(local(child.tag) != "p" for child in cell):
                sheet.around += _hanging(cell, place(sheet.name, (first, column)))
        column += _count(cell.get(f"{_TABLE}number-columns-repeated"))
    return Row(first, sheet.rows, cells, words) if cells else None


def _count(said: str | None) -> int:
    return int(said) if said and said.isdigit() and len(said) < 9 else 1


def _value(cell: etree._Element, kind: str) -> str:
    """A cell approximately as it is shown; "" if it is empty."""
    if show := _SHOWS.get(kind):
        name = "value" if kind in ("float", "currency", "percentage") else f"{kind}-value"
        currency = cell.get(f"{_OFFICE}currency") if kind == "currency" else None
        return show(cell.get(f"{_OFFICE}{name}", "")) + (f" {currency}" if currency else "")
    if len(cell) == 1 and not len(cell[0]) and local(cell[0].tag) == "p":
        return " ".join((cell[0].text or "").split())
    return plain_text(cell)


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
    "percentage": percent_text,
    "date": _date,
    "time": _time,
    "boolean": str.upper,
}


def _hanging(cell: etree._Element, where: str) -> list[Block]:
    """Comments and drawings of a cell."""
    others = [child for child in cell if local(child.tag) not in ("p", "h", "list", "table")]
    return list(Walk(place=where).blocks(others))
