"""Reads Markdown: blocks by CommonMark, under their headings; wiki links and callouts are ordinary text."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise, takewhile

from markdown_it import MarkdownIt
from markdown_it.token import Token

from searchkit.ingest.extract.data.table import bar_cells, joined_cells
from searchkit.ingest.extract.markup.frontmatter import read_front_matter
from searchkit.ingest.extract.text import decode_text, paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_KINDS = {"fence": BlockKind.CODE, "code_block": BlockKind.CODE, "table_open": BlockKind.TABLE}
_MARKS = re.compile(r"\A[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?")  # of quotes and lists, before a row
_WORDS = ("text", "text_special", "code_inline", "image")


def extract_markdown(content: bytes) -> ExtractedDocument:
    """Read top-level blocks in their source form. The title is the front matter's, else the first heading of level one."""
    text = decode_text(content)
    front = read_front_matter(text)
    # The rest keeps its line numbers.
    text = "\n" * text.count("\n", 0, front.length) + text[front.length :]
    environment: dict[str, object] = {}
    tokens = _parser().parse(text, environment)
    _read_headings(tokens, environment)
    blocks = [front.block] if front.block else []
    blocks += _blocks(text.split("\n"), tokens, [])
    title = front.title or _first_heading(tokens)
    return ExtractedDocument(title, tuple(b for b in blocks if b.text), front.metadata)


@cache
def _parser() -> MarkdownIt:
    """Parse blocks only: only headings need their inline content, which would take as long again."""
    return MarkdownIt("commonmark").enable("table").disable("inline")


def _read_headings(tokens: list[Token], environment: dict[str, object]) -> None:
    """Parse the inline content of headings; `environment` has the link definitions of the whole text."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0:
            inline.children = []
            _parser().inline.parse(inline.content, _parser(), environment, inline.children)


def markdown_blocks(text: str, path: list[tuple[int, str]]) -> list[Block]:
    """Read the blocks of a piece of a longer document. `path`: levels and names of the headings above; updated by those in it."""
    environment: dict[str, object] = {}
    tokens = _parser().parse(text, environment)
    _read_headings(tokens, environment)
    return [block for block in _blocks(text.split("\n"), tokens, path) if block.text]


def _blocks(lines: list[str], tokens: list[Token], path: list[tuple[int, str]]) -> list[Block]:
    blocks = []
    done = 0
    for i, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        start, end = token.map
        headings = tuple(name for _, name in path if name)
        # Link definitions leave no token, but they are text too.
        blocks += [replace(block, headings=headings) for block in paragraphs("\n".join(lines[done:start]), done + 1)]
        done = end
        if token.type == "heading_open":
            level, title = int(token.tag[1]), _plain(tokens[i + 1])
            path[:] = [(above, name) for above, name in path if above < level]
            path.append((level, title))
            source, kind, last = title, BlockKind.HEADING, end
        else:
            source, kind = "\n".join(lines[start:end]).rstrip(), _KINDS.get(token.type, BlockKind.PARAGRAPH)
            last = start + 1 + source.count("\n")
        headings = tuple(name for _, name in path if name)
        columns = joined_cells(bar_cells(lines[start])) if kind is BlockKind.TABLE else ""
        if token.type == "html_block" and "<table" in source.lower():
            kind, columns = BlockKind.TABLE, _names_in_html(source)
        whole = Block(source, kind, headings, line=start + 1, line_end=last, columns=columns)
        inside = [each.map for each in _within(tokens, i) if each.type == "table_open" and each.map]
        blocks += _around_tables(whole, inside) if inside else [whole]
    headings = tuple(name for _, name in path if name)
    return blocks + [replace(block, headings=headings) for block in paragraphs("\n".join(lines[done:]), done + 1)]


def _names_in_html(source: str) -> str:
    """The names of the columns of the first table in a piece of HTML, which itself is read as it is written."""
    from searchkit.ingest.extract.markup.html import extract_html  # few files have such tables

    return next((block.columns for block in extract_html(source.encode()).blocks if block.columns), "")


def _within(tokens: list[Token], opening: int) -> Iterator[Token]:
    """The tokens between one that opens a list, a quote or the like, and the one that closes it."""
    if tokens[opening].nesting == 1 and tokens[opening].type not in _KINDS:
        yield from takewhile(lambda token: token.level > tokens[opening].level, tokens[opening + 1 :])


def _around_tables(whole: Block, inside: list[list[int]]) -> Iterator[Block]:
    """A list or a quote, parted at the tables in it, which have their names of columns; `inside`: their first and last lines."""
    lines, first = whole.text.split("\n"), (whole.line or 1) - 1
    done = 0
    for table in inside:
        start, end = table[0] - first, min(table[1] - first, len(lines))
        yield from (
            replace(each, headings=whole.headings)
            for each in paragraphs("\n".join(lines[done:start]), first + done + 1)
        )
        rows = [_MARKS.sub("", line) for line in lines[start:end]]
        columns = joined_cells(bar_cells(rows[0]))
        text = "\n".join(rows)
        yield replace(
            whole, text=text, kind=BlockKind.TABLE, line=first + start + 1, line_end=first + end, columns=columns
        )
        done = end
    yield from (
        replace(each, headings=whole.headings) for each in paragraphs("\n".join(lines[done:]), first + done + 1)
    )


def _plain(inline: Token) -> str:
    """A heading's words without its markup."""
    parts = []
    for child in inline.children or []:
        if child.type in _WORDS:
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or child.content.lower().startswith("<br"):
            parts.append(" ")
    return " ".join("".join(parts).split())


def _first_heading(tokens: list[Token]) -> str:
    names = (
        _plain(tokens[i + 1])
        for i, token in enumerate(tokens)
        if (token.type, token.tag, token.level) == ("heading_open", "h1", 0)
    )
    return next((name for name in names if name), "")
