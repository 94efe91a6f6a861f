"""Plain text: bytes to characters, characters to paragraphs."""

import codecs
import re

from searchkit.errors import UnreadableFileError
from searchkit.types import Block, BlockKind, ExtractedDocument

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(content: bytes) -> str:
    """Characters of a text file, line ends as \\n.

    Raises UnreadableFileError for binary content and for bytes that are not UTF-8 (nor UTF-16 or -32 with a mark).
    """
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    if encoding.startswith("utf-8") and b"\0" in content:
        raise UnreadableFileError("binary content in a text file")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        mark_bytes = len(content) - len(error.object)  # the codec may have taken off the mark, and counts from there
        place = f"byte 0x{error.object[error.start]:02x} at offset {error.start + mark_bytes}"
        raise UnreadableFileError(f"not valid {encoding.removesuffix('-sig').upper()} text ({place})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def paragraphs(text: str, first_line: int = 1, kind: BlockKind = BlockKind.PARAGRAPH) -> list[Block]:
    """Blocks between blank lines; `first_line` is the number of the text's first line."""
    blocks = []
    line, counted = first_line, 0
    for match in re.finditer(r"\S[^\n]*(?:\n[^\n]*\S[^\n]*)*", text):
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        body = match.group().rstrip()
        blocks.append(Block(body, kind, line=line, line_end=line + body.count("\n")))
    return blocks


def extract_text(content: bytes) -> ExtractedDocument:
    """Paragraphs of a plain text; it has no title of its own."""
    return ExtractedDocument("", tuple(paragraphs(decode_text(content))))


def extract_rows(content: bytes) -> ExtractedDocument:
    """Lines of a table or of data (CSV, JSON, YAML); kept as written, with their line numbers."""
    return ExtractedDocument("", tuple(paragraphs(decode_text(content), kind=BlockKind.TABLE)))
