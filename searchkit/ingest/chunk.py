"""Blocks become chunks: as much as fits the model's budget of what stands under one heading on one page.

A block that is too long is cut at lines (code, tables) or sentences, then at words, then anywhere. Sections too short to
mean much alone join their neighbours. Nothing is left out and nothing said twice, but for the headings in the title.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from searchkit.sentences import split_sentences
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument

VERSION = 1  # raise it when chunks come out differently: documents are then cut anew
PASSAGE_TOKENS = 256  # prompt and title included; Gemma's window needs no mask up to 257
_PROMPT_TOKENS = 14  # special tokens and the prompt's own words
_TITLE_TOKENS = 64
_SHORT_SECTION = 48  # tokens below which a section is joined with the next
TITLE_SEPARATOR = " › "

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class _Piece:
    block: Block
    tokens: int


def chunk_document(document: ExtractedDocument, count_tokens: CountTokens, max_tokens: int) -> list[Chunk]:
    """Cut a document for a model that takes `max_tokens`; the chunks come in the document's order."""
    budget = min(PASSAGE_TOKENS, max_tokens) - _PROMPT_TOKENS
    chunks = []
    group: list[_Piece] = []
    for piece in _pieces(document, count_tokens, budget):
        if group and not _joins(group, piece, budget - _title_tokens(document.title, [*group, piece], count_tokens)):
            chunks.append(_chunk(document.title, group, count_tokens))
            group = []
        group.append(piece)
    return [*chunks, _chunk(document.title, group, count_tokens)] if group else chunks


def _pieces(document: ExtractedDocument, count_tokens: CountTokens, budget: int) -> Iterator[_Piece]:
    """Blocks that fit, under their headings; a heading is text of its own only if nothing stands under it."""
    for i, block in enumerate(document.blocks):
        if block.kind is BlockKind.HEADING:
            following = document.blocks[i + 1] if i + 1 < len(document.blocks) else None
            if following and following.headings[: len(block.headings)] == block.headings:
                continue
        content = _without_itself(block)
        room = budget - min(_TITLE_TOKENS, count_tokens(_title(document.title, content.headings)))
        yield from _split(content, count_tokens, room)


def _without_itself(block: Block) -> Block:
    """A heading that is its section's only text stands under the headings above it."""
    return replace(block, headings=block.headings[:-1]) if block.kind is BlockKind.HEADING else block


def _joins(group: Sequence[_Piece], piece: _Piece, room: int) -> bool:
    """Whether a piece goes into the chunk that is being filled."""
    last = group[-1].block
    used = sum(member.tokens for member in group)
    if last.page != piece.block.page or used + piece.tokens > room:
        return False
    return last.headings == piece.block.headings or min(used, piece.tokens) < _SHORT_SECTION


def _chunk(title: str, group: Sequence[_Piece], count_tokens: CountTokens) -> Chunk:
    """The chunk of a group: common headings in the title, the others where they stand."""
    blocks = [piece.block for piece in group]
    common = _common(blocks)
    parts = []
    previous = common
    for block in blocks:
        if block.headings != previous:
            parts.append(TITLE_SEPARATOR.join(block.headings[len(common) :]))
            previous = block.headings
        parts.append(block.text)
    text = "\n\n".join(part for part in parts if part)
    lines = [block.line for block in blocks if block.line is not None]
    ends = [block.line_end for block in blocks if block.line_end is not None]
    return Chunk(
        text=text,
        title=_cut_title(_title(title, common), count_tokens),
        page=blocks[0].page,
        line=min(lines, default=None),
        line_end=max(ends, default=None),
        token_count=count_tokens(text),
    )


def _common(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all blocks stand under."""
    common = blocks[0].headings
    for block in blocks[1:]:
        same = 0
        while same < min(len(common), len(block.headings)) and common[same] == block.headings[same]:
            same += 1
        common = common[:same]
    return common


def _title(title: str, headings: Sequence[str]) -> str:
    """The document's title and the heading path as one line, without saying the same twice."""
    names = [title, *headings] if title and title not in headings[:1] else list(headings)
    return TITLE_SEPARATOR.join(" ".join(name.split()) for name in names if name)


def _title_tokens(title: str, group: Sequence[_Piece], count_tokens: CountTokens) -> int:
    """Tokens that headings take in the group's chunk, wherever they end up."""
    longest = max((piece.block.headings for piece in group), key=len)
    others = {piece.block.headings for piece in group} - {longest}
    spelled = sum(count_tokens(TITLE_SEPARATOR.join(path)) for path in others)
    return min(_TITLE_TOKENS, count_tokens(_title(title, longest))) + spelled


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
    at = 0
    for text, used in _packed(_units(block), count_tokens, room):
        start = block.text.index(text, at)
        at = start + len(text)
        yield _Piece(_part(block, text, start), used)


def _part(block: Block, text: str, start: int) -> Block:
    if block.line is None:
        return replace(block, text=text)
    spans_lines = block.line_end is not None and block.line_end - block.line >= block.text.count("\n") > 0
    if not spans_lines:
        return replace(block, text=text)
    line = block.line + block.text.count("\n", 0, start)
    return replace(block, text=text, line=line, line_end=line + text.count("\n"))


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
        if used and used + tokens > room:
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
    while text:
        length = min(len(text), room * 8)
        while (tokens := count_tokens(text[:length])) > room and length > 1:
            length = max(1, min(length - 1, length * room // tokens))
        if length < len(text) and (blank := text.rfind(" ", length // 2, length)) > 0:
            length = blank + 1
            tokens = count_tokens(text[:length])
        pieces.append((text[:length], tokens))
        text = text[length:]
    return pieces
