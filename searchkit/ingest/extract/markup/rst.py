"""Reads reStructuredText: sections by their underlines, code directives as code; everything in its source form.

Nothing is executed or included: a directive is ordinary text.
"""

import csv
import re
from collections.abc import Generator, Iterator

from searchkit.ingest.extract.data.table import bar_cells, column_names
from searchkit.ingest.extract.markup.frontmatter import iso_date
from searchkit.ingest.extract.text import cut_block, decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*")
_CODE = re.compile(
    r"\.\. +(?:code|code-block|sourcecode|literalinclude|parsed-literal|ipython|doctest|testcode|math|raw)::"
)
_DIRECTIVE = re.compile(r"\.\. ")
_TABLE = re.compile(r"\+[-=+]+\+|={2,}(?: +={2,})+[ \t]*$|\.\. +(?:csv-table|list-table|table)::")
_FIELD = re.compile(r":((?![: ])(?:[^:\\\n]|:(?!\s))+?):(?:[ \t]+(.*))?$")
_LEAST_ADORNMENT = 3  # characters, where a title is shorter than its line; two would be an ellipsis


def extract_rst(content: bytes) -> ExtractedDocument:
    """Read blocks under their sections. The title is that of the first section.

    A field list at the top is metadata.
    """
    lines = decode_text(content).split("\n")
    reader = _Reader(lines)
    blocks = tuple(reader.blocks())
    return ExtractedDocument(reader.title, blocks, reader.metadata)


class _Reader:
    """Reads the lines in order. `_styles`: the adornments met so far, outermost first, as docutils ranks them."""

    def __init__(self, lines: list[str]) -> None:
        self.title = ""
        self.metadata: dict[str, str] = {}
        self._lines = lines
        self._styles: list[str] = []
        self._path: list[str] = []
        self._is_literal = False  # the previous paragraph ended in ::
        self._has_text = False

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < len(self._lines):
            if not self._lines[at].strip():
                at += 1
            elif heading := self._heading(at):
                at = yield from self._section(at, *heading)
            elif not self._has_text and not self.metadata and (end := self._fields(at)):
                at = end
            else:
                at = yield from self._body(at)

    def _heading(self, at: int) -> tuple[str, str, int] | None:
        """The name, its adornment and the line after it, if a section begins here."""
        line, after = self._lines[at], self._line(at + 1)
        if _ADORNMENT.fullmatch(line) and after.strip() and self._line(at + 2).rstrip() == line.rstrip():
            if len(line.rstrip()) >= min(len(after.strip()), _LEAST_ADORNMENT):
                return after.strip(), line[0] * 2, at + 3
        elif line[:1].strip() and _ADORNMENT.fullmatch(after) and not _ADORNMENT.fullmatch(line):
            is_long = len(after.rstrip()) >= min(len(line.rstrip()), _LEAST_ADORNMENT)
            return (line.strip(), after[0], at + 2) if is_long else None
        return None

    def _section(self, at: int, name: str, style: str, end: int) -> Generator[Block, None, int]:
        if style not in self._styles:
            self._styles.append(style)
        level = self._styles.index(style)
        # A skipped level has no name.
        self._path = [*self._path[:level], *[""] * (level - len(self._path)), name]
        self.title = self.title or name
        self._is_literal, self._has_text = False, True
        yield Block(name, BlockKind.HEADING, self._headings(), line=at + 1, line_end=end)
        return end

    def _body(self, at: int) -> Generator[Block, None, int]:
        """Read a paragraph, or a directive with everything indented under it."""
        first = self._lines[at]
        is_literal = self._is_literal and (first[:1].isspace() or first[:1] in ">|")
        if is_literal:
            end, kind = self._indented(at), BlockKind.CODE
        elif _CODE.match(first):
            end, kind = self._indented(at + 1), BlockKind.CODE
        elif _TABLE.match(first) and first.startswith("="):
            end, kind = self._simple_table(at), BlockKind.TABLE
        elif _TABLE.match(first):
            end, kind = (self._indented(at + 1) if first.startswith("..") else self._paragraph(at)), BlockKind.TABLE
        elif _DIRECTIVE.match(first):
            end, kind = self._paragraph(at), BlockKind.PARAGRAPH
        else:
            end, kind = self._paragraph(at), BlockKind.CODE if first.startswith(">>> ") else BlockKind.PARAGRAPH
        last = self._lines[end - 1].rstrip()
        self._is_literal = not is_literal and last.endswith("::") and not _DIRECTIVE.match(first)
        self._has_text = True
        yield from self._cut(at, end, kind)
        return end

    def _cut(self, at: int, end: int, kind: BlockKind) -> Iterator[Block]:
        lines = self._lines[at:end]
        columns = _column_names(lines) if kind is BlockKind.TABLE else ""
        return cut_block(Block("\n".join(lines).rstrip(), kind, self._headings(), line=at + 1, columns=columns))

    def _fields(self, at: int) -> int:
        """Read a field list at the top; return the line after it, 0 if none begins here."""
        end = at
        while found := _FIELD.match(self._line(end)):
            name, words = found.group(1).strip().lower(), [found.group(2) or ""]
            end += 1
            while self._line(end)[:1] in (" ", "\t") and self._line(end).strip():
                words.append(self._line(end))
                end += 1
            value = iso_date(" ".join(" ".join(words).split()))
            self.metadata[name] = ", ".join(part for part in (self.metadata.get(name, ""), value) if part)
        return end if end > at else 0

    def _paragraph(self, at: int) -> int:
        """The line after the last one that is not blank; a section's title is not part of the text before it."""
        end = at + 1
        while self._line(end).strip() and not (self._lines[end][:1].strip() and self._is_overlined(end)):
            end += 1
        return end

    def _is_overlined(self, at: int) -> bool:
        heading = self._heading(at)
        return heading is not None and len(heading[1]) == 2 and self._line(at).rstrip() != self._line(at - 1).rstrip()

    def _indented(self, at: int) -> int:
        """The line after an indented stretch and the blank lines inside it."""
        end = at
        for number in range(at, len(self._lines)):
            line = self._lines[number]
            if line.strip() and not line[:1].isspace() and not (number == at and line[:1] in ">|"):
                break
            if line.strip():
                end = number + 1
        return max(end, at)

    def _simple_table(self, at: int) -> int:
        """The line after a table between lines of = signs, whose rows may be separated by blank lines."""
        end = self._paragraph(at)
        borders = [number for number in range(at, end) if self._lines[number].startswith("==")]
        return end if len(borders) >= 3 else self._border_ahead(end) or end

    def _border_ahead(self, at: int) -> int:
        """The line after a border that ends a table within the next lines before a blank line outside it."""
        for number in range(at, min(at + 200, len(self._lines))):
            if _TABLE.match(self._lines[number]) and self._lines[number].startswith("=="):
                return number + 1 if not self._line(number + 1).strip() else 0
        return 0

    def _headings(self) -> tuple[str, ...]:
        return tuple(name for name in self._path if name)

    def _line(self, at: int) -> str:
        return self._lines[at] if at < len(self._lines) else ""


def _column_names(lines: list[str]) -> str:
    """The names at the head of a table in any of the notations, "" if it has none."""
    body = [line for line in lines if not line.startswith(".. ")]
    body = [line[len(line) - len(line.lstrip()) :] for line in body] if len(body) < len(lines) else lines
    options = {found.group(1): found.group(2) or "" for line in body if (found := _FIELD.match(line))}
    if said := options.get("header"):
        return column_names([next(csv.reader([said], skipinitialspace=True)), [""]], 1)
    if lines[0].startswith(".. list-table"):
        return _list_names(body, options.get("header-rows", "0"))
    borders = [number for number, line in enumerate(body) if line.startswith(("+-", "+=", "=="))]
    if len(borders) < 2:
        return ""
    first, second = borders[:2]
    if body[first].startswith("=="):
        head, marked = body[first + 1 : second], 1 if len(borders) > 2 else 0
        spans = [found.span() for found in re.finditer(r"=+", body[first])]
        cells = [[line[start : end if end < spans[-1][1] else None].strip() for start, end in spans] for line in head]
    else:
        marked = int(body[second].startswith("+="))
        cells = [bar_cells(line) for line in body[first + 1 : second]]
    width = max(map(len, cells), default=0)
    names = [" ".join(row[column] for row in cells if column < len(row)).strip() for column in range(width)]
    return column_names([names, [""]], marked) if marked or len(cells) == 1 else ""


def _list_names(lines: list[str], rows: str) -> str:
    """The names in a table that is written as a list of lists."""
    cells: list[list[str]] = []
    for line in lines:
        if line.startswith("* -"):
            cells.append([])
        if cells and line.startswith(("* -", "- ")):
            cells[-1].append(line.removeprefix("* ").removeprefix("-").strip())
    return column_names(cells, int(rows) if rows.isdigit() else 0)
