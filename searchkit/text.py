"""Splits text into sentences, and normalizes it for comparisons."""

import itertools
import re
import unicodedata

_END = re.compile(r"(?<=[.!?…;:])[\"'”’»)\]]*\s+|(?<=[。!?;।؟।])|\n+")


def split_sentences(text: str) -> list[str]:
    """Split into sentences, list items and lines, each with the white space after it; joined, they are the text."""
    ends = [match.end() for match in _END.finditer(text) if match.end() > 0]
    bounds = [0, *ends, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds) if text[a:b]]


# The spellings used where a letter cannot be typed; Russian ё is mostly printed as е.
_LETTERS = {
    "ё": "е", "Ё": "Е", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ħ": "h", "ı": "i", "İ": "i",
    "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ß": "ss", "ẞ": "ss", "þ": "th", "Þ": "th",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
}  # fmt: skip
# Soft hyphens, zero-width joiners and spaces, marks of direction and byte order.
INVISIBLE = "\u00ad\u200b-\u200f\u2060\ufeff"
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # a terminal's colours, in logs
_TABLE = str.maketrans(_LETTERS)


def normalize_letters(text: str) -> str:
    """Normalize the text's spelling; it may get longer or shorter."""
    if text.isascii():
        return strip_ansi(text)
    return _INVISIBLE.sub("", strip_ansi(text)).translate(_TABLE)


def strip_ansi(text: str) -> str:
    """Replace a terminal's control sequences by as many blanks."""
    return _STEERING.sub(lambda found: " " * len(found.group()), text) if "\x1b" in text else text


_SHAPES = str.maketrans(
    {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‐‑‒–—−", "-"), "\u00ad": None}
)
_ACCENT = re.compile("(?<=[a-z])[\u0300-\u036f]+")


def folded(text: str) -> str:
    """Replace each run of white space by one blank, and remove it at the ends."""
    text = normalize_letters(text).lower()
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text.translate(_SHAPES))))
    return " ".join(text.split())
