"""Text as it is compared literally: case, accents on Latin letters, white space and the shape of quotes and hyphens do not
matter.
"""

import re
import unicodedata

from searchkit.catalog.letters import normalize_letters

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
