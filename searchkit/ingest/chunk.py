"""Blocks become chunks: as much as fits the model's budget of what stands under one heading on one page.

A block that is too long is cut at lines (code, tables) or sentences, then at words, then anywhere. Sections too short to
mean much alone join their neighbours. Nothing is left out and nothing said twice, but for the headings in the title.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise

from searchkit.sentences import split_sentences
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument

VERSION = 2  # raise it when chunks come out differently: documents are then cut anew
PASSAGE_TOKENS = 256  # prompt and title included; Gemma's window needs no mask up to 257
_PROMPT_TOKENS = 14  # special tokens and the prompt's own words
_TITLE_TOKENS = 64
_SHORT_SECTION = 48  # tokens below which a section is joined with the next
_LEAST_ROOM = 16  # tokens of text in a chunk, however little the model takes
TITLE_SEPARATOR = " › "

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class _Piece:
    block: Block
    tokens: int


class _Titles:
    """The lines of headings that chunks of one document stand under, and their tokens; each is counted once."""

    def __init__(self, title: str, count_tokens: CountTokens) -> None:
        self._title = title
        self._count_tokens = count_tokens
        self._tokens: dict[tuple[str, ...], int] = {}
        self._lines: dict[tuple[str, ...], str] = {}

    def tokens(self, headings: tuple[str, ...]) -> int:
        """Tokens of the whole line, which may be more than it gets."""
        if headings not in self._tokens:
            self._tokens[headings] = self._count_tokens(_title(self._title, headings))
        return self._tokens[headings]

    def line(self, headings: tuple[str, ...]) -> str:
        """The line, cut to what it gets."""
        if headings not in self._lines:
            self._lines[headings] = _cut_title(_title(self._title, headings), self._count_tokens)
        return self._lines[headings]

    def room(self, budget: int, group: Sequence[_Piece]) -> int:
        """Tokens that a chunk of these pieces leaves for their text: headings are in its title or where they stand."""
        paths = [path for path, _ in groupby(piece.block.headings for piece in group)]
        return max(_LEAST_ROOM, budget - sum(min(_TITLE_TOKENS, self.tokens(path)) for path in paths))


def chunk_document(document: ExtractedDocument, count_tokens: CountTokens, max_tokens: int) -> Iterator[Chunk]:
    """Cut a document for a model that takes `max_tokens`; the chunks come in the document's order, as its blocks do."""
    budget = min(PASSAGE_TOKENS, max_tokens) - _PROMPT_TOKENS
    titles = _Titles(document.title, count_tokens)
    group: list[_Piece] = []
    for piece in _pieces(document, count_tokens, titles, budget):
        if group and not _joins(group, piece, titles.room(budget, [*group, piece])):
            yield _chunk(group, count_tokens, titles)
            group = []
        group.append(piece)
    if group:
        yield _chunk(group, count_tokens, titles)


def _pieces(document: ExtractedDocument, count_tokens: CountTokens, titles: _Titles, budget: int) -> Iterator[_Piece]:
    """Blocks that fit, under their headings; a heading is text of its own if nothing stands under it, or if a title
    does not hold it whole.
    """
    blocks = (block for block in document.blocks if block.text.strip())
    for block, following in pairwise(chain(blocks, [None])):
        assert block is not None
        if block.kind is BlockKind.HEADING and following:
            heads = following.headings[: len(block.headings)] == block.headings
            if heads and titles.tokens(block.headings) <= _TITLE_TOKENS:
                continue
        content = _without_itself(block)
        room = max(_LEAST_ROOM, budget - min(_TITLE_TOKENS, titles.tokens(content.headings)))
        yield from _split(content, count_tokens, room)


def _without_itself(block: Block) -> Block:
    """A heading that is its section's only text stands under the headings above it."""
    return replace(block, headings=block.headings[:-1]) if block.kind is BlockKind.HEADING else block


def _joins(group: Sequence[_Piece], piece: _Piece, room: int) -> bool:
    """Whether a piece goes into the chunk that is being filled."""
    last = group[-1].block
    used = sum(member.tokens + 1 for member in group)  # the blank line between two may be a token
    if last.page != piece.block.page or used + piece.tokens > room:
        return False
    return last.headings == piece.block.headings or min(used, piece.tokens) < _SHORT_SECTION


def _chunk(group: Sequence[_Piece], count_tokens: CountTokens, titles: _Titles) -> Chunk:
    """The chunk of a group: common headings in the title, the others where they stand."""
    blocks = [piece.block for piece in group]
    common = _common(blocks)
    parts = []
    previous = common
    for block in blocks:
        if block.headings != previous:
            parts.append(_cut_title(TITLE_SEPARATOR.join(block.headings[len(common) :]), count_tokens))
            previous = block.headings
        parts.append(block.text)
    text = "\n\n".join(part for part in parts if part)
    lines = [block.line for block in blocks if block.line is not None]
    ends = [block.line_end for block in blocks if block.line_end is not None]
    return Chunk(
        text=text,
        title=titles.line(common),
        page=blocks[0].page,
        line=min(lines, default=None),
        line_end=max(ends, default=None),
        token_count=count_tokens(text),
        place=_joined_places(blocks),
    )


def _joined_places(blocks: Sequence[Block]) -> str:
    """Where the blocks stand: one place, or the first and the last."""
    places = [block.place for block in blocks if block.place]
    return " – ".join(dict.fromkeys((places[0], places[-1]))) if places else ""


def _common(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all blocks stand under."""
    common = blocks[0].headings
    for block in blocks[1:]:
        same = 0
        while same < min(len(common), len(block.headings)) and common[same] == block.headings[same]:
            same += 1
        common = common[:same]
    return common


def _title(title: str, headings: tuple[str, ...]) -> str:
    """The document's title and the heading path as one line, without saying the same twice."""
    names = [title, *headings] if title and title not in headings[:1] else list(headings)
    return TITLE_SEPARATOR.join(" ".join(name.split()) for name in names if name)


def _cut_title(title: str, count_tokens: CountTokens) -> str:
    """A title that leaves room for the text: its end is what is nearest to the passage."""
    while count_tokens(title) > _TITLE_TOKENS:
        title = (
            title[-(len(title) * _TITLE_TOKENS // count_tokens(title)) :] if len(title) > _TITLE_TOKENS else title[1:]
        )
    return title.strip()


def _split(block: Block, count_tokens: CountTokens, room: int) -> Iterator[_Piece]:
    """The block as pieces of at most `room` tokens, with the lines that each takes."""
    tokens = count_tokens(block.text) if len(block.text) < room * 64 else room + 1
    if tokens <= room:
        yield _Piece(block, tokens)
        return
    at, line = 0, block.line
    has_lines = block.line_end is not None and line is not None and block.line_end - line >= block.text.count("\n") > 0
    for text, used in _packed(_units(block), count_tokens, room):
        start = block.text.index(text, at)
        if has_lines and line is not None:
            line += block.text.count("\n", at, start)
            last = line + text.count("\n")
            yield _Piece(replace(block, text=text, line=line, line_end=last), used)
            line = last
        else:
            yield _Piece(replace(block, text=text), used)
        at = start + len(text)


def _units(block: Block) -> list[str]:
    """Stretches of the text that should stay whole, each with the white space behind it; together the whole text."""
    if block.kind in (BlockKind.CODE, BlockKind.TABLE):
        return re.findall(r"[^\n]*\n+|[^\n]+", block.text)
    return split_sentences(block.text)


def _packed(units: Sequence[str], count_tokens: CountTokens, room: int) -> Iterator[tuple[str, int]]:
    """Units put together up to `room` tokens; one that is too long alone is cut at words or, in the end, anywhere."""
    held, used = "", 0
    for unit in units:
        tokens = count_tokens(unit) if len(unit) < room * 64 else room + 1
        if held and used + tokens > room:
            if held.strip():
                yield held.strip(), used
            held, used = "", 0
        if tokens > room:
            *whole, (held, used) = _cut_anywhere(unit, count_tokens, room)
            yield from ((text.strip(), count) for text, count in whole if text.strip())
        else:
            held, used = held + unit, used + tokens
    if held.strip():
        yield held.strip(), used


def _cut_anywhere(text: str, count_tokens: CountTokens, room: int) -> list[tuple[str, int]]:
    """Pieces of at most `room` tokens, cut after a word where there is one."""
    pieces = []
    start = 0
    while start < len(text):
        end = min(len(text), start + room * 8)
        while (tokens := count_tokens(text[start:end])) > room and end - start > 1:
            length = end - start
            end = start + max(1, min(length - 1, length * room // tokens))
        if end < len(text) and (blank := text.rfind(" ", (start + end) // 2, end)) > start:
            end = blank + 1
            tokens = count_tokens(text[start:end])
        pieces.append((text[start:end], tokens))
        start = end
    return pieces
