"""Splits RTF into tokens: braces, control words with their numbers, bytes and text; and names its code pages."""

import codecs
import re
from collections.abc import Iterator

Token = tuple[str, bytes, int | None]  # kind ("{", "}", "control", "byte" or "text"), content, number

_TOKEN = re.compile(
    rb"([^\\{}\r\n\0]+)|([\r\n\0]+)|([{}])|\\(?:'([0-9a-fA-F]{2})|([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|(['\\{}])|([^a-zA-Z]))"
)
_LITERAL = {b"\n": b"par", b"\r": b"par", b"\t": b"tab"}
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 255: "cp437",
}  # fmt: skip


def tokens(content: bytes) -> Iterator[Token]:
    """Yield the tokens in order, without binary data (\\bin) and a backslash at the very end."""
    position = 0
    while found := _TOKEN.match(content, position):
        position = found.end()
        text, ends, brace, byte, word, number, escaped, symbol = found.groups()
        if text is not None:
            yield "text", text, None
        elif brace is not None:
            yield brace.decode(), b"", None
        elif byte is not None:
            yield "byte", b"", int(byte, 16)
        elif word == b"bin":
            position += max(0, int(number or 0))
        elif word is not None:
            yield "control", word, int(number) if number is not None else None
        elif escaped is not None:
            yield "text", escaped, None
        elif ends is None:
            yield "control", _LITERAL.get(symbol, symbol), None


def codec(code_page: int) -> str:
    """Python's name for a code page; Western for unknown ones."""
    name = {65001: "utf-8", 10000: "mac_roman", 936: "gbk"}.get(code_page, f"cp{code_page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def font_codec(charset: int) -> str:
    """Python's name for the character set of a font, "" for that of the document."""
    return _CHARSETS.get(charset, "")
