"""Reads XLSX: the cells' values by rows, with sheet, column names and cell range; rows are read lazily."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, local
from searchkit.ingest.extract.office.ooxml import Package, paragraphs_text
from searchkit.ingest.extract.office.sheets import (
    Row,
    cell_text,
    column_number,
    date_text,
    number_text,
    percent_text,
    place,
    sheet_blocks,
)
from searchkit.types import Block, ExtractedDocument

_DATE_IDS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_PERCENT_IDS = frozenset((9, 10))
_LITERAL = re.compile(r"\"[^\"]*\"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]", re.IGNORECASE)
_DIGITS = "0123456789"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")  # characters that XML may not contain, such as _x000D_ for a line's end

_Show = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Workbook:
    """The data that all sheets share. `shows`: the display of a number, by style number."""

    package: Package
    strings: list[str]
    shows: list[_Show]


def extract_xlsx(content: bytes) -> ExtractedDocument:
    """Read blocks of some rows, lazily; then the sheet's comments and drawings.

    Of formulas, the stored result is read. Hidden sheets, rows and columns are read like others.
        Raises UnreadableFileError for damaged and password-protected workbooks.
    """
    package = Package(content, "spreadsheetml")
    title, metadata = package.properties()
    return ExtractedDocument(title, _blocks(package), metadata)


def _blocks(package: Package) -> Iterator[Block]:
    root = package.archive.xml(package.main)
    relations = package.relations(package.main)
    epoch_1904 = root is not None and any(
        properties.get("date1904") in ("1", "true") for properties in descendants(root, "workbookPr")
    )
    workbook = _Workbook(package, _strings(package), _shows(package, epoch_1904=epoch_1904))
    for sheet in descendants(root, "sheet") if root is not None else ():
        relation = relations.get(attribute(sheet, "id"))
        if relation and relation.target in package.archive:
            name = sheet.get("name", "")
            if relation.kind == "worksheet":
                yield from sheet_blocks(name, _rows(workbook, relation.target))
            yield from _around(package, relation.target, name)


def _strings(package: Package) -> list[str]:
    parts = package.related(package.main, "sharedStrings")
    return [_rich_text(entry) for entry in package.archive.each(parts[0], "si")] if parts else []


def _rich_text(entry: etree._Element) -> str:
    """The text of a cell without the phonetic guides (rPh) of Japanese words."""
    if len(entry) == 1 and not len(entry[0]):
        text = entry[0].text or ""
    else:
        runs = (run for run in descendants(entry, "t") if local(getattr(run.getparent(), "tag", "")) != "rPh")
        text = "".join(run.text or "" for run in runs)
    return cell_text(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text)


def _shows(package: Package, *, epoch_1904: bool) -> list[_Show]:
    parts = package.related(package.main, "styles")
    root = package.archive.xml(parts[0]) if parts else None
    if root is None:
        return []

    def as_date(value: str) -> str:
        return date_text(value, epoch_1904=epoch_1904)

    own = {entry.get("numFmtId"): entry.get("formatCode", "") for entry in descendants(root, "numFmt")}
    formats = next(descendants(root, "cellXfs"), ())
    return [_show(style.get("numFmtId", "0"), own, as_date) for style in formats]


def _show(number: str, own: dict[str | None, str], as_date: _Show) -> _Show:
    code = _LITERAL.sub("", own[number]).partition(";")[0].lower() if number in own else None
    if code is None:
        identifier = int(number) if number.isdigit() else 0
        return as_date if identifier in _DATE_IDS else percent_text if identifier in _PERCENT_IDS else number_text
    if "%" in code:
        return percent_text
    is_date = (
        code != "general" and any(letter in code for letter in "ymdhs") and not any(digit in code for digit in "#?")
    )
    return as_date if is_date else number_text


def _rows(workbook: _Workbook, part: str) -> Iterator[Row]:
    number = 0
    for row in workbook.package.archive.each(part, "row"):
        said = row.get("r")
        number = int(said) if said and said.isdigit() else number + 1
        cells: list[tuple[int, str]] = []
        words, column = True, 0
        for cell in row:
            reference = cell.get("r")
            column = column_number(reference.rstrip(_DIGITS)) if reference else column + 1
            if len(cell):
                kind = cell.get("t", "n")
                if text := _value(cell, kind, workbook):
                    cells.append((column, text))
                    words = words and kind in ("s", "inlineStr", "str")
        if cells:
            yield Row(number, number, cells, words)


def _value(cell: etree._Element, kind: str, workbook: _Workbook) -> str:
    """A cell approximately as it is shown; "" if it is empty."""
    held = cell[-1]
    if local(held.tag) != "v":
        held = next((child for child in cell if local(child.tag) in ("v", "is")), held)
        if local(held.tag) != "v":
            return _rich_text(held) if local(held.tag) == "is" else ""
    text = held.text
    if not text:
        return ""
    if kind == "s":
        index = int(text)
        return workbook.strings[index] if index < len(workbook.strings) else ""
    if kind == "n":
        style = int(cell.get("s", "0"))
        return workbook.shows[style](text) if style < len(workbook.shows) else number_text(text)
    if kind == "b":
        return "TRUE" if text == "1" else "FALSE"
    return text.replace("T00:00:00", "") if kind == "d" else cell_text(text)


def _around(package: Package, part: str, sheet: str) -> Iterator[Block]:
    """The sheet's comments, text boxes, diagrams and charts."""
    threads: dict[str, str] = {}
    for comments in package.related(part, "threadedComment"):
        root = package.archive.xml(comments)
        for comment in descendants(root, "threadedComment") if root is not None else ():
            texts = "\n".join(text.text or "" for text in descendants(comment, "text"))
            threads[comment.get("ref", "")] = "\n".join(filter(None, (threads.get(comment.get("ref", "")), texts)))
    notes: dict[str, str] = {}
    for comments in package.related(part, "comments"):
        root = package.archive.xml(comments)
        for comment in descendants(root, "comment") if root is not None else ():
            notes[comment.get("ref", "")] = "".join(text.text or "" for text in descendants(comment, "t"))
    for reference, text in (notes | threads).items():  # the note of a thread only points to the thread
        letters = reference.rstrip(_DIGITS)
        where = place(sheet, (int(reference[len(letters) :] or 0), column_number(letters)))
        yield Block(text.strip(), headings=(sheet,), place=f"{where}, comment")
    for drawing in package.related(part, "drawing"):
        yield from _drawn(package, drawing, sheet)


def _drawn(package: Package, part: str, sheet: str) -> Iterator[Block]:
    root = package.archive.xml(part)
    if root is None:
        return
    bodies = (paragraphs_text(body) for body in descendants(root, "txBody"))
    graphics = package.drawn(part, list(descendants(root, "relIds", "chart")))
    for text in chain(bodies, graphics):
        if text:
            yield Block(text, headings=(sheet,), place=f"{place(sheet, (1, 1)).rpartition('!')[0]}, drawing")
