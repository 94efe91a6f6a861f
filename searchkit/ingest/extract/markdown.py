"""Markdown: blocks as CommonMark sees them, under their headings; front matter is text to be found, too."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from searchkit.ingest.extract.text import decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
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
    blocks += _blocks(text)
    return ExtractedDocument(_front_matter_title(front) or _first_heading(blocks), tuple(b for b in blocks if b.text))


def _blocks(text: str) -> list[Block]:
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    path: list[tuple[int, str]] = []
    blocks = []
    for i, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        start, end = token.map
        if token.type == "heading_open":
            level, title = int(token.tag[1]), _plain(tokens[i + 1])
            path = [(above, name) for above, name in path if above < level]
            path.append((level, title))
            source, kind = title, BlockKind.HEADING
        else:
            source, kind = "\n".join(lines[start:end]).strip("\n").rstrip(), _KINDS.get(token.type, BlockKind.PARAGRAPH)
        headings = tuple(name for _, name in path if name)
        blocks.append(Block(source, kind, headings, line=start + 1, line_end=max(start + 1, end)))
    return blocks


def _plain(inline: Token) -> str:
    """A heading's words without its markup."""
    parts = [child.content for child in inline.children or [] if child.type in ("text", "code_inline")]
    return " ".join("".join(parts).split())


def _front_matter_title(front: re.Match[str] | None) -> str:
    found = re.search(r"^title:[ \t]*(.+)$", front.group(1), flags=re.MULTILINE) if front else None
    return found.group(1).strip().strip("\"'") if found else ""


def _first_heading(blocks: list[Block]) -> str:
    return next((b.text for b in blocks if b.kind is BlockKind.HEADING and len(b.headings) == 1), "")
