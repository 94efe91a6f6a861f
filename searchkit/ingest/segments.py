"""Divides blocks into segments: sentences, lines, or whole blocks that should not be cut, each with its line numbers.

Joined again, the segments of a block are its text except for white space.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto

from searchkit.text import split_sentences
from searchkit.types import Block, BlockKind

CountTokens = Callable[[str], int]

_WHOLE_PARAGRAPH = 300  # characters up to which a paragraph is not cut into sentences
FULL_CHARACTERS = 6  # for each token of code and tables that may fit; of longer ones not all tokens are counted
_FAR_TOO_LONG = 64  # characters per token; a longer text is cut before its tokens are counted
_WIDEST_GAP = 32  # characters of white space inside a block that are kept
_SPACE = re.compile(r"\s*")
_SENTENCE_END = re.compile(r".*[.!?…。!?।؟][\"'”’»)\]*_]*$", re.DOTALL)
_ITEM = re.compile(r"[-*+•|>] |\d{1,3}[.)] |#+ ")
_LINE = re.compile(r"[^\n]*\n+|[^\n]+")
_ROWS = (BlockKind.CODE, BlockKind.TABLE)
# Words with the marks that belong to their letters; digits, signs and line ends are tokens of their own.
_PIECE = re.compile(r"(?:[^\W\d_]|[\u0300-\u1fff])+|\d|\n+|[^\w\s]|_")
_LONG_WORD = 12  # letters; what is longer is seldom in a vocabulary
_LETTERS_OF_LONG = 3.5  # for each of its tokens
# The character that follows a writing's last one, and letters for each token of its words: ASCII, Latin, Greek and
# Cyrillic, the scripts up to Georgian; beyond them are mostly Chinese, Japanese and Korean.
_LETTERS_A_TOKEN = (("\u0080", 6.0), ("\u0250", 4.5), ("\u0530", 4.0), ("\u1100", 3.0))
_LETTERS_BEYOND = 1.25


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text for whichever model may come; where there is one, its own tokenizer counts.

    Fitted to the tokenizers of EmbeddingGemma and MiniLM on prose in eleven languages and on code, so that a passage cut by
    it is rarely longer for a model than one that is cut for the model (docs/decisions.md).
    """
    return sum(_tokens_of_word(piece) if len(piece) > 1 else 1 for piece in _PIECE.findall(text))


def _tokens_of_word(word: str) -> int:
    highest = max(word)
    letters = next((letters for end, letters in _LETTERS_A_TOKEN if highest < end), _LETTERS_BEYOND)
    if len(word) > _LONG_WORD:
        letters = min(letters, _LETTERS_OF_LONG)
    return math.ceil(len(word) / letters)


class Boundary(IntEnum):
    """The kind of boundary at which a segment begins; the higher, the more a cut there separates."""

    PART = auto()
    SENTENCE = auto()  # or the text before a blank line or a list item
    INSIDE = auto()  # inside a sentence that is broken into lines, or is too long; also most lines of code and tables


@dataclass(frozen=True, slots=True)
class Segment:
    """`block.text[start:end]`, without white space around it. `tokens` include the white space before it.

    Successive segments with the same `part` are one stretch of their block's text.
    """

    block: Block
    start: int
    end: int
    tokens: int
    line: int | None
    line_end: int | None
    part: int
    boundary: Boundary


def segments_of(block: Block, part: int, count_tokens: CountTokens, room: int) -> Iterator[Segment]:
    """Divide a block into segments of at most `room` tokens; the first has the number `part`."""
    whole = room * FULL_CHARACTERS if block.kind in _ROWS else _WHOLE_PARAGRAPH
    if len(block.text) <= whole and (tokens := count_tokens(block.text) + 1) <= room:
        yield Segment(block, 0, len(block.text), tokens, block.line, block.line_end, part, Boundary.PART)
        return
    lines = _Lines(block)
    at = 0
    for start, end, tokens in _sized(block, count_tokens, room - 1):  # the blank line before it may be a token
        part += start - at > _WIDEST_GAP
        is_new = at == 0 or start - at > _WIDEST_GAP
        boundary = Boundary.PART if is_new else _boundary(block.text, at, start)
        yield Segment(block, start, end, tokens + is_new, *lines.of(start, end), part, boundary)
        at = end


def _boundary(text: str, end: int, start: int) -> Boundary:
    """The boundary between the text that ends at `end` and the text that begins at `start`."""
    line_ends = text.count("\n", end, start)
    if line_ends > 1 or (line_ends and _ITEM.match(text, start)) or _SENTENCE_END.match(text, max(0, end - 3), end):
        return Boundary.SENTENCE
    return Boundary.INSIDE


class _Lines:
    """Line numbers of stretches of a block, requested from its beginning to its end: each line end is examined once."""

    def __init__(self, block: Block) -> None:
        text, line, line_end = block.text, block.line, block.line_end
        self._block = block
        self._line = line or 0
        self._at = 0
        self._known = line is not None and line_end is not None and line_end - line >= text.count("\n") > 0

    def of(self, start: int, end: int) -> tuple[int | None, int | None]:
        """First and last line of a stretch; those of the block if its lines differ from the source's."""
        if not self._known:
            return self._block.line, self._block.line_end
        first = self._line + self._block.text.count("\n", self._at, start)
        self._line = first + self._block.text.count("\n", start, end)
        self._at = end
        return first, self._line


def _sized(block: Block, count_tokens: CountTokens, room: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and tokens of sentences or lines; one that is too long by itself is cut at words or, at last, anywhere."""
    text = block.text
    behind = at = 0
    for stretch in _LINE.findall(text) if block.kind in _ROWS else split_sentences(text):
        start, end = at + len(stretch) - len(stretch.lstrip()), at + len(stretch.rstrip())
        at += len(stretch)
        if start >= end:
            continue
        begin = behind if start - behind <= _WIDEST_GAP else start
        tokens = count_tokens(text[begin:end]) if end - begin < room * _FAR_TOO_LONG else room + 1
        if tokens <= room:
            yield start, end, tokens
        else:
            yield from _cut_anywhere(text, start, end, count_tokens, room)
        behind = end


def _cut_anywhere(
    text: str, start: int, end: int, count_tokens: CountTokens, room: int
) -> Iterator[tuple[int, int, int]]:
    """Start, end and tokens of pieces of at most `room` tokens, cut after a word where there is one."""
    while start < end:
        cut = min(end, start + room * 8)
        while (tokens := count_tokens(text[start:cut])) > room and cut - start > 1:
            length = cut - start
            cut = start + max(1, min(length - 1, length * room // tokens))
        if cut < end and (blank := text.rfind(" ", (start + cut) // 2, cut)) > start:
            cut = blank
            tokens = count_tokens(text[start:cut])
        yield start, cut, tokens
        start = _SPACE.match(text, cut, end).end()  # type: ignore[union-attr]  # it matches everywhere
