"""Reads DOCX: paragraphs, lists and tables in order, under their headings; notes and comments where they belong."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from lxml import etree

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import attribute, descendants, local
from searchkit.ingest.extract.data.table import column_names, joined_cells
from searchkit.ingest.extract.office.docx_styles import Styles
from searchkit.ingest.extract.office.ooxml import Package, links_of_shapes, pictured
from searchkit.ingest.extract.readers import extract, leave_out
from searchkit.ingest.extract.text import address_behind
from searchkit.types import Block, BlockKind, ExtractedDocument

# Tracked deletions, the origin of moved text, properties, and the fallback of content that is there twice.
_SKIPPED = frozenset(
    "del moveFrom delText delInstrText Fallback pPr rPr sdtPr sdtEndPr tblPr tblGrid trPr tcPr sectPr ffData rt"
    " numberingChange annotationRef".split()
)
_NOTED = {
    "del": "tracked deletions",
    "moveFrom": "tracked deletions",
    "delText": "tracked deletions",
    "rt": "phonetic guides",
}
_CHARACTERS = {"tab": " ", "ptab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}
_NOTES = {"footnoteReference": "footnote", "endnoteReference": "endnote", "commentReference": "comment"}
_DRAWN = frozenset(("shape", "rect", "oval", "roundrect", "image", "group"))  # in documents of older programs
_LINKING = frozenset(("hyperlink", "fldSimple", "fldChar", "instrText", "textpath", "signatureline"))
_LINK_CODE = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_SWITCH = re.compile(r'\\[@*#a-z]\s*(?:"[^"]*"|\w+)?')  # how a field is formatted
_SAID_IN_CODE = re.compile(r'"[^"]*\w[^"]*"')
_LAYOUT_ROW_CHARACTERS = 2000  # a row with more text than this is page layout
_TITLE_BLOCKS = 20  # the title is among the first, if there is one


@dataclass(slots=True)
class _Inline:
    """A paragraph's text, and the attached blocks that are read after it."""

    parts: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    graphics: list[etree._Element] = field(default_factory=list)
    pictured: list[str] = field(default_factory=list)
    code: str = ""  # of the field that is being read

    def beside(self) -> "_Inline":
        """Another paragraph's text, whose attached blocks are read together with these."""
        return _Inline(boxes=self.boxes, notes=self.notes, graphics=self.graphics, pictured=self.pictured)

    def text(self) -> str:
        return "\n".join(line.strip() for line in "".join(self.parts).split("\n")).strip()


def extract_docx(content: bytes) -> ExtractedDocument:
    """Read blocks lazily. The title is the properties', else the paragraph in the style Title.

    Raises UnreadableFileError for damaged and password-protected documents, and for those of the old format under a new name.
    """
    package = Package(content, "wordprocessingml")
    title, metadata = package.properties()
    reader = _Reader(package)
    blocks = reader.document()
    beginning = list(islice(blocks, _TITLE_BLOCKS))
    return ExtractedDocument(title or reader.title, chain(beginning, blocks), metadata)


class _Reader:
    """Reads the document's parts; keeps the path of headings and the notes that were not reached yet."""

    def __init__(self, package: Package) -> None:
        self.title = ""
        self._package, self._part = package, package.main
        self._styles = Styles(package)
        self._path: list[tuple[int, str]] = []
        self._notes = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote", "comment")
            for part in package.related(package.main, f"{kind}s")
            for note in self._root(part)
            if attribute(note, "type") in ("", "normal")
        }

    def document(self) -> Iterator[Block]:
        """The body with its notes, then notes that nothing refers to, then headers and footers, each once."""
        yield from self._blocks(self._package.archive.children(self._part, "body"), flow=True)
        self._path = []
        yield from self._noted(list(self._notes))
        said: set[str] = set()
        for kind in ("header", "footer"):
            for part in self._package.related(self._package.main, kind):
                self._part = part
                for block in self._blocks(self._root(part), place=kind):
                    if block.text not in said:
                        said.add(block.text)
                        yield block

    def _root(self, part: str) -> Iterable[etree._Element]:
        root = self._package.archive.xml(part)
        return () if root is None else root

    def _blocks(self, elements: Iterable[etree._Element], *, flow: bool = False, place: str = "") -> Iterator[Block]:
        """Read the blocks of a body, a cell or a note. Headings count only in the flow."""
        for element in elements:
            name = local(element.tag)
            if name == "p":
                yield from self._paragraph(element, flow=flow, place=place)
            elif name == "tbl":
                yield from self._table(element, flow=flow, place=place)
            elif name == "altChunk":
                yield from self._imported(element, place)
            elif name in _SKIPPED:
                _note_skipped(element, name)
            else:
                yield from self._blocks(element, flow=flow, place=place)

    def _paragraph(self, paragraph: etree._Element, *, flow: bool, place: str) -> Iterator[Block]:
        found = _Inline()
        self._gather(paragraph, found)
        number = self._styles.number(paragraph)  # empty ones count
        if text := found.text():
            style = self._styles.of(paragraph)
            if flow and style.level is not None:
                text = " ".join(f"{number}{text}".split())
                self._path = [(level, name) for level, name in self._path if level < style.level]
                self._path.append((style.level, text))
                self.title = self.title or (text if style.level == 0 else "")
                yield Block(text, BlockKind.HEADING, self._headings(), place=place)
            else:
                yield Block(number + text, headings=self._headings(), place=place)
        yield from self._behind(found)

    def _table(self, table: etree._Element, *, flow: bool, place: str) -> Iterator[Block]:
        """Read rows as lines; cell by cell if a row contains tables, headings or pages of text, since it is then layout."""
        rows: list[list[str]] = []
        names, marked = "", 0
        found = _Inline()
        for row in _outermost(table, "tr"):
            if self._is_layout(row):
                names = names or column_names(rows, marked)
                yield from self._rows_block(rows, names, found, place)
                rows, found = [], _Inline()
                for cell in _outermost(row, "tc"):
                    yield from self._blocks(cell, flow=flow, place=place)
            elif any(cells := self._cells(row, found, rows[-1] if rows else [])):
                rows.append(cells)
                marked += marked == len(rows) - 1 and _is_head(row)
        yield from self._rows_block(rows, names or column_names(rows, marked), found, place)

    def _rows_block(self, rows: list[list[str]], names: str, found: _Inline, place: str) -> Iterator[Block]:
        if rows:
            text = "\n".join(map(joined_cells, rows))
            yield Block(text, BlockKind.TABLE, self._headings(), place=place, columns=names)
        yield from self._behind(found)

    def _cells(self, row: etree._Element, found: _Inline, above: list[str]) -> list[str]:
        """The cells of a row in their columns: what is merged with the row above has its text, a wide cell its width."""
        cells = [""] * _number(row, "gridBefore", 0)
        for cell in _outermost(row, "tc"):
            text = self._cell(cell, found)
            merge = next((entry for entry in descendants(cell, "vMerge")), None)
            if not text and merge is not None and attribute(merge, "val") != "restart" and len(cells) < len(above):
                text = above[len(cells)]
            cells += [text, *[""] * (_number(cell, "gridSpan", 1) - 1)]
        return cells

    def _is_layout(self, row: etree._Element) -> bool:
        if any(
            local(getattr(table.getparent(), "tag", "")) != "Fallback" for table in descendants(row, "tbl", "altChunk")
        ):
            return True
        if any(self._styles.of(paragraph).level is not None for paragraph in descendants(row, "p")):
            return True
        return sum(len(text.text or "") for text in descendants(row, "t")) > _LAYOUT_ROW_CHARACTERS

    def _cell(self, cell: etree._Element, found: _Inline) -> str:
        texts = []
        for paragraph in _outermost(cell, "p"):
            ours = found.beside()
            self._gather(paragraph, ours)
            number = self._styles.number(paragraph)
            texts.append(number + ours.text() if ours.text() else "")
        return " ".join(" ".join(texts).split())

    def _gather(self, element: etree._Element, found: _Inline) -> None:
        """The text of an inline element, and the blocks attached to it."""
        for child in element:
            name = local(child.tag)
            if name == "t":
                found.parts.append(child.text or "")
            elif name in _SKIPPED:
                _note_skipped(child, name)
            elif name in _CHARACTERS:
                found.parts.append(_CHARACTERS[name])
            elif name in _NOTES:
                found.notes.append((_NOTES[name], attribute(child, "id")))
            elif name == "sym":
                found.parts.append(_symbol(attribute(child, "char")))
            elif name == "txbxContent":
                found.boxes.append(child)
            elif name in ("relIds", "chart"):
                found.graphics.append(child)
            elif name in _LINKING:
                self._gather_field(child, name, found)
            else:
                if name in ("den", "mr"):  # of a fraction, and of a matrix
                    found.parts.append("/" if name == "den" else " ")
                self._gather_drawn(child, name, found)
                self._gather(_choice(child) if name == "AlternateContent" else child, found)
                if name == "oMathPara":  # a line of its own
                    found.parts.append("\n")

    def _gather_drawn(self, child: etree._Element, name: str, found: _Inline) -> None:
        """What is said of a picture or shape: its description, its tip, and where it leads."""
        if name in ("docPr", "cNvPr"):
            found.pictured += pictured(child)
            found.pictured += links_of_shapes(child, self._package.addresses(self._part))
        elif name in _DRAWN:
            said = [attribute(child, "alt"), attribute(child, "title"), address_behind("", attribute(child, "href"))]
            found.pictured += [" ".join(each.split()).removeprefix("(").removesuffix(")") for each in said]

    def _gather_field(self, child: etree._Element, name: str, found: _Inline) -> None:
        """The text of a link with the address behind it, which is in a relation or in the code of a field."""
        start = len(found.parts)
        if name == "instrText":
            found.code += child.text or ""
        elif name == "fldChar":
            if attribute(child, "fldCharType") == "end":
                if link := _LINK_CODE.match(found.code):
                    found.parts.append(address_behind("".join(found.parts), link.group(1)))
                _note_code(found.code)
            found.code = "" if attribute(child, "fldCharType") != "separate" else found.code
            found.parts.append(_chosen(child))
        elif name == "signatureline":
            names = ("suggestedsigner", "suggestedsigner2", "suggestedsigneremail", "signinginstructions")
            found.pictured.append(", ".join(filter(None, (attribute(child, each) for each in names))))
        elif name == "textpath":
            found.pictured.append(attribute(child, "string"))
        else:
            self._gather(child, found)
            _note_code(attribute(child, "instr"))
            link = _LINK_CODE.match(attribute(child, "instr"))
            address = link.group(1) if link else self._package.addresses(self._part).get(attribute(child, "id"), "")
            words, tip = "".join(found.parts[start:]), " ".join(attribute(child, "tooltip").split())
            if tip and tip not in words:
                found.parts.append(f" ({tip})")
            found.parts.append(address_behind("".join(found.parts[start:]), address))

    def _behind(self, found: _Inline) -> Iterator[Block]:
        for box in found.boxes:
            yield from self._blocks(box, place="text box")
        for text in self._package.drawn(self._part, found.graphics):
            yield Block(text, headings=self._headings(), place="drawing")
        for words in dict.fromkeys(filter(None, found.pictured)):
            yield Block(words, headings=self._headings(), place="picture")
        yield from self._noted(found.notes)

    def _noted(self, notes: list[tuple[str, str]]) -> Iterator[Block]:
        """Notes and comments, each once, where they are first referred to."""
        for kind, identifier in notes:
            note = self._notes.pop((kind, identifier), None)
            if note is not None:
                author = attribute(note, "author")
                place = f"comment by {author}" if kind == "comment" and author else kind
                texts = [block.text for block in self._blocks(note, place=place)]
                if texts:
                    texts[0] = f"{author}: {texts[0]}" if kind == "comment" and author else texts[0]
                    yield Block("\n".join(texts), headings=self._headings(), place=place)

    def _imported(self, element: etree._Element, place: str) -> Iterator[Block]:
        """Read another document that Word includes when it opens this one; programs that write reports do so."""
        from searchkit.ingest.extract.office.docx import imported_blocks

        relation = self._package.relations(self._part).get(attribute(element, "id"))
        if relation and relation.target in self._package.archive:
            for block in imported_blocks(relation.target, self._package.archive.read(relation.target)):
                headings = self._headings() + block.headings
                yield Block(block.text, block.kind, headings, place=place, columns=block.columns)

    def _headings(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._path)


def _is_head(row: etree._Element) -> bool:
    """True if the row is repeated at the top of each page."""
    return next(descendants(row, "tblHeader"), None) is not None


def _number(element: etree._Element, name: str, otherwise: int) -> int:
    """The number that a row or cell gives for one of its properties; a table has at most 63 columns."""
    found = next(descendants(element, name), None)
    value = attribute(found, "val") if found is not None else ""
    return min(int(value), 63) if value.isdigit() else otherwise


def _choice(alternatives: etree._Element) -> etree._Element:
    """The first of several forms of the same thing."""
    return next(iter(alternatives), alternatives)


def _chosen(begin: etree._Element) -> str:
    """The choice of a list in a form of older programs, "" elsewhere."""
    choices = next(descendants(begin, "ddList"), None)
    if choices is None:
        return ""
    entries = [attribute(entry, "val") for entry in descendants(choices, "listEntry")]
    result = next((attribute(entry, "val") for entry in descendants(choices, "result")), "0")
    return entries[int(result)] if result.isdigit() and int(result) < len(entries) else ""


def _note_code(code: str) -> None:
    """Note that a field's code says something that is not shown, such as an entry of an index."""
    plain = _SWITCH.sub("", _LINK_CODE.sub("", code))
    leave_out("field codes", int(_SAID_IN_CODE.search(plain) is not None))


def _note_skipped(element: etree._Element, name: str) -> None:
    if name in _NOTED and any(element.itertext()):
        leave_out(_NOTED[name])


def _outermost(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Elements of a kind, also those in content controls, not those inside another one or another table."""
    for child in element:
        name = local(child.tag)
        if name == tag:
            yield child
        elif name not in _SKIPPED:
            yield from _outermost(child, tag)


def _symbol(code: str) -> str:
    """A character given by its code; those of symbol fonts mean nothing without the font."""
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    return "" if 0xE000 <= number <= 0xF8FF or number > 0x10FFFF else chr(number)


_FORMATS = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".mht": "mail",
    ".mhtml": "mail",
    ".txt": "text",
    ".rtf": "rtf",
    ".docx": "docx",
}


def imported_blocks(name: str, content: bytes) -> Iterable[Block]:
    """Read the blocks of a part that is itself a document. Raises UnreadableFileError for an unsupported kind."""
    format_name = _FORMATS.get(posixpath.splitext(name)[1].lower())
    if format_name is None:
        raise UnreadableFileError(
            f"its text is in an embedded file that is not read ({name})", remedy="open it in Word and save it again"
        )
    return extract(format_name, content).blocks
