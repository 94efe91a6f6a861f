"""Text: cutting it into sentences, and what does not matter when texts are compared."""

import itertools
import re
import unicodedata

_END = re.compile(r"(?<=[.!?…;:])[\"'”’»)\]]*\s+|(?<=[。!?;।؟।])|\n+")


def split_sentences(text: str) -> list[str]:
    """Sentences, list items and lines, each with the white space behind it; joined they are the text."""
    ends = [match.end() for match in _END.finditer(text) if match.end() > 0]
    bounds = [0, *ends, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds) if text[a:b]]


# As each is written where it cannot be typed; Russian ё mostly is е in print.
_LETTERS = {
    "ё": "е", "Ё": "Е", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ħ": "h", "ı": "i", "İ": "i",
    "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ß": "ss", "ẞ": "ss", "þ": "th", "Þ": "th",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
}  # fmt: skip
# Soft hyphens, joiners and spaces of no width, marks of direction and byte order.
INVISIBLE = "\u00ad\u200b-\u200f\u2060\ufeff"
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # a terminal's colours, in logs
_TABLE = str.maketrans(_LETTERS)


def normalize_letters(text: str) -> str:
    """The text in one of its spellings; it may get longer or shorter."""
    if text.isascii():
        return strip_ansi(text)
    return _INVISIBLE.sub("", strip_ansi(text)).translate(_TABLE)


def strip_ansi(text: str) -> str:
    """The text with blanks, as many, in place of a terminal's control sequences."""
    return _STEERING.sub(lambda found: " " * len(found.group()), text) if "\x1b" in text else text


_SHAPES = str.maketrans(
    {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‐‑‒–—−", "-"), "\u00ad": None}
)
_ACCENT = re.compile("(?<=[a-z])[\u0300-\u036f]+")


def folded(text: str) -> str:
    """The text with one blank wherever it has white space, and none at its ends."""
    text = normalize_letters(text).lower()
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text.translate(_SHAPES))))
    return " ".join(text.split())
