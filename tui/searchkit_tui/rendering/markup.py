"""Styles for Markdown and source code. Markdown's signs become style, while its text and line ends stay where they are."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from textual.content import Content, Span

# Whatever could steer a terminal or reorder its cells: control characters except line ends and tabs, and characters that
# change the direction of writing.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_UNSEEN = "\u061c\u200e\u200f\ufeff"  # they only help to lay out the text around them
_DELETE = 0x7F


@dataclass(slots=True)
class Rewriting:
    """Edits (start, end, replacement) and styles (start, end, style) of a text, in any order. Of overlapping edits the first
    counts."""

    text: str
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    styles: list[tuple[int, int, str]] = field(default_factory=list)

    def content(self) -> Content:
        """Apply edits and styles, with visible signs for control characters."""
        edits = _apart([*self.edits, *_made_visible(self.text)])
        parts, shown_at, original_at, at, length = [], [0], [0], 0, 0
        for start, end, replacement in edits:
            parts += [self.text[at:start], replacement]
            length += start - at
            # Between these two, offsets of the original lie inside what was replaced.
            original_at += [start, end]
            shown_at += [length, length + len(replacement)]
            length += len(replacement)
            at = end
        parts.append(self.text[at:])

        def shown(offset: int) -> int:
            piece = bisect_right(original_at, offset) - 1
            beyond = offset - original_at[piece]
            if piece % 2:  # inside a replacement: its beginning, or its end if all of it is over
                return shown_at[piece]
            return shown_at[piece] + beyond

        spans = [Span(shown(start), shown(end), style) for start, end, style in self.styles]
        return Content("".join(parts), [span for span in spans if span.end > span.start])


def _apart(edits: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sort the edits, and drop those that begin inside an earlier one."""
    kept: list[tuple[int, int, str]] = []
    for edit in sorted(edits, key=lambda each: (each[0], -each[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept


def _made_visible(text: str) -> Iterable[tuple[int, int, str]]:
    return ((found.start(), found.end(), sign_of(found.group())) for found in _UNSAFE.finditer(text))


def sign_of(character: str) -> str:
    """Choose the visible sign for a control character; "" for one that only helps to lay out text."""
    code = ord(character)
    if character in _UNSEEN:
        return ""
    if character == "\r":
        return ""
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == _DELETE else "␦"


def visible(text: str, *, one_line: bool = False) -> str:
    """Replace control characters by visible signs; with `one_line`, also line ends and tabs by blanks."""
    shown = _UNSAFE.sub(lambda found: sign_of(found.group()), text)
    return re.sub(r"\s+", " ", shown).strip() if one_line else shown


def lines_of(text: str) -> list[tuple[int, int]]:
    """List (start, end) of each line, without its line end."""
    ends = [-1, *(found.start() for found in re.finditer("\n", text)), len(text)]
    return [(before + 1, end) for before, end in pairwise(ends)]


HEADING_STYLE = "bold $text-primary"
CODE_STYLE = "$text-success"
LINK_STYLE = "underline"
QUIET_STYLE = "$text 70%"

_LONGEST_CODE = 20_000  # characters; lexers read some 200 kB a second on a slow core

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+#-]*)")
_HEADING = re.compile(r"(#{1,6})\s+(?=\S)")
_BULLET = re.compile(r"\s*([-*+])(?=\s+\S)")
_TASK = re.compile(r"\s*[-*+]\s+(\[[ xX]\])\s")
_QUOTE = re.compile(r"(?:\s*>)+")
_RULE = re.compile(r"\s*(?:[-*_]\s*){3,}$")
_TABLE_RULE = re.compile(r"\s*\|?[\s:|-]*-{3,}[\s:|-]*$")
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_LINK = re.compile(r"(!?\[)([^\[\]]*)(\]\()([^()\s]*)(?:\s+\"[^\"]*\")?\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])(.+?)(?<=[^\s*_])\1(?![\w*])")


def read_markdown(writing: Rewriting) -> None:
    """Add the edits and styles that a text's Markdown asks for."""
    fence, code_start, language = "", 0, ""
    for start, end in lines_of(writing.text):
        line = writing.text[start:end]
        found = _FENCE.match(line)
        if fence and found and found[1].startswith(fence) and not found[2]:
            _add_code(writing, code_start, start, language)
            _hide(writing, start, end)
            fence = ""
        elif fence:
            continue
        elif found:
            fence, language, code_start = found[1], found[2], min(end + 1, len(writing.text))
            _hide(writing, start, end)
        else:
            _read_line(writing, start, line)
    if fence:  # the passage ends inside the code
        _add_code(writing, code_start, len(writing.text), language)


def code_styles(code: str, language: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, style) of the code's tokens, in theme variables; none for an unknown language or long code."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound
    from textual.highlight import HighlightTheme

    if not language or len(code) > _LONGEST_CODE:
        return
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return
    for start, kind, token in lexer.get_tokens_unprocessed(code):
        node = kind
        while node is not None and node not in HighlightTheme.STYLES:
            node = node.parent
        style = HighlightTheme.STYLES.get(node, "")
        if style and token.strip():
            yield start, start + len(token), style


@cache
def language_of(file_name: str) -> str:
    """Find the highlighter's name for the language of a file, by the file's name; "" if unknown."""
    from pygments.lexers import find_lexer_class_for_filename

    lexer = find_lexer_class_for_filename(file_name)
    return lexer.aliases[0] if lexer is not None and lexer.aliases else ""


def _hide(writing: Rewriting, start: int, end: int) -> None:
    """Remove a line with its line end."""
    writing.edits.append((start, min(end + 1, len(writing.text)), ""))


def _add_code(writing: Rewriting, start: int, end: int, language: str) -> None:
    code = writing.text[start:end]
    writing.styles.append((start, end, CODE_STYLE))
    writing.styles += [(start + a, start + b, style) for a, b, style in code_styles(code, language)]


def _read_line(writing: Rewriting, start: int, line: str) -> None:
    end = start + len(line)
    if heading := _HEADING.match(line):
        writing.edits.append((start, start + heading.end(), ""))
        writing.styles.append((start, end, HEADING_STYLE))
    elif _RULE.match(line) or _TABLE_RULE.match(line):
        writing.styles.append((start, end, QUIET_STYLE))
        return
    elif quote := _QUOTE.match(line):
        writing.edits.append((start, start + quote.end(), "│"))
    elif task := _TASK.match(line):
        writing.styles.append((start + task.start(1), start + task.end(1), "bold"))
    elif bullet := _BULLET.match(line):
        writing.edits.append((start + bullet.start(1), start + bullet.end(1), "•"))
    _read_inline(writing, start, line)


def _read_inline(writing: Rewriting, start: int, line: str) -> None:
    codes = list(_CODE.finditer(line))
    for code in codes:
        ticks = len(code[1])
        writing.edits += [_hidden(start + code.start(), ticks), _hidden(start + code.end() - ticks, ticks)]
        writing.styles.append((start + code.start(2), start + code.end(2), CODE_STYLE))
    for link in _outside(_LINK, line, codes):
        writing.edits += [
            _hidden(start + link.start(1), len(link[1])),
            (start + link.start(3), start + link.end(3), " ("),
        ]
        writing.styles.append((start + link.start(2), start + link.end(2), LINK_STYLE))
        writing.styles.append((start + link.start(3), start + link.end(), QUIET_STYLE))
    for pattern, style in ((_STRONG, "bold"), (_EMPHASIS, "italic")):
        for found in _outside(pattern, line, codes):
            signs = len(found[1])
            writing.edits += [_hidden(start + found.start(), signs), _hidden(start + found.end() - signs, signs)]
            writing.styles.append((start + found.start(2), start + found.end(2), style))


def _hidden(at: int, length: int) -> tuple[int, int, str]:
    return at, at + length, ""


def _outside(pattern: re.Pattern[str], line: str, codes: list[re.Match[str]]) -> Iterator[re.Match[str]]:
    """Yield the matches outside of code."""
    for found in pattern.finditer(line):
        if not any(code.start() < found.end() and found.start() < code.end() for code in codes):
            yield found
