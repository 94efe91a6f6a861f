"""Text of documents as it leaves for other programs, most of which put it before a language model.

What a person does not see is taken out, what would fetch something when it is shown, and what would end a turn of a chat.
Links stay: they are often what was looked for.
"""

import re

from searchkit.answer.plain_text import visible_text
from searchkit.answer.prompt import without_turn_marks

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_REMOTE = r"\(\s*<?\s*(?:[a-z][a-z0-9+.-]*:|//|\\\\)[^)\n]*\)"
_IMAGE = re.compile(rf"!\[([^\]\n]*)\]{_REMOTE}", re.IGNORECASE)
_NAMED_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\[[^\]\n]*\]|(?!\())")  # its address stands elsewhere in the document
_FETCHED = re.compile(
    r"<\s*/?\s*(?:audio|base|embed|frame|iframe|image|img|input|link|meta|object|script|source|style|svg|track|video)\b[^>]*>?",
    re.IGNORECASE,
)


def quoted_text(text: str, *, is_code: bool = False) -> str:
    """The text, with words in place of images. In code, comments and tags are what is read, and stay."""
    text = _IMAGE.sub(r"\1 (image)", visible_text(text))
    if not is_code:
        text = _NAMED_IMAGE.sub(r"\1 (image)", _FETCHED.sub("", _COMMENT.sub(" ", text)))
    return without_turn_marks(text).strip()
