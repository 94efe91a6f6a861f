"""Reads plain text: bytes to characters, characters to paragraphs."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from searchkit.ingest.extract import charset, readers
from searchkit.types import Block, BlockKind, ExtractedDocument

LONG_BLOCK = 20_000  # characters; a longer text without a blank line, such as a log, is cut at lines or words
# Two hundred lines at most, so that a paragraph of a million lines is not one match.
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\n]*\S[^\n]*){0,199}")


def decode_text(content: bytes) -> str:
    """Decode a text file in any encoding, line ends as \\n.

    Raises UnreadableFileError for binary content and for bytes that no encoding explains.
    """
    text = charset.decode(content)
    if _LONG_RUN in content.translate(_RUNS):
        text = without_encoded(text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def without_encoded(text: str) -> str:
    """Leave out what is not writing but a file in base64, such as a picture within a text. Its lines stay, empty."""
    if not any(_is_encoded(found.group()) for found in _ENCODED.finditer(text)):
        return text

    def left(found: re.Match[str]) -> str:
        if not _is_encoded(found.group()):
            return found.group()
        readers.leave_out("files in base64")
        return "\n" * found.group().count("\n")

    return _ENCODED.sub(left, text)


def _is_encoded(letters: str) -> bool:
    """True for letters of both kinds and digits in any order, and not for a long word, a path, or a number in hexadecimal."""
    length = len(letters)
    kinds = (sum(map(str.isupper, letters)), sum(map(str.islower, letters)), sum(map(str.isdigit, letters)))
    return all(20 * kind > length for kind in kinds)


def paragraphs(text: str, first_line: int = 1, kind: BlockKind = BlockKind.PARAGRAPH) -> list[Block]:
    """Blocks between blank lines; `first_line` is the number of the text's first line."""
    return list(paragraph_stream(text, first_line, kind))


def paragraph_stream(text: str, first_line: int = 1, kind: BlockKind = BlockKind.PARAGRAPH) -> Iterator[Block]:
    """Yield the blocks between blank lines, lazily."""
    line, counted = first_line, 0
    for match in _PARAGRAPH.finditer(text):
        for start, end in stretches(text, match.start(), match.end()):
            body = text[start:end].rstrip()
            if not body:
                continue
            line, counted = line + text.count("\n", counted, start), start
            yield Block(body, kind, line=line, line_end=line + body.count("\n"))


def cut_block(block: Block) -> Iterator[Block]:
    """Divide a long block into pieces with their own lines. A block with a first line only gets its last one."""
    if block.line is None or (block.line_end is not None and len(block.text) <= LONG_BLOCK):
        for start, end in stretches(block.text, 0, len(block.text)):
            yield replace(block, text=block.text[start:end].rstrip())
            block = _below_columns(block)
        return
    line, counted = block.line, 0
    for start, end in stretches(block.text, 0, len(block.text)):
        line, counted = line + block.text.count("\n", counted, start), start
        part = block.text[start:end].rstrip()
        if part.strip():
            yield replace(block, text=part, line=line, line_end=line + part.count("\n"))
            block = _below_columns(block)


def _below_columns(block: Block) -> Block:
    """The rest of a table under the names of its columns, however little is left of it."""
    return replace(block, headings=(*block.headings, block.columns), columns="") if block.columns else block


def stretches(text: str, start: int, end: int, longest: int = LONG_BLOCK) -> Iterator[tuple[int, int]]:
    """Cut text[start:end] after a line's end, else after a blank, else anywhere; the pieces together are the whole."""
    while end - start > longest:
        cut = 1 + text.rfind("\n", start, start + longest)
        cut = cut if cut > start else 1 + text.rfind(" ", start + longest // 2, start + longest)
        cut = cut if cut > start else start + longest
        yield start, cut
        start = cut
    if start < end:
        yield start, end


# 200 characters without a blank, or three lines as mail programs cut them.
_RUNS = bytes(ord("a") if chr(code).isalnum() or code in b"+/" else 0 for code in range(128)) + bytes(128)
_LONG_RUN = b"a" * 60  # which is found many times faster than by a pattern
_ENCODED = re.compile(
    r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{200,}+={0,2}|(?:[A-Za-z0-9+/]{60,}+[ \t]*\r?\n[ \t]*){3,}+[A-Za-z0-9+/]*+={0,2})"
)
_LONGEST_ADDRESS = 300  # characters; what mailing programs write behind them tracks readers
_TOKEN = re.compile(
    r"[\w.%=~+-]{80,}"
)  # what tells one reader from another, longer than a document's name in any cloud
_NO_ADDRESS = ("#", "javascript:", "data:", "about:", "cid:")
_SCHEME = re.compile(r"(?:https?://(?:www\.)?|mailto:|tel:|file:/*)", re.IGNORECASE)


def address_behind(words: str, address: str) -> str:
    """The address behind the words of a link, as " (address)"; "" if the words show it, or if it is within the document."""
    address = "".join(address.split())
    bare = _SCHEME.sub("", address, count=1).rstrip("/")
    if not bare or address.lower().startswith(_NO_ADDRESS) or bare.casefold() in words.casefold():
        return ""
    shown = address.partition(":")[2] if address.lower().startswith(("mailto:", "tel:")) else address
    if len(shown) > _LONGEST_ADDRESS:
        shown = shown.partition("?")[0][:_LONGEST_ADDRESS]
    if (token := _TOKEN.search(shown)) and _is_encoded(token.group()):
        shown = shown[: token.start()] + "…"
    return f" ({shown})"


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers from 1, without making a list of them, which would be large for a long text."""
    start = 0
    for number in count(1):
        end = text.find("\n", start)
        if end < 0:
            yield number, text[start:]
            return
        yield number, text[start:end]
        start = end + 1


def extract_text(content: bytes) -> ExtractedDocument:
    """Paragraphs of a plain text; it has no title of its own."""
    return ExtractedDocument("", paragraph_stream(decode_text(content)))
