"""Source code in the theme's colours."""

from collections.abc import Iterator
from functools import cache

_LONGEST = 20_000  # characters; lexers read some 200 kB a second on a slow core


def code_styles(code: str, language: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, style) of the code's tokens, in theme variables; none for a language that is not known."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound
    from textual.highlight import HighlightTheme

    if not language or len(code) > _LONGEST:
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
    """What the highlighter calls the language of a file, by its name alone; "" for one that it does not know."""
    from pygments.lexers import find_lexer_class_for_filename

    lexer = find_lexer_class_for_filename(file_name)
    return lexer.aliases[0] if lexer is not None and lexer.aliases else ""
