"""Reads the text in what Pages, Numbers and Keynote have written since 2013: members of a zip archive that end in .iwa.

Such a member is pieces compressed by Snappy without sums, in which objects follow one another as Protocol Buffers. Apple has
documented nothing of it; the numbers of objects and fields that hold text are known and have stayed the same. Where text
stands on a page, and cells that are no text, are not read.
"""

import re
from collections.abc import Iterator

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import damaged
from searchkit.ingest.extract.readers import heartbeat, leave_out
from searchkit.types import Block, BlockKind

_KIND = "document of Pages, Numbers or Keynote"
_STORAGE, _COMMENT, _DATA_LIST, _TILE = (
    2001,
    3056,
    6005,
    6002,
)  # numbers of objects: text, comments, texts of cells, cells
_TEMPLATES = ("MasterSlide", "TemplateSlide")  # beginnings of members with the prompts of empty slides
_STRINGS = 1  # the kind of a list of cells' texts
_MOST_BYTES = 128 << 20  # that a member unpacks to
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # how a field is written
_MARKS = re.compile("[\x00-\x08\x0e-\x1f\ufffc]")  # of what is anchored in a text
_LINE_ENDS = re.compile("[\r\u2028\u2029\x0b\x0c]")

_Field = tuple[int, int | bytes]


def text_blocks(name: str, content: bytes) -> Iterator[Block]:
    """Read the texts of a member. Raises UnreadableFileError for damage."""
    if name.rpartition("/")[2].startswith(_TEMPLATES):
        leave_out("prompts of placeholders")
        return
    try:
        for kind, message in _messages(_unpacked(content)):
            if kind == _STORAGE:
                yield from _paragraphs([value for number, value in _fields(message) if number == 3])
            elif kind == _COMMENT:
                yield from _paragraphs([value for number, value in _fields(message) if number == 1], "comment")
            elif kind == _DATA_LIST:
                yield from _cells(message)
            elif kind == _TILE:
                leave_out("numbers, dates and places of cells of Numbers")
    except (IndexError, ValueError) as error:
        raise damaged(_KIND, str(error) or "it is cut off") from error


def _paragraphs(values: list[int | bytes], place: str = "") -> Iterator[Block]:
    text = "".join(_plain(value) for value in values)
    for paragraph in text.split("\n"):
        if paragraph.strip():
            yield Block(paragraph.strip(), place=place)


def _cells(message: bytes) -> Iterator[Block]:
    """The texts of a table's cells, each once, in the order in which they were first typed."""
    fields = list(_fields(message))
    if (1, _STRINGS) not in fields:
        return
    texts = [
        " ".join(_plain(text).split())
        for number, entry in fields
        if number == 3 and isinstance(entry, bytes)
        for inner, text in _fields(entry)
        if inner == 3
    ]
    if any(texts):
        yield Block("\n".join(filter(None, texts)), BlockKind.TABLE, place="cells")


def _plain(value: int | bytes) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    return _MARKS.sub(" ", _LINE_ENDS.sub("\n", text))


def _messages(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(number of its kind, content) of each object: a head says how long what follows it is."""
    at = 0
    while at < len(stream):
        length, at = _varint(stream, at)
        head, at = stream[at : at + length], at + length
        for number, value in _fields(head):
            if number == 2 and isinstance(value, bytes):
                about = {inner: said for inner, said in _fields(value) if isinstance(said, int)}
                size = about.get(3, 0)
                if at + size > len(stream):
                    raise ValueError("an object is cut off")
                yield about.get(1, 0), stream[at : at + size]
                at += size


def _fields(message: bytes) -> Iterator[_Field]:
    """(number, value) of each field; those of a fixed length, which hold no text, are left out."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        how = key & 7
        if how == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif how == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is cut off")
            yield key >> 3, message[at : at + length]
            at += length
        elif how in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if how == _EIGHT_BYTES else 4
        else:
            raise ValueError("a field of an unknown form")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the position behind it."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError("a number is too long")
    return value | data[at] << shift, at + 1


def _unpacked(content: bytes) -> bytes:
    """The pieces of a member: each has a zero and its length in three bytes before it."""
    found = bytearray()
    at = 0
    while at < len(content):
        if content[at] != 0 or at + 4 > len(content):
            raise ValueError("a piece begins in an unknown way")
        length = int.from_bytes(content[at + 1 : at + 4], "little")
        _add_piece(content[at + 4 : at + 4 + length], found)
        at += 4 + length
        heartbeat()
        if len(found) > _MOST_BYTES:
            raise UnreadableFileError(f"a {_KIND} that unpacks to more than {_MOST_BYTES >> 20} MB")
    return bytes(found)


def _add_piece(piece: bytes, found: bytearray) -> None:
    """Unpack a piece in the raw format of Snappy: bytes as they are, and copies of what stands before."""
    start = len(found)
    length, at = _varint(piece, 0)
    while at < len(piece):
        tag = piece[at]
        at += 1
        kind, size = tag & 3, (tag >> 2) + 1
        if kind == 0:
            if size > 60:
                width = size - 60
                size, at = int.from_bytes(piece[at : at + width], "little") + 1, at + width
            found += piece[at : at + size]
            at += size
        else:
            if kind == 1:
                size, back, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | piece[at], at + 1
            else:
                width = 2 if kind == 2 else 4
                back, at = int.from_bytes(piece[at : at + width], "little"), at + width
            if not 0 < back <= len(found) - start:
                raise ValueError("a copy of what is not there")
            source = bytes(found[-back:])
            found += (source * (size // back + 1))[:size]
        if len(found) - start > length:
            break
    if len(found) - start != length:
        raise ValueError("a piece has another length than it says")
