"""Blocks become chunks: as much as fits the model's budget of what stands under one heading on one page.

They are cut between blocks; a block that does not fit is cut between sentences or lines, then at words, then anywhere.
What is too long for one chunk and not for two becomes two of like size. Sections too short to mean much alone join their
neighbours. Nothing is left out and nothing said twice, but for the headings in the title.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, groupby, pairwise

from searchkit.ingest.segments import CountTokens, Seam, Unit, units_of
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument

VERSION = 5  # raise it when chunks come out differently: documents are then cut again
# Prompt and title included. 224 to 244 measured alike in recall of answers, 192 worse at five passages; the shorter of
# them hold less else (docs/benchmarks/reading.md). Gemma's window needs no mask up to 257.
PASSAGE_TOKENS = 224
_PROMPT_TOKENS = 14  # special tokens and the prompt's own words
_TITLE_TOKENS = 64
_SHORT_SECTION = 48  # tokens below which a section is joined with the next
_LEAST_ROOM = 16  # tokens of text in a chunk, however little the model takes
# What a cut costs, in parts of a chunk that might stay empty instead: text is cut inside a block only where the block
# does not fit, and inside a sentence even then only if the sentence's end is far.
_SEAM_COST = {Seam.PART: 0.0, Seam.SENTENCE: 1.0, Seam.INSIDE: 1.2}
_TOO_LONG = 4.0  # more than any cut that leaves a rest which fits
_TITLES_HELD = 1000  # of one document, so that one with very many headings does not fill the memory
_COUNTED = re.compile(r"(\w+?)s? (\d+)(?:–(\d+))?")  # "row 7", "rows 7–12", "cell 3"
_CELLS = re.compile(r"(.*!)([A-Z]+\d+)(?::([A-Z]+\d+))?")  # "Costs!A2:F41"
TITLE_SEPARATOR = " › "


class _Titles:
    """The lines of headings that chunks of one document stand under, and their tokens; a line is counted once."""

    def __init__(self, title: str, count_tokens: CountTokens) -> None:
        self._whole = lru_cache(_TITLES_HELD)(lambda headings: count_tokens(_title(title, headings)))
        self._cut = lru_cache(_TITLES_HELD)(lambda headings: _cut_title(_title(title, headings), count_tokens))

    def hold(self, headings: tuple[str, ...]) -> bool:
        """Whether the line has room for all of these."""
        return self._whole(headings) <= _TITLE_TOKENS

    def tokens(self, headings: tuple[str, ...]) -> int:
        """Tokens of the line, at most, wherever it stands: a blank line behind it included."""
        whole = self._whole(headings)
        return min(_TITLE_TOKENS, whole) + 1 if whole else 0

    def line(self, headings: tuple[str, ...]) -> str:
        """The line, cut to what it gets."""
        return self._cut(headings)


def chunk_document(document: ExtractedDocument, count_tokens: CountTokens, max_tokens: int) -> Iterator[Chunk]:
    """Cut a document for a model that takes `max_tokens`; the chunks come in the document's order, as its blocks do.

    No more of it is held than a few chunks. `token_count` is put together from parts, and may be a few off.
    """
    return _Cutter(document.title, count_tokens, max_tokens).chunks(document)


class _Cutter:
    """One document's way into chunks."""

    def __init__(self, title: str, count_tokens: CountTokens, max_tokens: int) -> None:
        self._count_tokens = count_tokens
        self._titles = _Titles(title, count_tokens)
        self._budget = min(PASSAGE_TOKENS, max_tokens) - _PROMPT_TOKENS

    def chunks(self, document: ExtractedDocument) -> Iterator[Chunk]:
        """See chunk_document. What waits, the run, is of one section, but for short ones joined at its beginning."""
        run: list[Unit] = []
        for stretch in _stretches(self._units(document), self._budget):
            if run and not _same_section(run[-1], stretch[0]):
                *whole, run = self._groups(run)
                yield from map(self._chunk, whole)
                if not self._joins(run, stretch):
                    yield self._chunk(run)
                    run = []
            run += stretch
            while _tokens(run) > 2 * self._budget:
                cut = self._best_cut(run, self._budget)
                yield self._chunk(run[:cut])
                run = run[cut:]
        yield from map(self._chunk, self._groups(run))

    def _units(self, document: ExtractedDocument) -> Iterator[Unit]:
        """Units under their headings; a heading is text of its own if nothing stands under it, or if a title does not
        hold it whole.
        """
        blocks = (block for block in document.blocks if block.text.strip())
        part = 0
        for block, following in pairwise(chain(blocks, [None])):
            assert block is not None
            if block.kind is BlockKind.HEADING and following:
                heads = following.headings[: len(block.headings)] == block.headings
                if heads and self._titles.hold(block.headings):
                    continue
            content = _without_itself(block)
            for unit in units_of(content, part, self._count_tokens, self._room(content.headings)):
                part = unit.part
                yield unit
            part += 1

    def _room(self, headings: tuple[str, ...]) -> int:
        """Tokens of text that go under a title."""
        return max(_LEAST_ROOM, self._budget - self._titles.tokens(headings))

    def _room_of(self, units: Sequence[Unit]) -> int:
        """Tokens that a chunk leaves for these units' text: their headings are in its title or where they stand."""
        paths = [path for path, _ in groupby(unit.block.headings for unit in units)]
        return max(_LEAST_ROOM, self._budget - sum(map(self._titles.tokens, paths)))

    def _joins(self, group: Sequence[Unit], section: Sequence[Unit]) -> bool:
        """Whether a chunk goes on with the next section, all of it or, if the chunk is short, its beginning."""
        if group[-1].block.page != section[0].block.page:
            return False
        both = [*group, *section]
        if _tokens(section) < _SHORT_SECTION:
            return _tokens(both) <= self._room_of(both)
        return _tokens(group) < _SHORT_SECTION and _tokens(both[: len(group) + 1]) <= self._room_of(both)

    def _groups(self, run: list[Unit]) -> list[list[Unit]]:
        """The chunks of all that is left of a section."""
        groups = []
        while _tokens(run) > (room := self._room_of(run)):
            total = _tokens(run)
            cut = self._best_cut(run, total / 2 if total <= 2 * room else room)
            groups.append(run[:cut])
            run = run[cut:]
        return [*groups, run] if run else groups

    def _best_cut(self, run: Sequence[Unit], target: float) -> int:
        """How many units go into the first chunk: of those that fit about `target` tokens, without cutting a block
        if that can be helped. If that is half of the run, the rest has to fit as well.
        """
        total, used, room = _tokens(run), 0, self._budget
        halves = target < self._room_of(run)
        best, least = 1, float("inf")
        for count, (unit, following) in enumerate(pairwise(run), 1):
            if count == 1 or unit.block.headings != run[count - 2].block.headings:
                room -= self._titles.tokens(unit.block.headings)
            used += unit.tokens
            if count > 1 and used > max(_LEAST_ROOM, room):
                break
            cost = abs(target - used) / self._budget + _SEAM_COST[following.seam]
            if halves and total - used > self._room(following.block.headings):
                cost += _TOO_LONG
            if cost <= least:
                best, least = count, cost
        return best

    def _chunk(self, group: Sequence[Unit]) -> Chunk:
        """The chunk of a group: common headings in the title, the others where they stand."""
        blocks = [unit.block for unit in group]
        common = _common(blocks)
        parts: list[str] = []
        tokens = _tokens(group) - 1  # no blank line before the first
        previous = common
        for _, same in groupby(group, key=lambda unit: unit.part):
            first, *more = same
            headings = first.block.headings
            if headings != previous:
                spelled = _cut_title(TITLE_SEPARATOR.join(headings[len(common) :]), self._count_tokens)
                parts += [spelled] if spelled else []
                tokens += self._count_tokens(spelled) + 1 if spelled else 0
                previous = headings
            parts.append(first.block.text[first.start : more[-1].end if more else first.end])
        lines = [unit.line for unit in group if unit.line is not None]
        ends = [unit.line_end for unit in group if unit.line_end is not None]
        return Chunk(
            text="\n\n".join(parts),
            title=self._titles.line(common),
            page=blocks[0].page,
            line=min(lines, default=None),
            line_end=max(ends, default=None),
            token_count=tokens,
            place=_joined_places(blocks),
        )


def _stretches(units: Iterator[Unit], budget: int) -> Iterator[list[Unit]]:
    """The units of one section after the other; a long one comes in several stretches, none of them short."""
    held: list[Unit] = []
    used = 0
    for unit in units:
        if held and (used > budget or not _same_section(held[-1], unit)):
            yield held
            held, used = [], 0
        held.append(unit)
        used += unit.tokens
    if held:
        yield held


def _same_section(unit: Unit, following: Unit) -> bool:
    return unit.block.headings == following.block.headings and unit.block.page == following.block.page


def _tokens(units: Sequence[Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _without_itself(block: Block) -> Block:
    """A heading that is its section's only text stands under the headings above it."""
    return replace(block, headings=block.headings[:-1]) if block.kind is BlockKind.HEADING else block


def _joined_places(blocks: Sequence[Block]) -> str:
    """Where the blocks stand: one place, or from the first to the last; "" if some have none, which page and line say."""
    places = list(dict.fromkeys(block.place for block in blocks))
    if not all(places):
        return ""
    first, last = places[0], places[-1]
    if last.startswith(first):
        return first
    for pattern, joined in ((_COUNTED, "{}s {}–{}"), (_CELLS, "{}{}:{}")):
        begin, end = pattern.fullmatch(first), pattern.fullmatch(last)
        if begin and end and begin[1] == end[1]:
            return joined.format(begin[1], begin[2], end[3] or end[2])
    return f"{first} – {last}"


def _common(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all blocks stand under."""
    common = blocks[0].headings
    for block in blocks[1:]:
        if block.headings == common:
            continue
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
