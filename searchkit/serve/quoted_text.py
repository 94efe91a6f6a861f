"""Text of documents as MCP gives it to language models, which show it to people: nothing unseen, nothing that is fetched.

Prose is put before them as `ask` puts it. Of code, comments and tags are what is read, so they stay.
"""

import re

from searchkit.answer.grounding.plain_text import visible_text
from searchkit.answer.prompt import as_data, without_turn_marks

_REMOTE_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(\s*<?\s*(?:[a-z][a-z0-9+.-]*:|//|\\\\)[^)\n]*\)", re.IGNORECASE)


def quoted_text(text: str, *, is_code: bool = False) -> str:
    """The text, harmless to show: see `as_data`; of code, only what is unseen, remote images and ends of turns go."""
    if not is_code:
        return as_data(text)
    return without_turn_marks(_REMOTE_IMAGE.sub(r"\1 (image)", visible_text(text))).strip()
