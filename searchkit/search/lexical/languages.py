"""Which language a text is in, as far as its script or its function words tell: enough to prefer a reader's own."""

import re
import unicodedata
from collections import Counter

from searchkit.search.lexical.function_words import TELLING_WORDS_OF

_LOOKED_AT = 600  # characters
_LETTERS = 60  # whose script is looked up, from all over those
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = "latin"
_KANA = ("hiragana", "katakana")
_OF_WORD = {
    word: tuple(language for language, known in TELLING_WORDS_OF.items() if word in known)
    for words in TELLING_WORDS_OF.values()
    for word in words
}


def language_of(text: str) -> str:
    """The script's name in lower case, in Latin script the code of the language that its function words tell; "" if none.

    Words tell apart the languages of function_words.py, as far as they are in Latin script.
    """
    words = _WORD.findall(text[:_LOOKED_AT])
    script = _script_of("".join(words))
    return _by_words(words) if script == _LATIN else script


def _by_words(words: list[str]) -> str:
    votes = Counter(language for word in words for language in _OF_WORD.get(word.lower(), ()))
    best, second = ([*votes.most_common(2), ("", 0), ("", 0)])[:2]
    return best[0] if best[1] > second[1] else ""


def _script_of(letters: str) -> str:
    looked_at = letters[:: max(1, len(letters) // _LETTERS)]
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0].lower() for letter in looked_at)
    if any(scripts[kana] for kana in _KANA):
        return "japanese"
    return scripts.most_common(1)[0][0] if scripts else ""
