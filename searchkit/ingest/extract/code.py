"""Source code: cut where a line begins at the margin after a blank one, named after what is defined there."""

import re

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.text import decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_DEFINITION = re.compile(
    r"^\s*(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\([^)]*\))?|unsafe|inline|extern|create|or|replace)\s+)*"
    r"(?:func\s+\([^)]*\)\s*|(?:def|class|func|fn|function|struct|enum|trait|impl|interface|type|module|namespace|sub|proc|table|view|object|record)\s+)"
    r"[^\W\d][\w.:<>$!?-]*",
    re.IGNORECASE,
)
_MINIFIED = 500  # characters a line on average
_ATTACHED = re.compile(r"\s*(?:#|//|/\*|\*|--|;;|\"\"\"|@|\[)")


def extract_code(content: bytes) -> ExtractedDocument:
    """A block a top-level piece, its heading the definition it begins with (after comments and decorators).

    Raises UnreadableFileError for minified code and data tables in code's clothes, which nobody looks for.
    """
    lines = decode_text(content).split("\n")
    mean_length = sum(map(len, lines)) // len(lines)
    if mean_length > _MINIFIED:
        raise UnreadableFileError(f"minified or machine-made code: {mean_length:,} characters a line on average")
    starts = [0, *(i for i in range(1, len(lines)) if lines[i][:1].strip() and not lines[i - 1].strip())]
    blocks = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = "\n".join(lines[start:end]).strip("\n").rstrip()
        if text:
            blank = next(i for i in range(start, end) if lines[i].strip()) - start
            first = start + blank + 1
            name = _definition(lines[start:end])
            blocks.append(
                Block(text, BlockKind.CODE, (name,) if name else (), line=first, line_end=first + text.count("\n"))
            )
    return ExtractedDocument("", tuple(blocks))


def _definition(lines: list[str]) -> str:
    """The definition that the piece begins with, "" if it begins with something else."""
    for line in lines:
        if found := _DEFINITION.match(line):
            return " ".join(found.group().split()).rstrip(":")
        if line.strip() and not _ATTACHED.match(line):
            return ""
    return ""
