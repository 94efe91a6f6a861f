"""Reads RTF: paragraphs, headings, tables and notes from control words; characters by code page or Unicode escape."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.data.table import column_names, joined_cells
from searchkit.ingest.extract.office.rtf_tokens import Token, codec, font_codec, tokens
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import address_behind
from searchkit.types import Block, BlockKind, ExtractedDocument

_CHARACTERS = {
    "tab": " ", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "~": " ", "_": "\u2011", "-": "",
    ":": "", "|": "",
}  # fmt: skip
_IGNORED = frozenset(
    "colortbl objdata objclass themedata colorschememapping datastore latentstyles listtable listoverridetable list listlevel"
    " leveltext levelnumbers listname listoverride lfolevel rsidtbl"
    " generator xmlnstbl filetbl revtbl bkmkstart bkmkend nonshppict tc tcn xe rxe mmathPr listpicture"
    " atnid atntime atnref atndate atnparent atrfstart atrfend ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn"
    " template pgptbl passwordhash mhtmltag pnseclvl docvar formfield ffname"
    " fontemb fontfile private wgrffmtfilter shprslt".split()
)
_LINK_CODE = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_SHAPE_TEXTS = ("wzDescription", "gtextUNICODE")  # properties: what describes a picture, and drawn letters
_CAPTURED = ("fldinst", "sn", "sv", "atnauthor", "userprops", "propname", "staticval")
_READ_THOUGH_MARKED = frozenset("shpinst annotation shppict pntext nesttableprops do moMath moMathPara".split())
_LAYOUT_OF_FORMULAS = re.compile(r"m[A-Za-z]+Pr")
_UNREAD = ("ignored", "pict")  # the latter has only its description, deeper in it
_APART = {
    "footnote": "footnote",
    "annotation": "comment",
    "shptxt": "text box",
    "dptxbxtext": "text box",
} | {f"{kind}{pages}": kind for kind in ("header", "footer") for pages in ("", "l", "r", "f")}
_INFO = {"title": "title", "author": "author", "subject": "subject", "keywords": "tags", "doccomm": "description"}
_INFO |= {"company": "company", "category": "category", "manager": "manager"}
_PARTS_OF_DATE = ("yr", "mo", "dy", "hr", "min")
_HEADING_STYLES = ("heading ", "überschrift ", "titre ", "título ", "titolo ", "kop ", "rubrik ")
_OLD_CODECS = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_MAX_DEPTH = 10_000  # of groups; programs write some dozens
_BODY_TEXT = 9  # the outline level of ordinary text
_AGAIN = "give it the suffix that fits its content, or save it again"
_RTF = b"{\\rtf"
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class _Text:
    """Paragraphs that are being collected: the document's, or those of a note or header, which is read separately."""

    place: str = ""
    depth: int = 0  # of the group it ends with
    parts: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    marked: int = 0  # rows that are the table's head
    behind: list[Block] = field(default_factory=list)  # notes and the like on the paragraph
    behind_rows: list[Block] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Field:
    """A field: the depth of its group, its code, and the part of the text with which its result begins."""

    depth: int
    start: int
    code: str = ""


@dataclass(slots=True)
class _Row:
    """What is said of a row before it ends: that it is part of the head, and which cells are merged with those above."""

    is_head: bool = False
    merges: bool = False
    merged: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """The properties that apply up to the closing brace."""

    codec: str
    destination: str = ""  # "" for text, "ignored", or the name of a group with another use
    unicode_skip: int = 1
    deleted: bool = False
    starts: bool = True  # no control word has been read yet


def extract_rtf(content: bytes) -> ExtractedDocument:
    """Read blocks in the document's order; the title is the info group's.

    Raises UnreadableFileError for a file that is not RTF.
    """
    beginning = content[:64].lstrip(b"\xef\xbb\xbf \r\n\t\0")
    if not beginning.startswith(_RTF):
        reason = "not rich text: it has another beginning" if content.strip() else "an empty file, not rich text"
        raise UnreadableFileError(reason, remedy=_AGAIN)
    reader = _Reader()
    blocks = tuple(reader.read(content))
    return ExtractedDocument(reader.info.pop("title", ""), blocks, reader.metadata())


class _Reader:
    """Reads the tokens, and keeps the current state: groups, paragraph properties, headings."""

    def __init__(self) -> None:
        self.info: dict[str, str] = {}
        self._date: dict[str, int] = {}
        self._groups = [_Group("cp1252")]
        self._texts = [_Text()]
        self._path: list[tuple[int, str]] = []
        self._raw = bytearray()  # bytes in the group's code page
        self._skip = 0  # characters after a Unicode escape, for programs that do not know it
        self._fonts: dict[int, str] = {}
        self._font, self._default_font, self._default_codec = 0, 0, "cp1252"
        self._style_levels: dict[int, int] = {}
        self._style: int | None = None
        self._outline: int | None = None
        self._in_table = False
        self._fields: list[_Field] = []
        self._row = _Row()
        self._shape_property = ""
        self._own_property = ""
        self._author = ""  # of the comment that comes next
        self._done: list[Block] = []
        self._said: set[str] = set()

    def read(self, content: bytes) -> Iterator[Block]:
        """Read the document's blocks; headers and footers come last, each once."""
        running: list[Block] = []
        for token in tokens(content):
            self._token(token)
            if self._done:
                running += [block for block in self._done if block.place in ("header", "footer")]
                yield from (block for block in self._done if block.place not in ("header", "footer"))
                self._done = []
        while len(self._texts) > 1:  # truncated inside a note
            self._end_apart()
        self._end_paragraph()
        self._end_table()
        self._done += self._texts[-1].behind
        yield from (block for block in self._done if block.place not in ("header", "footer"))
        yield from running

    def metadata(self) -> dict[str, str]:
        """The metadata of the info group, without the title."""
        if len(self._date) >= 3 and all(self._date.get(part, 0) > 0 for part in ("yr", "mo", "dy")):
            year, month, day, hour, minute = (self._date.get(part, 0) for part in _PARTS_OF_DATE)
            self.info["date"] = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}"
        return {name: " ".join(value.split()) for name, value in self.info.items()}

    def _token(self, token: Token) -> None:
        kind, word, number = token
        if kind == "text":
            self._literal(word)
        elif kind == "byte":
            self._literal(bytes((number or 0,)))
        elif kind == "{":
            self._flush()
            if len(self._groups) > _MAX_DEPTH:
                raise UnreadableFileError("rich text nested too deeply to be read", remedy=_AGAIN)
            above = self._groups[-1]
            self._groups.append(_Group(above.codec, above.destination, above.unicode_skip, above.deleted))
        elif kind == "}":
            self._close()
        else:
            self._control(word.decode("latin-1"), number)

    def _close(self) -> None:
        self._flush()
        self._skip = 0
        if self._fields and len(self._groups) == self._fields[-1].depth:
            self._end_field(self._fields.pop())
        if len(self._groups) > 1:
            self._groups.pop()
        if len(self._texts) > 1 and len(self._groups) < self._texts[-1].depth:
            self._end_apart()

    def _literal(self, data: bytes) -> None:
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._groups[-1].destination not in _UNREAD:
            self._raw += data

    def _flush(self) -> None:
        """Add the bytes read so far to the group's destination as text."""
        if self._raw:
            text = self._raw.decode(self._groups[-1].codec, "replace")
            self._raw.clear()
            self._put(text)

    def _put(self, text: str) -> None:
        group = self._groups[-1]
        if group.destination == "":
            if group.deleted:
                leave_out("tracked deletions", int(not text.isspace()))
            else:
                self._texts[-1].parts.append(text)
        elif group.destination in _INFO:
            name = _INFO[group.destination]
            self.info[name] = self.info.get(name, "") + text
        elif group.destination == "stylesheet":
            self._name_style(text)
        elif group.destination == "fldinst" and self._fields:
            self._fields[-1].code += text
        elif group.destination in _CAPTURED:
            self._put_aside(text, group.destination)

    def _put_aside(self, text: str, destination: str) -> None:
        """Keep a name for what follows it, or use what follows one."""
        if destination == "sn":
            self._shape_property = text
        elif destination == "sv" and self._shape_property in _SHAPE_TEXTS and text.strip():
            self._texts[-1].behind.append(Block(" ".join(text.split()), headings=self._headings(), place="picture"))
        elif destination == "propname":
            self._own_property = text.strip().lower()
        elif destination == "staticval" and self._own_property:
            self.info[self._own_property] = self.info.get(self._own_property, "") + text
        elif destination == "atnauthor":
            self._author += text

    def _end_field(self, ended: _Field) -> None:
        if link := _LINK_CODE.match(ended.code):
            parts = self._texts[-1].parts
            self._put(address_behind("".join(parts[ended.start :]), link.group(1)))

    def _control(self, word: str, number: int | None) -> None:
        if word == "u":
            self._flush()
            self._skip = self._groups[-1].unicode_skip
            self._put(chr((number or 0) % 65536))
            return
        if self._skip and word != "*":
            self._skip -= 1
            if word in _CHARACTERS:
                return
        self._flush()
        group = self._groups[-1]
        starts, group.starts = group.starts, word == "*" and group.starts
        if word == "*":
            group.destination = group.destination or "marked"
        elif group.destination == "marked":
            group.destination = "" if word in _READ_THOUGH_MARKED or word in _CAPTURED else "ignored"
            self._destination(word, group)
        elif not (starts and self._destination(word, group)):
            self._plain_control(word, number, group)

    def _destination(self, word: str, group: _Group) -> bool:
        """Handle the first word of a group; return True if it makes the group something other than surrounding text."""
        if group.destination == "ignored":
            return True
        if word == "mden" and group.destination == "":  # what is below the line of a fraction
            self._put("/")
            return False
        if word in _APART and group.destination == "":
            self._texts.append(_Text(_APART[word], len(self._groups)))
        elif word == "upr":  # the text twice: in the code page, and below in Unicode
            group.destination = word
        elif word == "ud" and group.destination == "upr":
            group.destination = ""
        elif word == "field":
            self._fields.append(_Field(len(self._groups), len(self._texts[-1].parts)))
        elif word in ("fonttbl", "stylesheet", "info", "creatim", "pict", *_CAPTURED):
            group.destination = word
        elif group.destination == "info":
            group.destination = word if word in _INFO else "ignored"
        elif word in _IGNORED or _LAYOUT_OF_FORMULAS.fullmatch(word):
            group.destination = "ignored"
        else:
            return False
        return True

    def _plain_control(self, word: str, number: int | None, group: _Group) -> None:
        readers = {"fonttbl": self._font_property, "stylesheet": self._style_property, "creatim": self._date_property}
        if reader := readers.get(group.destination):
            reader(word, number)
        elif word in _CHARACTERS:
            self._put(_CHARACTERS[word])
        elif self._character_property(word, number, group) or group.destination:
            return
        elif word in _ACTIONS:
            _ACTIONS[word](self)
        elif word == "s":
            self._style = number
        elif word == "outlinelevel":
            self._outline = number
        elif word == "intbl":
            self._in_table = number != 0
        elif word == "trhdr":
            self._row.is_head = True
        elif word == "clvmrg":
            self._row.merges = True
        elif word == "cellx":
            self._row.merged.append(self._row.merges)
            self._row.merges = False

    def _character_property(self, word: str, number: int | None, group: _Group) -> bool:
        """Handle a word about the encoding of characters, for all groups; return True if it was one."""
        if word == "uc":
            group.unicode_skip = number if number is not None else 1
        elif word == "ansicpg":
            self._default_codec = group.codec = codec(number or 1252)
        elif word in _OLD_CODECS:
            self._default_codec = group.codec = _OLD_CODECS[word]
        elif word == "deff":
            self._default_font = number or 0
        elif word == "f":
            group.codec = self._fonts.get(number or 0, self._default_codec)
        elif word == "plain":
            group.codec = self._fonts.get(self._default_font, self._default_codec)
            group.deleted = False
        elif word == "deleted":
            group.deleted = number != 0
        else:
            return False
        return True

    def _date_property(self, word: str, number: int | None) -> None:
        if word in _PARTS_OF_DATE and number is not None:
            self._date[word] = number

    def _font_property(self, word: str, number: int | None) -> None:
        if word == "f":
            self._font = number or 0
        elif word == "fcharset" and (name := font_codec(number or 0)):
            self._fonts[self._font] = name
        elif word == "cpg" and number:
            self._fonts[self._font] = codec(number)

    def _style_property(self, word: str, number: int | None) -> None:
        if word == "s":
            self._style = number
        elif word == "outlinelevel" and number is not None and self._style is not None:
            self._style_levels[self._style] = number

    def _name_style(self, name: str) -> None:
        """Store a style that is a heading by its name."""
        lower = name.strip(" ;").lower()
        for beginning in _HEADING_STYLES:
            level = lower.removeprefix(beginning)
            if level != lower and level.isdigit() and self._style is not None:
                self._style_levels.setdefault(self._style, int(level) - 1)
        self._style = None

    def begin_row(self) -> None:
        """Begin a row's definition, which stands before its cells, and often again behind them."""
        self._row = _Row()

    def reset_paragraph(self) -> None:
        """Reset the paragraph's properties."""
        self._style, self._outline, self._in_table = None, None, False

    def end_paragraph(self) -> None:
        """End a paragraph; in a table it only divides one cell's text."""
        if self._in_table and not self._texts[-1].place:
            self._texts[-1].parts.append(" ")
        else:
            self._end_paragraph()

    def end_cell(self) -> None:
        """End a cell."""
        text = self._texts[-1]
        text.cells.append(" ".join(_whole(text.parts).split()))
        text.parts = []

    def end_row(self) -> None:
        """End a row. Text after the last cell's end belongs to the next row."""
        text = self._texts[-1]
        cells, text.cells = text.cells, []
        above = text.rows[-1] if text.rows else []
        for column, (merged, said) in enumerate(zip(self._row.merged, above, strict=False)):
            if merged and column < len(cells) and not cells[column]:
                cells[column] = said
        if any(cells):
            text.marked += self._row.is_head and text.marked == len(text.rows)
            text.rows.append(cells)
        text.behind_rows += text.behind
        text.behind = []

    def _end_paragraph(self) -> None:
        text = self._texts[-1]
        words = "\n".join(line.strip() for line in _whole(text.parts).split("\n")).strip()
        text.parts = []
        if text.cells:  # the row was never ended
            words = joined_cells([*text.cells, words])
            text.cells = []
        if text.place:
            rows = list(map(joined_cells, text.rows))
            text.paragraphs += [*rows, words] if words else rows
            text.rows = []
        elif words:
            self._end_table()
            self._emit(words)

    def _end_table(self) -> None:
        text = self._texts[-1]
        if text.rows:
            lines, names = "\n".join(map(joined_cells, text.rows)), column_names(text.rows, text.marked)
            self._done.append(Block(lines, BlockKind.TABLE, self._headings(), columns=names))
            text.rows, text.marked = [], 0
        self._done += text.behind_rows
        text.behind_rows = []

    def _emit(self, words: str) -> None:
        level = self._outline if self._outline is not None else self._style_levels.get(self._style or 0)
        if level is not None and 0 <= level < _BODY_TEXT:
            words = " ".join(words.split())
            self._path = [(above, name) for above, name in self._path if above < level]
            self._path.append((level, words))
            self._done.append(Block(words, BlockKind.HEADING, self._headings()))
        else:
            self._done.append(Block(words, headings=self._headings()))
        self._done += self._texts[-1].behind
        self._texts[-1].behind = []

    def _end_apart(self) -> None:
        """End a note, comment, text box, header or footer, which is read after the paragraph that it is attached to."""
        self._end_paragraph()
        text = self._texts.pop()
        words = "\n".join(text.paragraphs)
        if text.place in ("header", "footer"):
            if words and words not in self._said:
                self._said.add(words)
                self._done.append(Block(words, place=text.place))
        elif words:
            author, self._author = (self._author.strip(), "") if text.place == "comment" else ("", self._author)
            said = f"{author}: {words}" if author else words
            self._texts[-1].behind.append(Block(said, headings=self._headings(), place=text.place))
        self._texts[-1].behind += text.behind_rows + text.behind

    def _headings(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._path)


_ACTIONS: dict[str, Callable[[_Reader], None]] = {
    "pard": _Reader.reset_paragraph,
    "trowd": _Reader.begin_row,
    "par": _Reader.end_paragraph,
    "sect": _Reader.end_paragraph,
    "page": _Reader.end_paragraph,
    "cell": _Reader.end_cell,
    "nestcell": _Reader.end_cell,
    "row": _Reader.end_row,
    "nestrow": _Reader.end_row,
}


def _whole(parts: list[str]) -> str:
    """Join parts to one text; characters beyond 16 bits come as two."""
    text = "".join(parts)
    if _HALF.search(text):
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
