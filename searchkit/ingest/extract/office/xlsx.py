"""Reads XLSX: the cells' values by rows, with sheet, column names and cell range; rows are read lazily."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, local
from searchkit.ingest.extract.office.cell_formats import Show, number_format, number_text
from searchkit.ingest.extract.office.ooxml import Package, links_of_shapes, paragraphs_text, pictured
from searchkit.ingest.extract.office.sheets import Row, cell_text, column_number, place, sheet_blocks
from searchkit.ingest.extract.text import address_behind
from searchkit.types import Block, ExtractedDocument

_DIGITS = "0123456789"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")  # characters that XML may not contain, such as _x000D_ for a line's end

_LINK = re.compile(r'\s*HYPERLINK\(\s*"([^"]+)"', re.IGNORECASE)
_BEHIND_ROWS = re.compile(
    rb"<(?:\w+:)?(?:(mergeCell|hyperlink|dataValidation)\b([^>]*)>|((?:odd|even|first)(?:Header|Footer))[^>]*>([^<]*)<)"
)
_ATTRIBUTE = re.compile(rb'([\w:]+)\s*=\s*(?:"([^"]*)"|\'([^\']*)\')')
_CAPTION = re.compile(rb"<v:textbox\b[^>]*>(.*?)</v:textbox>", re.DOTALL)
_TAG = re.compile(rb"<[^<>]*>")
_END_OF_ROWS = re.compile(rb"</(?:\w+:)?sheetData\s*>|<(?:\w+:)?sheetData\s*/>")
_HEADER_PART = re.compile(r"(?<!&)&[LCR]")
_HEADER_CODE = re.compile(r'&(?:"[^"]*"|\d+|K[0-9A-F]{6}|(&)|[A-Z])')
_SHORT_HEADER = 12  # letters and digits
_MOST_MERGED = 500_000  # cells below others that they are merged with
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class _Workbook:
    """The data that all sheets share. `shows`: the display of a number, by style number."""

    package: Package
    strings: list[str]
    shows: list[Show]


@dataclass(slots=True)
class _Behind:
    """What a sheet's part says behind its rows: merged cells, links and headers. Cells are (row, column).

    `merged`: the cells whose texts a row has from above, by row and column; `wide`: the cells that span columns.
    """

    merged: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    wide: set[tuple[int, int]] = field(default_factory=set)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    headers: dict[str, list[str]] = field(default_factory=dict)


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
                behind = _behind_rows(package, relation.target)
                yield from sheet_blocks(name, _rows(workbook, relation.target, behind))
                for kind, lines in behind.headers.items():  # and hints at cells
                    yield Block("\n".join(dict.fromkeys(lines)), headings=(name,), place=kind)
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


def _shows(package: Package, *, epoch_1904: bool) -> list[Show]:
    parts = package.related(package.main, "styles")
    root = package.archive.xml(parts[0]) if parts else None
    if root is None:
        return []

    own = {entry.get("numFmtId", ""): entry.get("formatCode", "") for entry in descendants(root, "numFmt")}
    used = [style.get("numFmtId", "0") for style in next(descendants(root, "cellXfs"), ())]
    shows = {
        number: number_format(int(number) if number.isdigit() else 0, own.get(number), epoch_1904=epoch_1904)
        for number in set(used)
    }
    return [shows[number] for number in used]


def _rows(workbook: _Workbook, part: str, behind: _Behind) -> Iterator[Row]:
    number = 0
    held: dict[tuple[int, int], str] = {}  # texts of cells that are merged with some below
    origins = {origin for merged in behind.merged.values() for origin in merged.values()}
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
                    text += address_behind(text, behind.links.get((number, column), "") or _linked(cell))
                    cells.append((column, text))
                    words = words and kind in ("s", "inlineStr", "str")
                    if (number, column) in origins:
                        held[number, column] = text
        if cells and (merged := behind.merged.get(number)):
            above = {column: held[origin] for column, origin in merged.items() if held.get(origin)}
            cells = sorted((above | dict(cells)).items())
        if cells:
            yield Row(number, number, cells, words, any((number, column) in behind.wide for column, _ in cells))


def _linked(cell: etree._Element) -> str:
    """The address of a link that is a formula."""
    link = _LINK.match(cell[0].text or "") if local(cell[0].tag) == "f" else None
    return link.group(1) if link else ""


def _behind_rows(package: Package, part: str) -> _Behind:
    """Look for what stands behind the rows, which are themselves read later, one at a time."""
    found, addresses = _Behind(), package.addresses(part)
    merged = 0  # rows that have a cell from above
    for match in _BEHIND_ROWS.finditer(_tail(package, part)):
        element, attributes, header, text = match.groups()
        if header:
            _read_header(header.decode(), html.unescape(text.decode("utf-8", "replace")), found)
            continue
        said = {
            key.decode().rpartition(":")[2]: html.unescape((double or single).decode("utf-8", "replace"))
            for key, double, single in _ATTRIBUTE.findall(attributes)
        }
        first, _, last = said.get("ref", "").partition(":")
        (top, left), (bottom, right) = _cell(first), _cell(last or first)
        hints = [said[name] for name in ("tooltip", "promptTitle", "prompt", "errorTitle", "error") if said.get(name)]
        if hints:
            found.headers.setdefault("hint", []).extend(hints)
        if element == b"dataValidation":
            continue
        if element == b"hyperlink":
            found.links[top, left] = addresses.get(said.get("id", ""), "")
        elif top and left:
            bottom = min(bottom, top + _MOST_MERGED - merged)
            merged += max(0, bottom - top)
            for row in range(top + 1, bottom + 1):
                found.merged.setdefault(row, {})[left] = (top, left)
            if right > left:
                found.wide.add((top, left))
    return found


def _tail(package: Package, part: str) -> bytes:
    """The part from the end of its rows on."""
    held = b""
    with package.archive.stream(part) as stream:
        while piece := stream.read(_PIECE):
            held = held[-64:] + piece
            if found := _END_OF_ROWS.search(held):
                return held[found.end() :] + stream.read()
    return b""


def _read_header(name: str, text: str, found: _Behind) -> None:
    """Add the text of a sheet's header or footer."""
    if lines := header_lines(text):
        found.headers.setdefault("header" if name.endswith("Header") else "footer", []).extend(lines)


def header_lines(text: str) -> list[str]:
    """The parts of a sheet's header or footer, without codes for fonts, numbers of pages and the like."""
    lines = []
    for part in _HEADER_PART.split(text):
        line = " ".join(_HEADER_CODE.sub(lambda code: code[1] or " ", part).split())
        least = _SHORT_HEADER if "&P" in part or "&N" in part else 1  # "Page 1 of 2" says nothing
        if sum(map(str.isalnum, line)) >= least:
            lines.append(line)
    return lines


def _cell(reference: str) -> tuple[int, int]:
    """Row and column of a cell such as B12; 0 for what is missing."""
    letters = reference.replace("$", "").rstrip(_DIGITS)
    digits = reference.replace("$", "")[len(letters) :]
    return int(digits or 0), column_number(letters)


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
    """The sheet's comments, text boxes, diagrams, charts, and descriptions of pictures."""
    threads: dict[str, str] = {}
    for comments in package.related(part, "threadedComment"):
        persons = _persons(package)
        root = package.archive.xml(comments)
        for comment in descendants(root, "threadedComment") if root is not None else ():
            texts = "\n".join(text.text or "" for text in descendants(comment, "text"))
            author = persons.get(comment.get("personId", ""), "")
            texts = f"{author}: {texts}" if author else texts
            threads[comment.get("ref", "")] = "\n".join(filter(None, (threads.get(comment.get("ref", "")), texts)))
    notes: dict[str, str] = {}
    for comments in package.related(part, "comments"):
        root = package.archive.xml(comments)
        authors = [author.text or "" for author in descendants(root, "author")] if root is not None else []
        for comment in descendants(root, "comment") if root is not None else ():
            said, number = "".join(text.text or "" for text in descendants(comment, "t")), comment.get("authorId", "")
            author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
            notes[comment.get("ref", "")] = said if author in said else f"{author}: {said}"
    for reference, text in (notes | threads).items():  # the note of a thread only points to the thread
        letters = reference.rstrip(_DIGITS)
        where = place(sheet, (int(reference[len(letters) :] or 0), column_number(letters)))
        yield Block(text.strip(), headings=(sheet,), place=f"{where}, comment")
    captions = dict.fromkeys(text for form in package.related(part, "vmlDrawing") for text in _captions(package, form))
    for caption in captions:
        yield Block(caption, headings=(sheet,), place=f"{place(sheet, (1, 1)).rpartition('!')[0]}, drawing")
    for drawing in package.related(part, "drawing"):
        yield from _drawn(package, drawing, sheet)


def _captions(package: Package, part: str) -> Iterator[str]:
    """What stands on buttons, boxes to tick and the like, in a form of HTML that is often no XML."""
    for found in _CAPTION.finditer(package.archive.read(part)):
        text = html.unescape(_TAG.sub(b" ", found.group(1)).decode("utf-8", "replace"))
        if words := " ".join(text.split()):
            yield words


def _persons(package: Package) -> dict[str, str]:
    """Names of those who comment in threads, by id."""
    roots = [package.archive.xml(part) for part in package.archive.names() if part.startswith("xl/persons/")]
    people = (person for root in roots if root is not None for person in descendants(root, "person"))
    return {person.get("id", ""): person.get("displayName", "") for person in people}


def _drawn(package: Package, part: str, sheet: str) -> Iterator[Block]:
    root = package.archive.xml(part)
    if root is None:
        return
    addresses = package.addresses(part)
    bodies = (paragraphs_text(body, addresses) for body in descendants(root, "txBody"))
    graphics = package.drawn(part, list(descendants(root, "relIds", "chart")))
    for text in chain(bodies, graphics, pictured(root), links_of_shapes(root, addresses)):
        if text:
            yield Block(text, headings=(sheet,), place=f"{place(sheet, (1, 1)).rpartition('!')[0]}, drawing")
