"""Makes what a model writes harmless to show: nothing in it steers a terminal, or is fetched by what renders it.

Retrieved text may have told the model to write an image whose address carries what it has read. Everything stays readable
as plain text, but control characters, which have no reading.
"""

import re

from searchkit.display import printable

# Direction overrides and invisible characters: what is seen must be what is there.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(\s*<?([^\s)>]*)>?[^)\n]*\)")
_CALL = re.compile(r"\[[^\]\n]*\]\([\w\s,]+\)")  # handlers[name](event, data): code, or a word that leads nowhere
_DEFINITION = re.compile(r"^(\s*\[[^\]\n]+\]):\s*<?(\S+?)>?(?=\s|$)", re.MULTILINE)
_REFERENCE = re.compile(r"!\[([^\]\n]*)\](?:\[[^\]\n]*\])?")
_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}:(?:/|\\|&#)+|(?<![\w:/])//(?=[\w-]+\.\w)", re.IGNORECASE)
_SCRIPT = re.compile(r"\b(javascript|vbscript|data)(:)(?=\S)", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.(?=\w)", re.IGNORECASE)
_TAG = re.compile(
    r"<(?=\s*/?\s*(?:a|applet|audio|base|body|button|embed|form|frame|frameset|iframe|image|img|input|link|math|meta"
    r"|object|picture|script|source|style|svg|table|td|track|video)\b|!--)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"!?\[[^\]\n]*\](?:\([^)\n]*\))?|<[^>\n]*>")


def visible_text(text: str) -> str:
    """The text without control characters, and others that are not seen."""
    return _UNSEEN.sub("", printable(text))


def plain_text(text: str) -> str:
    """The visible text, in which addresses have no scheme, and images, links and tags are plain words."""
    text = visible_text(text)
    text = _LINK.sub(_link, text)
    text = _DEFINITION.sub(r"\1 \2", text)
    text = _REFERENCE.sub(r"\1 (image)", text)
    text = _WWW.sub("", _SCHEME.sub("", text))
    text = _SCRIPT.sub(r"\1 ", text)
    return _TAG.sub("‹", text)


def _link(match: re.Match[str]) -> str:
    if _CALL.fullmatch(match[0]):
        return match[0]
    is_image, words, address = match.groups()
    kind = "image: " if is_image else ""
    return f"{words} ({kind}{address})" if address else words


class PlainTextStream:
    """The same for a text that comes in pieces: gives out whole words, and holds back what may become a link."""

    _LONGEST = 2000  # characters held back; no link is longer, and without its scheme none is one

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        self._held += piece
        end = self._safe_end()
        ready, self._held = self._held[:end], self._held[end:]
        return plain_text(ready)

    def finish(self) -> str:
        """The rest."""
        ready, self._held = self._held, ""
        return plain_text(ready)

    def _safe_end(self) -> int:
        """Behind the last word before any bracket that is still open; the end of a word is known by what follows it."""
        spaces = [match.end() for match in re.finditer(r"\s+(?=\S)|\n", self._held)]
        ends = [match.end() for match in re.finditer(r"[\u3002\uff01\uff1f](?=[^\])])", self._held)]
        start = self._open_bracket()
        if len(self._held) > self._LONGEST:
            start = len(self._held)
        wholes = [match.span() for match in _WHOLE.finditer(self._held)]  # blanks inside are no ends of words
        outside = [end for end in (*spaces, *ends) if not any(begin < end < finish for begin, finish in wholes)]
        return max((end for end in outside if end <= start), default=0)

    def _open_bracket(self) -> int:
        """Where a construct begins that is not closed yet, or the end."""
        opened = re.search(r"!?\[[^\]\n]*$|!?\[[^\]\n]*\](?:\([^)\n]*)?$|<[^>\n]*$", self._held)
        return opened.start() if opened else len(self._held)
