"""Reads Org: headings by their stars, with state and tags as written; drawers and blocks in their source form."""

import re
from collections.abc import Callable, Iterator

from searchkit.ingest.extract.data.table import bar_cells, column_names
from searchkit.ingest.extract.markup.frontmatter import iso_date
from searchkit.ingest.extract.text import cut_block, decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_HEADING = re.compile(r"(\*+)[ \t]+(\S.*)$")
_STATE = re.compile(
    r"(?:(?:TODO|DONE|NEXT|WAIT(?:ING)?|STARTED|HOLD|CANCELL?ED|SOMEDAY|PROJ)[ \t]+)?(?:\[#[A-Z0-9]\][ \t]+)?"
)
_TAGS = re.compile(r"[ \t]+(:[\w@#%:]+:)[ \t]*$")
_KEYWORD = re.compile(
    r"#\+(title|subtitle|author|date|language|keywords|description|email|filetags|category):[ \t]*(.*)$", re.I
)
_BEGIN = re.compile(r"[ \t]*#\+begin_(\S+)", re.IGNORECASE)
_CODE = frozenset(("src", "example", "export"))
_DRAWER = re.compile(r"[ \t]*:[\w-]+:[ \t]*$")
_DRAWER_END = re.compile(r"[ \t]*:END:[ \t]*$", re.IGNORECASE)
_FIXED = re.compile(r"[ \t]*:(?:[ \t]|$)")
_TIMESTAMP = re.compile(r"[<\[](\d{4}-\d\d-\d\d)(?:[ \t]+[^\W\d]+\.?)?(?:[ \t]+(\d?\d:\d\d))?[^>\]]*[>\]]$")
_MOST_NAMING = 3  # rows above a table's first rule that are its head
_LONGEST_DRAWER = 2000  # lines in which a drawer or block must end to be one


def extract_org(content: bytes) -> ExtractedDocument:
    """Read blocks under their headings; #+TITLE and the like are title and metadata.

    A heading's path has its name without state and tags; its block is the line as written.
    """
    reader = _Reader(decode_text(content).split("\n"))
    blocks = tuple(reader.blocks())
    title = reader.metadata.get("title", "") or reader.first_heading
    return ExtractedDocument(title, blocks, reader.metadata)


class _Reader:
    """Reads the lines in order, and keeps the path of headings."""

    def __init__(self, lines: list[str]) -> None:
        self.metadata: dict[str, str] = {}
        self.first_heading = ""
        self._lines = lines
        self._path: list[tuple[int, str]] = []

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            if not line.strip() or self._take_keyword(line):
                at += 1
            elif heading := _HEADING.match(line):
                yield self._heading(at, len(heading.group(1)), heading.group(2))
                at += 1
            else:
                end, kind = self._extent(at)
                yield from self._cut(at, end, kind)
                at = end

    def _take_keyword(self, line: str) -> bool:
        """Read a line of metadata; repeated names are joined. Return False for another line."""
        found = _KEYWORD.match(line)
        if not found:
            return False
        name, value = found.group(1).lower(), found.group(2).strip()
        if name == "filetags":
            name, value = "tags", ", ".join(tag for tag in re.split(r"[:\s]+", value) if tag)
        known = self.metadata.get(name, "")
        joined = (" " if name == "title" else ", ").join(part for part in (known, _date(value)) if part)
        self.metadata[name] = joined
        return True

    def _heading(self, at: int, level: int, words: str) -> Block:
        name = _TAGS.sub("", words[_state_length(words) :]).strip() or words.strip()
        self.first_heading = self.first_heading or (name if level == 1 else "")
        self._path = [(above, known) for above, known in self._path if above < level] + [(level, name)]
        kind = BlockKind.HEADING if name == words.strip() else BlockKind.PARAGRAPH
        return Block(words.strip(), kind, self._headings(), line=at + 1, line_end=at + 1)

    def _extent(self, at: int) -> tuple[int, BlockKind]:
        """The end and the kind of the element that begins at a line."""
        line = self._lines[at]
        if begin := _BEGIN.match(line):
            closing = re.compile(rf"[ \t]*#\+end_{re.escape(begin.group(1))}[ \t]*$", re.IGNORECASE)
            if end := self._closed(at, closing):
                return end, BlockKind.CODE if begin.group(1).lower() in _CODE else BlockKind.PARAGRAPH
        if _DRAWER.match(line) and (end := self._closed(at, _DRAWER_END)):
            return end, BlockKind.TABLE
        if _FIXED.match(line):
            return self._while(at, lambda text: bool(_FIXED.match(text))), BlockKind.CODE
        if line.lstrip().startswith("|"):
            return self._while(at, lambda text: text.lstrip().startswith(("|", "#+TBLFM", "#+tblfm"))), BlockKind.TABLE
        return self._while(at, self._goes_on), BlockKind.PARAGRAPH

    def _closed(self, at: int, closing: re.Pattern[str]) -> int:
        """The line after the closing one, 0 if there is none before the next heading."""
        for number in range(at + 1, min(at + _LONGEST_DRAWER, len(self._lines))):
            if closing.match(self._lines[number]):
                return number + 1
            if _HEADING.match(self._lines[number]):
                return 0
        return 0

    def _while(self, at: int, belongs: Callable[[str], bool]) -> int:
        end = at + 1
        while end < len(self._lines) and belongs(self._lines[end]):
            end += 1
        return end

    @staticmethod
    def _goes_on(line: str) -> bool:
        """True if a line belongs to the paragraph before it."""
        begins = _HEADING.match(line) or _BEGIN.match(line) or _KEYWORD.match(line) or _DRAWER.match(line)
        return bool(line.strip()) and not begins and not line.lstrip().startswith("|")

    def _cut(self, at: int, end: int, kind: BlockKind) -> Iterator[Block]:
        lines = self._lines[at:end]
        columns = _column_names(lines) if kind is BlockKind.TABLE and lines[0].lstrip().startswith("|") else ""
        return cut_block(Block("\n".join(lines).rstrip(), kind, self._headings(), line=at + 1, columns=columns))

    def _headings(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._path)


def _column_names(lines: list[str]) -> str:
    """The names above the first rule of a table, or in its first row."""
    rules = [number for number, line in enumerate(lines) if line.lstrip().startswith("|-")]
    rows = [
        bar_cells(line) for number, line in enumerate(lines) if number not in rules and line.lstrip().startswith("|")
    ]
    first = next((rule for rule in rules if rule), 0)  # a rule above the names is a border
    marked = first - (rules[0] == 0) if first else 0
    return column_names(rows, marked if marked <= _MOST_NAMING else 0)


def _state_length(words: str) -> int:
    found = _STATE.match(words)
    return found.end() if found else 0


def _date(value: str) -> str:
    """Turn a timestamp into ISO 8601; leave other words as they are."""
    if found := _TIMESTAMP.match(value):
        return iso_date(" ".join(part for part in found.groups() if part))
    return iso_date(value)
