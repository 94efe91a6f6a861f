"""Markdown: blocks as CommonMark sees them, under their headings; front matter is text to be found, too."""

import re
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from searchkit.ingest.extract.text import decode_text, paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?![ \t]*\n)(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KINDS = {"fence": BlockKind.CODE, "code_block": BlockKind.CODE, "table_open": BlockKind.TABLE}


def extract_markdown(content: bytes) -> ExtractedDocument:
    """Top-level blocks in their source form. The title is the front matter's, else the first heading of level one."""
    text = decode_text(content)
    front = _FRONT_MATTER.match(text)
    blocks: list[Block] = []
    if front:
        blocks.append(Block(front.group(1).strip(), BlockKind.TABLE, line=2, line_end=1 + front.group(1).count("\n")))
        # The rest keeps its line numbers.
        text = "\n" * text.count("\n", 0, front.end()) + text[front.end() :]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks += _blocks(text.split("\n"), tokens)
    return ExtractedDocument(_front_matter_title(front) or _first_heading(tokens), tuple(b for b in blocks if b.text))


def _blocks(lines: list[str], tokens: list[Token]) -> list[Block]:
    path: list[tuple[int, str]] = []
    blocks = []
    done = 0
    for i, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        start, end = token.map
        headings = tuple(name for _, name in path if name)
        # Link definitions leave no token, but what they say is text as well.
        blocks += [replace(block, headings=headings) for block in paragraphs("\n".join(lines[done:start]), done + 1)]
        done = end
        if token.type == "heading_open":
            level, title = int(token.tag[1]), _plain(tokens[i + 1])
            path = [(above, name) for above, name in path if above < level]
            path.append((level, title))
            source, kind, last = title, BlockKind.HEADING, end
        else:
            source, kind = "\n".join(lines[start:end]).rstrip(), _KINDS.get(token.type, BlockKind.PARAGRAPH)
            last = start + 1 + source.count("\n")
        headings = tuple(name for _, name in path if name)
        blocks.append(Block(source, kind, headings, line=start + 1, line_end=last))
    headings = tuple(name for _, name in path if name)
    return blocks + [replace(block, headings=headings) for block in paragraphs("\n".join(lines[done:]), done + 1)]


def _plain(inline: Token) -> str:
    """A heading's words without its markup."""
    parts = []
    for child in inline.children or []:
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or child.content.lower().startswith("<br"):
            parts.append(" ")
    return " ".join("".join(parts).split())


def _front_matter_title(front: re.Match[str] | None) -> str:
    found = re.search(r"^title:[ \t]*(.+)$", front.group(1), flags=re.MULTILINE) if front else None
    value = found.group(1).strip() if found else ""
    if quoted := re.match(r"([\"'])(.*)\1", value):
        return quoted.group(2)
    return "" if value[:1] in (">", "|") else re.sub(r"\s+#.*", "", value)


def _first_heading(tokens: list[Token]) -> str:
    names = (
        _plain(tokens[i + 1])
        for i, token in enumerate(tokens)
        if (token.type, token.tag, token.level) == ("heading_open", "h1", 0)
    )
    return next((name for name in names if name), "")
