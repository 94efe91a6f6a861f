"""Styles for Markdown and source code. Markdown's signs become style, while its text and line ends stay where they are."""

import re
from collections.abc import Iterator
from functools import cache

from searchkit_tui.rendering.rewriting import Rewriting, lines_of

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
