"""Source code, cut at its definitions: by grammar where there is one, else where a blank line ends."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.code.syntax import Cut
from searchkit.ingest.extract.code.syntax import cuts as syntax_cuts
from searchkit.ingest.extract.text import decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_DEFINITION = re.compile(
    r"^\s*(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\([^)]*\))?|unsafe|inline|extern|create|or|replace)\s+)*"
    r"(?:func\s+\([^)]*\)\s*|(?:def|class|func|fn|function|struct|enum|trait|impl|interface|type|module|namespace|sub|proc|table|view|object|record)\s+)"
    r"[^\W\d][\w.:<>$!?-]*",
    re.IGNORECASE,
)
_MINIFIED = 500  # characters a line on average
_LONGEST = 4_000_000  # largest text to parse by a grammar; a tree takes many times its memory
_WORD = re.compile(r"\w")
_ATTACHED = re.compile(r"\s*(?:#|//|/\*|\*|--|;;|\"\"\"|@|\[)")


def extract_code(content: bytes, languages: Sequence[str] = ()) -> ExtractedDocument:
    """Read one block per piece, its heading the path of the definitions around it; comments belong to what they precede.

    The grammar of `languages` that explains the text best finds the definitions; without one, blank lines divide it.
    Raises UnreadableFileError for minified code and data tables disguised as code, which nobody searches for.
    """
    source = decode_text(content)
    lines = source.split("\n")
    mean_length = sum(map(len, lines)) // len(lines)
    if mean_length > _MINIFIED:
        raise UnreadableFileError(f"minified or machine-made code: {mean_length:,} characters a line on average")
    found = _cuts(source, languages)
    return ExtractedDocument("", tuple(_pieces(lines, _by_blank_lines(lines) if found is None else found)))


def _cuts(source: str, languages: Sequence[str]) -> list[Cut] | None:
    if not languages or len(source) > _LONGEST:
        return None
    return syntax_cuts(languages, source.encode("utf-8", "replace"))


def _by_blank_lines(lines: list[str]) -> list[Cut]:
    """Cut at the margin after blank lines; each piece is named after its beginning."""
    starts = [0, *(i for i in range(1, len(lines)) if lines[i][:1].strip() and not lines[i - 1].strip())]
    ends = [*starts[1:], len(lines)]
    names = [_definition(lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [Cut(start, (name,) if name else ()) for start, name in zip(starts, names, strict=True)]


def _pieces(lines: list[str], cuts: list[Cut]) -> Iterator[Block]:
    """The lines between the cuts. Lines without a word, such as closing brackets, belong to what they close."""
    headings_from: dict[int, tuple[str, ...]] = {0: (), **{cut.row: cut.headings for cut in cuts}}
    start, headings = 0, headings_from[0]
    for row, following in pairwise([*headings_from, len(lines)]):
        if row and any(_WORD.search(line) for line in lines[row:following]):
            yield from _piece(lines, start, row, headings)
            start, headings = row, headings_from[row]
    yield from _piece(lines, start, len(lines), headings)


def _piece(lines: list[str], start: int, end: int, headings: tuple[str, ...]) -> Iterator[Block]:
    first = next((i for i in range(start, end) if lines[i].strip()), end)
    text = "\n".join(lines[first:end]).rstrip()
    if text:
        yield Block(text, BlockKind.CODE, headings, line=first + 1, line_end=first + 1 + text.count("\n"))


extract_python = partial(extract_code, languages=("python",))
extract_javascript = partial(extract_code, languages=("javascript", "tsx"))
extract_typescript = partial(extract_code, languages=("typescript",))
extract_tsx = partial(extract_code, languages=("tsx",))
extract_java = partial(extract_code, languages=("java",))
extract_c = partial(extract_code, languages=("c",))
extract_cpp = partial(extract_code, languages=("cpp",))
extract_header = partial(extract_code, languages=("cpp", "c"))
extract_go = partial(extract_code, languages=("go",))
extract_rust = partial(extract_code, languages=("rust",))
extract_ruby = partial(extract_code, languages=("ruby",))
extract_php = partial(extract_code, languages=("php",))
extract_csharp = partial(extract_code, languages=("csharp",))
extract_shell = partial(extract_code, languages=("bash",))


def _definition(lines: list[str]) -> str:
    """The definition with which the piece begins, "" if it begins with something else."""
    for line in lines:
        if found := _DEFINITION.match(line):
            return " ".join(found.group().split()).rstrip(":")
        if line.strip() and not _ATTACHED.match(line):
            return ""
    return ""
