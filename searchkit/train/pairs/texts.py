"""Compares texts by a normalized spelling, removes copies of queries from them, and decides which words can be a query."""

import re
import unicodedata

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_NUMBER = re.compile(r"^\s*\d+(?:\.\d+)*\.(?:\d+)?\s+(?=\w)")
_COPIED_WORDS = 3  # in a row, that are a copy and not chance
_LONG_WORD = 12  # letters: a compound of German or Finnish says as much as two words
_MOST_WORDS = 64


def normalize(text: str) -> str:
    """The text's letters and digits in lower case, with one blank between words."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def is_query(text: str) -> bool:
    """True if a text could be a query: two or more words of letters, or as much in a script without blanks."""
    words = [word for word in _WORD.findall(text) if sum(map(str.isalpha, word)) >= 2]
    if len(words) > _MOST_WORDS or "|" in text:  # a table's header
        return False
    return (
        len(words) >= 2
        or any(len(word) >= _LONG_WORD and word.isalpha() for word in words)
        or len(_UNSPACED.findall(text)) >= 4
    )


def without_number(heading: str) -> str:
    """A heading without its number: "Samba" for "11.5. Samba"."""
    return _NUMBER.sub("", heading)


def without_copies(text: str, query: str) -> str:
    """Remove the query's words from a text: everywhere, or, if they are only one or two, where they are alone on a line.

    Navigation and headings that were read as text repeat a title; so may the first sentence.
    """
    words = _WORD.findall(without_number(query))
    if not words:
        return text
    copy = r"\W+".join(map(re.escape, words))
    if len(words) < _COPIED_WORDS:
        return re.sub(rf"^[^\w\n]*{copy}[^\w\n]*$\n?", "", text, flags=re.IGNORECASE | re.MULTILINE)
    return re.sub(rf"(?<!\w)(?:\d+(?:\.\d+)*\.?[^\S\n]+)?{copy}(?!\w)", "", text, flags=re.IGNORECASE)


def without_beginning(text: str, beginning: str) -> str:
    """Remove these words from the beginning of a text, whatever punctuation and line ends are between them."""
    words = _WORD.findall(beginning)
    if not words:
        return text
    match = re.match(r"\W*" + r"\W+".join(map(re.escape, words)) + r"(?!\w)\W*", text, re.IGNORECASE)
    return text[match.end() :] if match else text
