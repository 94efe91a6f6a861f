"""Reads the elements of OpenDocument text anywhere: paragraphs, headings, lists, tables, notes, frames."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, local
from searchkit.ingest.extract.data.table import column_names, joined_cells
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import address_behind
from searchkit.types import Block, BlockKind

_DRAWING = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_SKIPPED = frozenset(
    "tracked-changes sequence-decls variable-decls user-field-decls note-citation page-number page-count sheet-name".split()
)
_NO_ADDRESS = ("vnd.sun.star", "macro:")
_BLANKS = re.compile(r"[ \t\r\n]+")
_LAYOUT_ROW_CHARACTERS = 2000  # a row with more text than this is page layout
_CELLS = ("table-cell", "covered-table-cell")
_MOST_REPEATED = 64  # cells alike; a sheet in a text may fill its last row with thousands of empty ones
_MOST_BLANKS = 100  # bound on a count of blanks, which is whatever the file says


@dataclass(slots=True)
class _Inline:
    """A paragraph's text, and the attached blocks that are read after it."""

    parts: list[str] = field(default_factory=list)
    behind: list[etree._Element] = field(default_factory=list)

    def text(self) -> str:
        return "\n".join(line.strip() for line in "".join(self.parts).split("\n")).strip()


class Walk:
    """Reads elements in order, and keeps the path of headings. `place`: for blocks without one of their own."""

    def __init__(self, title_styles: frozenset[str] = frozenset(), place: str = "") -> None:
        self.title = ""
        self._title_styles, self._place = title_styles, place
        self._path: list[tuple[int, str]] = []

    def blocks(self, elements: Iterable[etree._Element], *, flow: bool = False, item: str = "") -> Iterator[Block]:
        """Read the blocks of a body, a cell, a frame or a note. Headings count only in the flow.

        `item` is put before each paragraph that is an item of a list.
        """
        for element in elements:
            name = local(element.tag)
            if name in ("p", "h"):
                yield from self._paragraph(element, flow=flow, item=item)
            elif name == "table":
                yield from self._table(element, flow=flow)
            elif name in ("list", "list-item"):
                yield from self.blocks(element, flow=flow, item="- ")
            elif name == "annotation":
                yield from self._annotation(element)
            elif name == "forms":
                yield from self._form(element)
            elif name in ("title", "desc") and not len(element):  # of a picture; those of charts have paragraphs
                yield self._block(" ".join((element.text or "").split()))
            elif name in ("a", "event-listener"):  # of a frame or shape
                yield from self.blocks(element, flow=flow, item=item)
                yield self._block(_address(element))
            elif name == "math":
                yield self._block(formula_text(element))
            elif name not in _SKIPPED:
                yield from self.blocks(element, flow=flow, item=item)
            elif name == "tracked-changes" and any(text.strip() for text in element.itertext()):
                leave_out("tracked deletions")

    def _paragraph(self, paragraph: etree._Element, *, flow: bool, item: str) -> Iterator[Block]:
        found = _Inline()
        _gather(paragraph, found)
        if text := found.text():
            level = self._level(paragraph) if flow else None
            if level is None:
                yield self._block(item + text)
            else:
                text = " ".join(text.split())
                self._path = [(above, name) for above, name in self._path if above < level]
                self._path.append((level, text))
                self.title = self.title or (text if level == 0 else "")
                yield self._block(text, BlockKind.HEADING)
        yield from self._behind(found)

    def _level(self, paragraph: etree._Element) -> int | None:
        """The level of a heading, from 1; 0 for the document's title, None for text."""
        if local(paragraph.tag) == "h":
            level = attribute(paragraph, "outline-level")
            return int(level) if level.isdigit() else 1
        return 0 if attribute(paragraph, "style-name") in self._title_styles else None

    def _table(self, table: etree._Element, *, flow: bool) -> Iterator[Block]:
        """Read rows as lines; cell by cell if a row contains tables, headings or pages of text, since it is then layout."""
        yield from self.blocks(child for child in table if local(child.tag) in ("title", "desc"))
        rows: list[list[str]] = []
        names, marked = "", 0
        found = _Inline()
        spans: dict[int, tuple[int, str]] = {}  # rows that a cell still spans, and its text, by column
        for row, is_head in _rows(table):
            if _is_layout(row):
                names = names or column_names(rows, marked)
                yield from self._rows_block(rows, names, found)
                rows, found = [], _Inline()
                for cell in row:
                    yield from self.blocks([cell] if local(cell.tag) not in _CELLS else cell, flow=flow)
            elif any(cells := _cells(row, found, spans)):
                rows.append(cells)
                marked += is_head and marked == len(rows) - 1
        yield from self._rows_block(rows, names or column_names(rows, marked), found)

    def _rows_block(self, rows: list[list[str]], names: str, found: _Inline) -> Iterator[Block]:
        if rows:
            yield self._block("\n".join(map(joined_cells, rows)), BlockKind.TABLE, names)
        yield from self._behind(found)

    def _behind(self, found: _Inline) -> Iterator[Block]:
        for element in found.behind:
            name = local(element.tag)
            if name == "note":
                kind = attribute(element, "note-class") or "footnote"
                yield from self._as_one(element, kind)
            elif name == "annotation":
                yield from self._annotation(element)
            else:
                yield from self.blocks([element])

    def _annotation(self, element: etree._Element) -> Iterator[Block]:
        author = next((entry.text for entry in element if local(entry.tag) == "creator" and entry.text), "")
        yield from self._as_one(
            element, f"comment by {author}" if author else "comment", f"{author}: " if author else ""
        )

    def _form(self, element: etree._Element) -> Iterator[Block]:
        """The labels and values of controls."""
        for control in element.iter():
            words = dict.fromkeys(attribute(control, name) for name in ("label", "title", "current-value", "value"))
            yield self._block(": ".join(filter(None, words)))

    def _as_one(self, element: etree._Element, place: str, said_by: str = "") -> Iterator[Block]:
        """The blocks in an element, joined to a single one."""
        outer, self._place = self._place, f"{self._place}, {place}" if self._place else place
        texts = [block.text for block in self.blocks(element)]
        if texts:
            yield self._block(said_by + "\n".join(texts))
        self._place = outer

    def _block(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH, columns: str = "") -> Block:
        return Block(text, kind, tuple(name for _, name in self._path), place=self._place, columns=columns)


def formula_text(element: etree._Element) -> str:
    """The signs of a formula, in the order of its elements."""
    return " ".join("".join(map(str, element.itertext())).split())


def _address(element: etree._Element) -> str:
    """The address that something without words leads to, "" for macros and places in the document."""
    address = attribute(element, "href")
    return "" if address.startswith(_NO_ADDRESS) else address_behind("", address).strip(" ()")


def plain_text(element: etree._Element) -> str:
    """The paragraphs of a cell, separated by blanks, without attached blocks."""
    found = _Inline()
    return " ".join(_cell_text(element, found).split())


def _gather(element: etree._Element, found: _Inline) -> None:
    """The text of an inline element in order, and the blocks attached to it."""
    found.parts.append(_BLANKS.sub(" ", element.text or ""))
    for child in element:
        name = local(child.tag)
        if name == "s":
            count = attribute(child, "c")
            found.parts.append(" " * min(_MOST_BLANKS, int(count) if count.isdigit() else 1))
        elif name in ("tab", "line-break"):
            found.parts.append(" " if name == "tab" else "\n")
        elif name in ("note", "annotation") or str(child.tag).startswith(_DRAWING):
            found.behind.append(child)
        elif name not in _SKIPPED:
            start = len(found.parts)
            _gather(child, found)
            if name == "a":
                found.parts.append(address_behind("".join(found.parts[start:]), attribute(child, "href")))
        found.parts.append(_BLANKS.sub(" ", child.tail or ""))


def _cell_text(cell: etree._Element, found: _Inline) -> str:
    """The text of a cell's paragraphs and lists; attached blocks are added to `found`."""
    texts = []
    for child in cell:
        name = local(child.tag)
        if name in ("p", "h"):
            ours = _Inline(behind=found.behind)
            _gather(child, ours)
            texts.append(ours.text())
        elif name == "annotation" or str(child.tag).startswith(_DRAWING):
            found.behind.append(child)
        elif name not in _SKIPPED:
            texts.append(_cell_text(child, found))
    return " ".join(text for text in texts if text)


def _rows(element: etree._Element, *, in_head: bool = False) -> Iterator[tuple[etree._Element, bool]]:
    """Rows of a table, and whether each is part of its head; also those in groups, not those of tables in it."""
    for child in element:
        name = local(child.tag)
        if name == "table-row":
            yield child, in_head
        elif name in ("table-rows", "table-header-rows", "table-row-group"):
            yield from _rows(child, in_head=in_head or name == "table-header-rows")


def _cells(row: etree._Element, found: _Inline, spans: dict[int, tuple[int, str]]) -> list[str]:
    """The cells of a row in their columns; what is merged with the row above has its text."""
    cells: list[str] = []
    for cell in row:
        if local(cell.tag) not in _CELLS:
            continue
        text = " ".join(_cell_text(cell, found).split())
        column = len(cells)
        if local(cell.tag) == "covered-table-cell" and not text and spans.get(column, (0, ""))[0]:
            left, text = spans[column]
            spans[column] = (left - 1, text)
        else:
            spans[column] = (_number(cell, "number-rows-spanned") - 1, text)
        cells += [text] * min(_MOST_REPEATED, _number(cell, "number-columns-repeated"))
    return cells


def _number(cell: etree._Element, name: str) -> int:
    said = attribute(cell, name)
    return int(said) if said.isdigit() and len(said) < 9 else 1


def _is_layout(row: etree._Element) -> bool:
    if next(descendants(row, "table", "h"), None) is not None:
        return True
    return sum(len(text) for text in row.itertext()) > _LAYOUT_ROW_CHARACTERS
