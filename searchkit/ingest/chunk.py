"""Turns blocks into chunks: as much text as fits the model's budget, from under one heading on one page.

Text is cut between blocks; a block that does not fit is cut between sentences or lines, then at words, then anywhere.
Text that fits two chunks but not one becomes two of similar size. Sections too short to mean much alone join their
neighbours. Nothing is left out, and nothing is repeated but the headings in the title. A definition in source code names
itself, so its name is not put above it as a heading would be.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, groupby, pairwise

from searchkit.ingest.segments import FULL_CHARACTERS, Boundary, CountTokens, Segment, segments_of
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument

VERSION = 6  # raise it when chunks change: documents are then chunked again
# Prompt and title included. 224 to 244 measured alike in recall of answers, 192 worse at five passages; the shorter of
# them contain less else (docs/benchmarks/reading.md). Gemma's window needs no mask up to 257.
PASSAGE_TOKENS = 224
_PROMPT_TOKENS = 14  # special tokens and the prompt's own words
_TITLE_TOKENS = 64
_NAMES_TOKENS = 112  # of a title that ends with the names of columns, up to half of a chunk
_SHORT_SECTION = 48  # tokens below which a section is joined with the next
_LEAST_ROOM = 16  # tokens of text in a chunk, however short the model's input
# Costs of cuts, as shares of a chunk that might be left empty instead: text is cut inside a block only if the block does
# not fit, and even then inside a sentence only if the sentence's end is far.
_BOUNDARY_COST = {Boundary.PART: 0.0, Boundary.SENTENCE: 1.0, Boundary.INSIDE: 1.2}
_TOO_LONG = 4.0  # more than any cut that leaves a remainder that fits
_TITLES_HELD = 1000  # for one document; a bound on memory if it has very many headings
_COUNTED = re.compile(r"(\w+?)s? (\d+)(?:–(\d+))?")  # "row 7", "rows 7–12", "cell 3"
_BOX = re.compile(r"(.*)box (\d+),(\d+),(\d+),(\d+)")  # "page 3, box 10,20,90,35"
_CELLS = re.compile(r"(.*!)([A-Z]+\d+)(?::([A-Z]+\d+))?")  # "Costs!A2:F41"
TITLE_SEPARATOR = " › "
_BETWEEN = "\n\n"  # parts of a chunk
BAR = " | "  # between the names of columns


class _Titles:
    """The heading lines of one document's chunks, and their tokens; each line is counted once."""

    def __init__(self, title: str, count_tokens: CountTokens, budget: int) -> None:
        self._names_tokens = max(_TITLE_TOKENS, min(_NAMES_TOKENS, budget // 2))
        self._whole = lru_cache(_TITLES_HELD)(lambda headings: count_tokens(_title(title, headings)))
        self._cut = lru_cache(_TITLES_HELD)(
            lambda headings: _cut_title(_title(title, headings), count_tokens, self.most_tokens(headings))
        )

    def most_tokens(self, headings: tuple[str, ...]) -> int:
        """The tokens that the line may have."""
        return self._names_tokens if headings and BAR in headings[-1] else _TITLE_TOKENS

    def has_room(self, headings: tuple[str, ...]) -> bool:
        """True if the line has room for all of the headings."""
        return self._whole(headings) <= self.most_tokens(headings)

    def tokens(self, headings: tuple[str, ...]) -> int:
        """An upper bound of the line's tokens anywhere, including a blank line after it."""
        whole = self._whole(headings)
        return min(self.most_tokens(headings), whole) + 1 if whole else 0

    def line(self, headings: tuple[str, ...]) -> str:
        """The line, cut to its budget."""
        return self._cut(headings)


def chunk_document(document: ExtractedDocument, count_tokens: CountTokens, max_tokens: int) -> Iterator[Chunk]:
    """Cut a document for a model with an input of `max_tokens`; the chunks are in the document's order, as its blocks are, and
    none has blocks of two units.

    Only a few chunks are in memory at a time. `token_count` is a sum of parts, and may be off by a few.
    """
    chunker = _Chunker(document.title, count_tokens, max_tokens)
    for _, blocks in groupby(document.blocks, key=lambda block: block.unit):
        yield from chunker.chunks(blocks)


class _Chunker:
    """Cuts one document into chunks."""

    def __init__(self, title: str, count_tokens: CountTokens, max_tokens: int) -> None:
        self._count_tokens = count_tokens
        self._budget = min(PASSAGE_TOKENS, max_tokens) - _PROMPT_TOKENS
        self._titles = _Titles(title, count_tokens, self._budget)
        self._has_headings = False  # in its text; those of source code are names that its definitions have

    def chunks(self, blocks: Iterable[Block]) -> Iterator[Chunk]:
        """See chunk_document. `run` has the pending segments of one section, after short sections that were joined to it."""
        run: list[Segment] = []
        for stretch in _stretches(self._segments(blocks), self._budget):
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

    def _segments(self, blocks: Iterable[Block]) -> Iterator[Segment]:
        """The segments under their headings; a heading is text itself if nothing is under it, or if a title has no room
        for all of it.
        """
        with_text = (block for block in blocks if block.text.strip())
        part = 0
        for block, following in pairwise(chain(self._under_columns(with_text), [None])):
            assert block is not None
            self._has_headings = self._has_headings or block.kind is BlockKind.HEADING
            if block.kind is BlockKind.HEADING and following:
                heads = following.headings[: len(block.headings)] == block.headings
                if heads and self._titles.has_room(block.headings):
                    continue
            content = _without_itself(block)
            for segment in segments_of(content, part, self._count_tokens, self._room(content.headings)):
                part = segment.part
                yield segment
            part += 1

    def _under_columns(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Put a table that does not fit one chunk under its row of names, as under a heading, which every piece has."""
        for (columns, headings, _), table in groupby(
            blocks, key=lambda block: (block.columns, block.headings, block.page)
        ):
            if not columns:
                yield from table
                continue
            held: list[Block] = []
            room = self._room(headings)
            while room >= 0 and (block := next(table, None)):
                held.append(block)
                may_fit = len(block.text) <= room * FULL_CHARACTERS
                room -= self._count_tokens(block.text) + 1 if may_fit else room + 1
            if room >= 0:
                yield from held
            else:
                path = (*headings, columns)
                yield from (
                    _row_under(block, path, in_title=self._titles.has_room(path)) for block in chain(held, table)
                )

    def _room(self, headings: tuple[str, ...]) -> int:
        """The tokens of text that fit under a title."""
        return max(_LEAST_ROOM, self._budget - self._titles.tokens(headings))

    def _room_of(self, segments: Sequence[Segment]) -> int:
        """The tokens that a chunk has for these segments' text; their headings are in its title or in place."""
        paths = [path for path, _ in groupby(segment.block.headings for segment in segments)]
        return max(_LEAST_ROOM, self._budget - sum(map(self._titles.tokens, paths)))

    def _joins(self, group: Sequence[Segment], section: Sequence[Segment]) -> bool:
        """True if a chunk continues with the next section: all of it or, if the chunk is short, its beginning."""
        if group[-1].block.page != section[0].block.page:
            return False
        both = [*group, *section]
        if _tokens(section) < _SHORT_SECTION:
            return _tokens(both) <= self._room_of(both)
        return _tokens(group) < _SHORT_SECTION and _tokens(both[: len(group) + 1]) <= self._room_of(both)

    def _groups(self, run: list[Segment]) -> list[list[Segment]]:
        """Divide the rest of a section into chunks."""
        groups = []
        while _tokens(run) > (room := self._room_of(run)):
            total = _tokens(run)
            cut = self._best_cut(run, total / 2 if total <= 2 * room else room)
            groups.append(run[:cut])
            run = run[cut:]
        return [*groups, run] if run else groups

    def _best_cut(self, run: Sequence[Segment], target: float) -> int:
        """Count the segments of the first chunk: about `target` tokens of those that fit, without cutting a block
        if possible. If that is half of the run, the rest has to fit too.
        """
        total, used, room = _tokens(run), 0, self._budget
        halves = target < self._room_of(run)
        best, least = 1, float("inf")
        for count, (segment, following) in enumerate(pairwise(run), 1):
            if count == 1 or segment.block.headings != run[count - 2].block.headings:
                room -= self._titles.tokens(segment.block.headings)
            used += segment.tokens
            if count > 1 and used > max(_LEAST_ROOM, room):
                break
            cost = abs(target - used) / self._budget + _BOUNDARY_COST[following.boundary]
            if halves and total - used > self._room(following.block.headings):
                cost += _TOO_LONG
            if cost <= least:
                best, least = count, cost
        return best

    def _chunk(self, group: Sequence[Segment]) -> Chunk:
        """Build the chunk of a group: common headings go into the title, the others stay in place."""
        blocks = [segment.block for segment in group]
        common = _common(blocks)
        parts: list[str] = []
        anchors: list[tuple[int, int | None]] = []  # offsets in the text, and the lines of the file
        tokens = _tokens(group) - 1  # no blank line before the first
        previous = common
        for _, same in groupby(group, key=lambda segment: segment.part):
            of_part = list(same)
            first, last = of_part[0], of_part[-1]
            headings = first.block.headings
            text = first.block.text[first.start : last.end]
            if headings != previous:
                most = self._titles.most_tokens(headings)
                is_source = first.block.kind is BlockKind.CODE and not self._has_headings
                names = [name for name in headings[len(common) :] if not (is_source and _says(text, name))]
                spelled = _cut_title(TITLE_SEPARATOR.join(names), self._count_tokens, most)
                parts += [spelled] if spelled else []
                tokens += self._count_tokens(spelled) + 1 if spelled else 0
                previous = headings
            at = sum(map(len, parts)) + len(_BETWEEN) * len(parts)
            anchors += [(at + segment.start - first.start, segment.line) for segment in of_part]
            parts.append(text)
        lines = [segment.line for segment in group if segment.line is not None]
        ends = [segment.line_end for segment in group if segment.line_end is not None]
        text = _BETWEEN.join(parts)
        return Chunk(
            text=text,
            title=self._titles.line(common),
            page=blocks[0].page,
            line=min(lines, default=None),
            line_end=max(ends, default=None),
            token_count=tokens,
            place=_joined_places(blocks),
            lines=_anchored(text, anchors),
        )


def _says(text: str, name: str) -> bool:
    """True if the text has the name of a definition as a whole."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", " ".join(text.split())) is not None


def _anchored(text: str, anchors: Sequence[tuple[int, int | None]]) -> str:
    """The lines of a chunk's parts as `line_in_file` reads them; "" where counting from its first line says the same."""
    known = [(at, line) for at, line in anchors if line is not None]
    if not known or len(known) < len(anchors):
        return ""
    kept = [known[0]]
    for at, line in known[1:]:
        offset, before = kept[-1]
        if line != before + text.count("\n", offset, at):
            kept.append((at, line))
    is_counted = len(kept) == 1 and kept[0][0] == 0
    return "" if is_counted else " ".join(f"{at}:{line}" for at, line in kept)


def _stretches(segments: Iterator[Segment], budget: int) -> Iterator[list[Segment]]:
    """Group the segments by section; a long section comes in several stretches, none of them short."""
    held: list[Segment] = []
    used = 0
    for segment in segments:
        if held and (used > budget or not _same_section(held[-1], segment)):
            yield held
            held, used = [], 0
        held.append(segment)
        used += segment.tokens
    if held:
        yield held


def _same_section(segment: Segment, following: Segment) -> bool:
    return segment.block.headings == following.block.headings and segment.block.page == following.block.page


def _tokens(segments: Sequence[Segment]) -> int:
    return sum(segment.tokens for segment in segments)


def _without_itself(block: Block) -> Block:
    """Put a heading that is its section's only text under the headings above it."""
    return replace(block, headings=block.headings[:-1]) if block.kind is BlockKind.HEADING else block


def _row_under(block: Block, path: tuple[str, ...], *, in_title: bool) -> Block:
    """Rows under the names of their columns; `in_title`: every chunk's title has all of these, and the text need not."""
    names = path[-1]
    kind = BlockKind.HEADING if block.text == names else block.kind
    text = block.text.removeprefix(f"{names}\n") if in_title and block.line is None else block.text
    return replace(block, text=text, kind=kind, headings=path, columns="")


def _joined_places(blocks: Sequence[Block]) -> str:
    """The place of the blocks: one, or from the first to the last; "" if some have none, and page and line say it."""
    places = list(dict.fromkeys(block.place for block in blocks))
    if not all(places):
        return ""
    first, last = places[0], places[-1]
    boxes = [box for place in places if (box := _BOX.fullmatch(place))]
    if len(boxes) == len(places) > 1 and len({box[1] for box in boxes}) == 1:
        sides = [[int(box[side]) for box in boxes] for side in (2, 3, 4, 5)]
        return f"{boxes[0][1]}box {min(sides[0])},{min(sides[1])},{max(sides[2])},{max(sides[3])}"
    if last.startswith(first):
        return first
    for pattern, joined in ((_COUNTED, "{}s {}–{}"), (_CELLS, "{}{}:{}")):
        begin, end = pattern.fullmatch(first), pattern.fullmatch(last)
        if begin and end and begin[1] == end[1]:
            return joined.format(begin[1], begin[2], end[3] or end[2])
    return f"{first} – {last}"


def _common(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The headings that all blocks have in common."""
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
    """The document's title and the heading path as one line, without repeating one."""
    names = [title, *headings] if title and title not in headings[:1] else list(headings)
    return TITLE_SEPARATOR.join(" ".join(name.split()) for name in names if name)


def _cut_title(title: str, count_tokens: CountTokens, most: int) -> str:
    """Shorten a title to leave room for the text; its end, nearest to the passage, is kept."""
    while (tokens := count_tokens(title)) > most:
        title = title[-(len(title) * most // tokens) :] if len(title) > most else title[1:]
    return title.strip()
