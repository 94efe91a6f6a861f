"""Reads what Office wrote until 2003: .doc, .ppt, .xls (and .xlsb).

It needs the extra [office-legacy]. Layouts: [MS-DOC] and [MS-PPT], of which only the text is read.
"""

import datetime
import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from searchkit.display.installation import Installation
from searchkit.errors import UnreadableFileError
from searchkit.formats import reads_old_office
from searchkit.ingest.extract import charset
from searchkit.ingest.extract.archive import damaged, locked
from searchkit.ingest.extract.office.sheets import Row, place, sheet_blocks
from searchkit.ingest.extract.office.xlsx import header_lines
from searchkit.types import Block, BlockKind, ExtractedDocument

if TYPE_CHECKING:
    import olefile

_DOC, _PPT, _XLS = "Word 97-2003 document", "PowerPoint 97-2003 presentation", "Excel 97-2003 workbook"
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_WORD_97 = 0xC1  # its first version of the file's head
_CLX_AT, _TEXT_AT = 0x01A2, 0x18
_UNCOMPRESSED = 0x40000000  # of a piece of text: not set in UTF-16
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*(?:\x14|(?=\x15))")
_LINK = re.compile(r'\x13\s*HYPERLINK\s+"([^"\x14\x15]{3,500})"[^\x14\x15]*\x14([^\x13\x15]*)\x15')
_PIECE = re.compile(r"([^\r\x07]*)([\r\x07]|$)")
_CONTROLS = {0x0B: "\n", 0x0C: "\r", 0x1E: "-", 0x1F: None, 0xA0: " ", 0x13: None, 0x14: None, 0x15: None}
_CONTROLS |= dict.fromkeys((1, 2, 3, 4, 5, 8))
_SLIDES, _PERSISTED, _SLIDE, _NOTES, _MASTER = 0x0FF0, 0x03F3, 0x03EE, 0x03F0, 0x03F8
_UTF16_TEXT, _BYTE_TEXT, _CONTAINER = 0x0FA0, 0x0FA8, 0xF
_DEEPEST = 30
_BEGIN, _END, _SHEET, _OBJECT, _TEXT_OBJECT, _CONTINUED = 0x0809, 0x000A, 0x0085, 0x005D, 0x01B6, 0x003C
_NOTE, _HYPERLINK = 0x001C, 0x01B8
_BIFF_8 = b"\0\6"
_HEADERS = {0x0014: "header", 0x0015: "footer"}
_URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")


def _require(kind: str) -> None:
    if not reads_old_office():
        how = Installation.here().adding("office-legacy")
        raise UnreadableFileError(f"{kind}: what reads it is not installed", remedy=f"Install it: {how}")


def opened(content: bytes, kind: str) -> "olefile.OleFileIO":
    """Open a compound file. Raises UnreadableFileError if it is damaged, or what reads it is not installed."""
    _require(kind)
    import olefile

    try:
        return olefile.OleFileIO(io.BytesIO(content))
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise damaged(kind, str(error)) from error


def read_stream(ole: "olefile.OleFileIO", name: str, kind: str) -> bytes:
    """Read a stream of a compound file. Raises UnreadableFileError for damage."""
    try:
        return bytes(ole.openstream(name).read())
    except (OSError, ValueError, IndexError) as error:
        raise damaged(kind, f"{name} cannot be read") from error


def _properties(ole: "olefile.OleFileIO") -> tuple[str, dict[str, str]]:
    """Title and metadata of the document's summary."""
    try:
        about = ole.get_metadata()
    except Exception:  # noqa: BLE001 (a summary that is damaged in any way costs the summary)
        return "", {}
    found = {
        "author": about.author, "subject": about.subject, "tags": about.keywords, "description": about.comments,
        "date": about.create_time.isoformat() if isinstance(about.create_time, datetime.datetime) else "",
    }  # fmt: skip
    texts = {name: text_of(value) for name, value in found.items() if value}
    return text_of(about.title), {name: value for name, value in texts.items() if value}


def text_of(value: object) -> str:
    """Decode a text that does not say its encoding; "" for None."""
    if not isinstance(value, bytes):
        return str(value or "").strip("\0 ")
    try:
        return charset.decode(value).strip("\0 ")
    except UnreadableFileError:
        return value.decode("latin-1").strip("\0 ")


def extract_doc(content: bytes) -> ExtractedDocument:
    """Read paragraphs and rows of tables in order: the body, then notes, headers, comments and text boxes."""
    with opened(content, _DOC) as ole:
        head = read_stream(ole, "WordDocument", _DOC)
        try:
            text = _document_text(ole, head)
        except struct.error as error:
            raise damaged(_DOC, str(error)) from error
        title, metadata = _properties(ole)
    return ExtractedDocument(title, _paragraphs(text), metadata)


def _document_text(ole: "olefile.OleFileIO", head: bytes) -> str:
    version, flags = struct.unpack_from("<H", head, 2)[0], struct.unpack_from("<H", head, 0x0A)[0]
    if flags & _ENCRYPTED:
        raise locked(_DOC)
    if version < _WORD_97:  # Word 6 and 95: one stretch of bytes
        first, last = struct.unpack_from("<II", head, _TEXT_AT)
        return text_of(head[first:last])
    at, length = struct.unpack_from("<II", head, _CLX_AT)
    table = read_stream(ole, "1Table" if flags & _SECOND_TABLE else "0Table", _DOC)[at : at + length]
    start = 0
    while start < len(table) and table[start] == 1:  # formatting that precedes the table of pieces
        start += 3 + struct.unpack_from("<H", table, start + 1)[0]
    if start >= len(table) or table[start] != 2:
        raise damaged(_DOC, "its table of pieces is missing")
    (size,) = struct.unpack_from("<I", table, start + 1)
    return "".join(_pieces(head, table[start + 5 : start + 5 + size]))


def _pieces(head: bytes, table: bytes) -> Iterator[str]:
    count = (len(table) - 4) // 12
    positions = struct.unpack_from(f"<{count + 1}I", table)
    for number in range(count):
        (at,) = struct.unpack_from("<I", table, 4 * (count + 1) + 8 * number + 2)
        characters = min(max(0, positions[number + 1] - positions[number]), len(head))
        if at & _UNCOMPRESSED:
            begin = (at & ~_UNCOMPRESSED) // 2
            yield head[begin : begin + characters].decode("cp1252", "replace")
        else:
            yield head[at : at + 2 * characters].decode("utf-16-le", "replace")


def _paragraphs(text: str) -> Iterator[Block]:
    """Paragraphs end with \\r, cells with \\7; one more \\7 ends a row, whose number of cells the first row of a table shows."""
    plain = _FIELD_CODE.sub("", _LINK.sub(r"\2 (\1)", text)).translate(_CONTROLS)
    cells: list[str] = []
    held: list[str] = []  # paragraphs of a cell
    columns, names, after_cell = 0, "", False
    for found in _PIECE.finditer(plain):
        words = found[1].strip(" \t\n")
        if found[2] == "\7":
            if not words and not held and (len(cells) == columns if columns else after_cell):
                row = " | ".join(cells)
                yield Block(row, BlockKind.TABLE, columns=names)
                columns, names, cells, after_cell = len(cells), names or row, [], False
                continue
            if (
                columns and len(cells) == columns
            ):  # the row before was shorter: what ended it was taken for an empty cell
                yield Block(" | ".join(cells).rstrip(" |"), BlockKind.TABLE, columns=names)
                cells = []
            cells.append(" ".join(" ".join([*held, words]).split()))
            held, after_cell = [], True
        elif cells:
            held.append(words)
        else:
            columns, names = 0, ""
            yield Block(words)
    if rest := [*cells, *held]:
        yield Block(" | ".join(rest), BlockKind.TABLE)


def extract_ppt(content: bytes) -> ExtractedDocument:
    """Read the text of each slide, then that of notes and of what no outline contains."""
    with opened(content, _PPT) as ole:
        if ole.exists("EncryptedSummary"):
            raise locked(_PPT)
        stream = read_stream(ole, "PowerPoint Document", _PPT)
        title, metadata = _properties(ole)
    return ExtractedDocument(title, tuple(_slides(stream)), metadata)


def _slides(stream: bytes) -> Iterator[Block]:
    seen: set[str] = set()
    slide = count = 0
    for kinds, text in _texts(stream, 0, len(stream), ()):
        if text is None:  # the next slide in the outline
            slide = count = count + 1
            continue
        in_outline = _SLIDES in kinds
        place = f"slide {slide}" if in_outline and slide else "notes" if _NOTES in kinds else ""
        words = text.replace("\r", "\n").replace("\x0b", "\n").strip()
        if _MASTER in kinds or not words or (not in_outline and words in seen):
            continue
        seen.add(words)
        yield Block(words, place=place)


def _texts(stream: bytes, at: int, end: int, kinds: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str | None]]:
    """(kinds of the records around it, text); None for the text where a slide of the outline begins."""
    while at + 8 <= end:
        head, kind, length = struct.unpack_from("<HHI", stream, at)
        at += 8
        stop = min(at + length, end)
        if kind == _PERSISTED and _SLIDES in kinds:
            yield kinds, None
        elif kind == _UTF16_TEXT:
            yield kinds, stream[at : stop - (stop - at) % 2].decode("utf-16-le", "replace")
        elif kind == _BYTE_TEXT:
            yield kinds, stream[at:stop].decode("latin-1")
        elif head & 0xF == _CONTAINER and len(kinds) < _DEEPEST and not (kind == _SLIDES and head >> 4 == 1):
            yield from _texts(stream, at, stop, (*kinds, kind))
        at += length


def extract_xls(content: bytes) -> ExtractedDocument:
    """Read sheets row by row, as those of other spreadsheets; then what is around the cells of a .xls."""
    _require(_XLS)
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [
            (name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in workbook.sheet_names
        ]
    except python_calamine.PasswordError as error:
        raise locked(_XLS) from error
    except python_calamine.CalamineError as error:
        raise damaged(_XLS, str(error)) from error
    blocks = [block for name, rows in sheets for block in sheet_blocks(name, _rows(rows))]
    if content.startswith(b"PK"):  # .xlsb, which only its programs describe
        return ExtractedDocument("", tuple(blocks))
    with opened(content, _XLS) as ole:
        title, metadata = _properties(ole)
        book = next((name for name in ("Workbook", "Book") if ole.exists(name)), "")
        stream = read_stream(ole, book, _XLS) if book else b""
    return ExtractedDocument(title, (*blocks, *_around(stream)), metadata)


@dataclass(slots=True)
class _Objects:
    """What a sheet's records say of its objects: their texts by number, and the comments' cells and authors."""

    texts: dict[int, str] = field(default_factory=dict)
    notes: dict[int, tuple[int, int, str]] = field(default_factory=dict)


def _around(stream: bytes) -> Iterator[Block]:
    """Headers and footers, addresses of links, comments and text boxes of the sheets, from the records of [MS-XLS]."""
    names: dict[int, str] = {}
    sheet, objects, number, wanted = "", _Objects(), 0, 0
    for at, kind, record in _records(stream):
        try:
            if kind == _SHEET:
                (start,) = struct.unpack_from("<I", record)
                names[start] = _string(record, 6, short=True)
            elif kind == _BEGIN:
                sheet, objects = names.get(at, sheet), _Objects()
            elif kind in _HEADERS:
                for line in header_lines(_string(record, 0)) if record else ():
                    yield Block(line, headings=(sheet,), place=_HEADERS[kind])
            elif kind == _OBJECT:
                (number,) = struct.unpack_from("<H", record, 6)
            elif kind == _TEXT_OBJECT:
                (wanted,) = struct.unpack_from("<H", record, 10)
            elif kind == _CONTINUED and wanted:
                text = _letters(record[1:], wanted, wide=bool(record[0] & 1))
                objects.texts[number], wanted = text, 0
            elif kind == _NOTE:
                row, column, _, of = struct.unpack_from("<HHHH", record)
                objects.notes[of] = (row + 1, column + 1, _string(record, 8))
            elif kind == _HYPERLINK and (address := _address(record)):
                row, _, column = struct.unpack_from("<HHH", record)
                yield Block(address, headings=(sheet,), place=f"{place(sheet, (row + 1, column + 1))}, link")
            elif kind == _END:
                yield from _objects(sheet, objects)
        except (struct.error, IndexError):  # the cells have been read all the same
            continue


def _objects(sheet: str, objects: _Objects) -> Iterator[Block]:
    for number, text in objects.texts.items():
        row, column, author = objects.notes.get(number, (0, 0, ""))
        where = (
            f"{place(sheet, (row, column))}, comment" if row else f"{place(sheet, (1, 1)).rpartition('!')[0]}, drawing"
        )
        said = f"{author}: {text}" if author and author not in text else text
        yield Block(said.replace("\r", "\n").strip(), headings=(sheet,), place=where)


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(position, kind, content) of the records of a workbook, none of those before Excel 97."""
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _BEGIN and stream[at + 4 : at + 6] != _BIFF_8:  # older ones write texts in other ways
            return
        yield at, kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _string(record: bytes, at: int, *, short: bool = False) -> str:
    """A text with its length and its width before it."""
    count, flags = struct.unpack_from("<BB" if short else "<HB", record, at)
    return _letters(record[at + (2 if short else 3) :], count, wide=bool(flags & 1))


def _letters(content: bytes, count: int, *, wide: bool) -> str:
    return content[: 2 * count].decode("utf-16-le", "replace") if wide else content[:count].decode("latin-1")


def _address(record: bytes) -> str:
    """The address of a link, "" if it leads to a place in the workbook."""
    at = record.find(_URL_MONIKER)
    if at < 0:
        return ""
    at += len(_URL_MONIKER)
    (length,) = struct.unpack_from("<I", record, at)
    return record[at + 4 : at + 4 + length - length % 2].decode("utf-16-le", "replace").partition("\0")[0]


def _rows(rows: Sequence[Sequence[object]]) -> Iterator[Row]:
    for number, values in enumerate(rows, 1):
        cells = [(column, text) for column, value in enumerate(values, 1) if (text := _cell(value))]
        if cells:
            yield Row(number, number, cells, words=all(isinstance(values[column - 1], str) for column, _ in cells))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return " ".join(str(value).split()) if value is not None else ""
