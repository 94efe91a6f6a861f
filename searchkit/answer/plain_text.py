"""Makes what a model writes safe to show: nothing in it steers a terminal, or is fetched by a renderer.

Retrieved text may have instructed the model to write an image whose address contains what it has read. Everything stays readable as
plain text, except control characters. A model's reasoning, and the fences around an answer, are left out.
"""

import re

from searchkit.display import printable

# Direction overrides and invisible characters: what is visible must be what is there.
# A variation selector is needed in sequences of emoji alone; everywhere else any number of them can hide a text.
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e"
    f"\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]|(?<![{_EMOJI}])\ufe0f(?!\u20e3)"
)
_BLANK_BRAILLE = "\u2800"  # looks like a blank
_LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(\s*<?([^\s)>]*)>?[^)\n]*\)")
_CALL = re.compile(r"\[[^\]\n]*\]\([\w\s,]+\)")  # handlers[name](event, data): code, or a word without an address
# Also in quotations and lists, with brackets that are escaped, and with a label on several lines.
_DEFINITION = re.compile(
    r"^((?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*\[(?:\\.|[^\]\\]){1,999}\]):\s*<?(\S+?)>?(?=\s|$)", re.MULTILINE
)
# The address of a link in angle brackets needs no slashes.
_AUTOLINK = re.compile(r"<\s*(?:https?|ftps?|wss?|file|data|javascript|vbscript):[/\\]*([^\s<>]*)>", re.IGNORECASE)
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
# The opening fence of an answer that is fenced as a whole; a language after it means code.
_WRAPPED = re.compile(r"\s*```(?:(?:te?xt|plain(?:text)?|markdown|md)(?=\s*\n)|(?![\w+#.-]+[ \t]*\n))", re.IGNORECASE)


def visible_text(text: str) -> str:
    """The text without control characters and invisible characters."""
    return _UNSEEN.sub("", printable(text)).replace(_BLANK_BRAILLE, " ")


def plain_text(text: str) -> str:
    """The visible text, in which addresses have no scheme, and images, links and tags are plain words."""
    text = visible_text(text)
    text = _AUTOLINK.sub(r"\1", _LINK.sub(_link, text))
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
    """Plain text of a text that arrives in pieces: yields whole words, and holds back what may become a link."""

    _LONGEST = 2000  # characters held back; no link is longer, and without its scheme it is harmless

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a further piece, and return what can be shown now."""
        self._held += piece
        end = self._safe_end()
        ready, self._held = self._held[:end], self._held[end:]
        return plain_text(ready)

    def finish(self) -> str:
        """Return the rest."""
        ready, self._held = self._held, ""
        return plain_text(ready)

    def _safe_end(self) -> int:
        """The end of the last complete word before any open bracket; a word is complete when something follows it."""
        spaces = [match.end() for match in re.finditer(r"\s+(?=\S)|\n", self._held)]
        ends = [match.end() for match in re.finditer(r"[\u3002\uff01\uff1f](?=[^\])])", self._held)]
        start = self._open_bracket()
        if len(self._held) > self._LONGEST:
            start = len(self._held)
        wholes = [match.span() for match in _WHOLE.finditer(self._held)]  # blanks inside do not end a word
        outside = [end for end in (*spaces, *ends) if not any(begin < end < finish for begin, finish in wholes)]
        return max((end for end in outside if end <= start), default=0)

    def _open_bracket(self) -> int:
        """The start of a construct that is not closed yet, or the end of the text."""
        opened = re.search(r"!?\[[^\]\n]*$|!?\[[^\]\n]*\](?:\([^)\n]*)?$|<[^>\n]*$", self._held)
        return opened.start() if opened else len(self._held)


class FenceStripper:
    """Removes the fences around an answer that is not code: text between fences would not be checked."""

    def __init__(self) -> None:
        self._state = "unknown"

    def without(self, text: str) -> str:
        """Take a further piece, and return it without the fence."""
        if self._state == "unknown" and text.strip():
            opening = _WRAPPED.match(text)
            self._state = "inside" if opening else "over"
            text = text[opening.end() :] if opening else text
        if self._state == "inside" and "```" in text:
            self._state = "over"
            text = text.replace("```", "", 1)
        return text


class ReasoningStripper:
    """Removes what reasoning models think aloud at the beginning: <think> … </think>."""

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._state = "unknown"

    def without(self, piece: str) -> str:
        """Take a further piece, and return what is not reasoning."""
        if self._state == "over":
            return piece
        self._held += piece
        head = self._held.lstrip()
        if self._state == "unknown":
            if self._OPEN.startswith(head[: len(self._OPEN)]) and len(head) < len(self._OPEN):
                return ""
            self._state = "inside" if head.startswith(self._OPEN) else "over"
        if self._state == "inside":
            if self._CLOSE not in self._held:
                return ""
            self._held = self._held.split(self._CLOSE, 1)[1].lstrip()
            self._state = "over"
        return self.rest()

    def rest(self) -> str:
        """Return the text that was held back, unless it is reasoning that never ended."""
        held, self._held = self._held, ""
        return "" if self._state == "inside" else held
