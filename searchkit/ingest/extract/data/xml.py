"""Reads XML data: the text of elements and attributes in order, under the names of the elements around them.

No entity is expanded and nothing is fetched: references stay as they are written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from searchkit.ingest.extract.text import paragraph_stream
from searchkit.types import Block, BlockKind

_BLOCK_CHARACTERS = 600
_MOST_HEADINGS = 6
_OF_DRAWINGS = frozenset("title alt aria-label label desc href".split())
_OF_PROGRAMS = ("style", "script")
# A picture as text. Nothing is tried again with less, which would take ages where something else follows.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{40,}+[ ]?){4,}+[A-Za-z0-9+/]*+={0,2}|[A-Za-z0-9+/]{160,}+={0,2}")
_FED = 1 << 16  # bytes at once


def xml_blocks(text: str) -> Iterator[Block]:
    """Read blocks of lines such as "title lang=en: Boilers". After an error, the rest is read as plain text."""
    content = text.encode("utf-8", "replace")
    reader = _Reader()
    try:
        for start in range(0, len(content), _FED):
            reader.parser.Parse(content[start : start + _FED], start + _FED >= len(content))
            yield from reader.taken()
    except expat.ExpatError:
        reader.finish()
        yield from reader.taken()
        at, line = reader.parser.ErrorByteIndex, reader.parser.ErrorLineNumber
        yield from paragraph_stream(content[max(at, 0) :].decode("utf-8", "replace"), line, BlockKind.TABLE)
        return
    reader.finish()
    yield from reader.taken()


@dataclass(slots=True)
class _Element:
    name: str
    is_inline: bool


@dataclass(slots=True)
class _Line:
    """A line that is being collected: "name attributes: text"."""

    label: str = ""
    words: list[str] = field(default_factory=list)
    first: int = 0

    def text(self) -> str:
        words = " ".join("".join(self.words).split())
        if _BASE64.fullmatch(words):
            return ""
        return f"{self.label}: {words}" if self.label and words else self.label or words


class _Reader:
    """Handles the parser's events; finished blocks wait until they are taken."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.CommentHandler = self._comment
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._declaration
        self.parser.DefaultHandler = self._other  # with a handler, entities stay as they are
        self._path: list[_Element] = []
        self._line = _Line()
        self._lines: list[str] = []
        self._size = self._first = self._last = 0
        self._headings: tuple[str, ...] = ()
        self._ready: list[Block] = []
        self._is_drawing = False

    def _is_shown(self, key: str, value: str) -> bool:
        """True for an attribute with something to read: of a drawing, those that name and describe its parts."""
        if key.startswith("xmlns") or value.startswith("data:"):
            return False
        return not self._is_drawing or key.rpartition(":")[2] in _OF_DRAWINGS

    def taken(self) -> list[Block]:
        """Take the finished blocks."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> None:
        """Make a block of the remaining lines."""
        self._end_line()
        self._end_block()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._is_drawing = self._is_drawing or local == "svg"
        shown = " ".join(f"{key}={value}" for key, value in attributes.items() if self._is_shown(key, value))
        # An element inside a sentence continues it.
        is_inline = any(part.strip() for part in self._line.words)
        if is_inline:
            self._line.words.append(f" [{shown}] " if shown else "")
        else:
            self._end_line()
            self._line = _Line(f"{local} {shown}".strip() if shown else local, first=self.parser.CurrentLineNumber)
        self._path.append(_Element(local, is_inline))

    def _end(self, _name: str) -> None:
        if not self._path[-1].is_inline:
            self._end_line()
        self._path.pop()

    def _data(self, text: str) -> None:
        if not self._line.first:
            self._line.first = self.parser.CurrentLineNumber
        self._line.words.append(text)

    def _comment(self, text: str) -> None:
        self._line.words.append(f" {text} ")
        self._line.first = self._line.first or self.parser.CurrentLineNumber

    def _declaration(self, *_about: object) -> None:
        """Ignore the declaration, which has no text of its own."""

    def _other(self, text: str) -> None:
        if text.startswith("&"):
            self._data(text)

    def _end_line(self) -> None:
        text = "" if self._is_drawing and self._line.label in _OF_PROGRAMS else self._line.text()
        has_words = any(part.strip() for part in self._line.words)
        if text and (has_words or "=" in self._line.label):
            if self._size and self._size + len(text) > _BLOCK_CHARACTERS:
                self._end_block()
            if not self._lines:
                self._first = self._line.first
                self._headings = tuple(
                    element.name for element in self._path[: min(len(self._path) - 1, _MOST_HEADINGS)]
                )
            self._lines.append(text)
            self._size += len(text) + 1
            self._last = self.parser.CurrentLineNumber
        self._line = _Line()

    def _end_block(self) -> None:
        if self._lines:
            text = "\n".join(self._lines)
            self._ready.append(Block(text, BlockKind.TABLE, self._headings, line=self._first, line_end=self._last))
        self._lines, self._size = [], 0
