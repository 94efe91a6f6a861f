"""Passages that say the same in nearly the same words, such as a text in two formats: one hit stands for all of them.

Nothing may vanish behind a hit that says something else, so they may differ in articles and in how a word is written or
ends, and in nothing else: not in a number, a name, a negation or the heading.
"""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Self

_WORD = re.compile(r"\w+")
_FEWEST = 12  # words; what is shorter can say something else by one word
_SAME = 0.9  # part of all words that both have
_ALIKE = (
    0.75  # of difflib, for two spellings of a word: tenant and tenants, organise and organize; seven, seventeen .71
)
_SHORTEST = 5  # letters of a word that can be misspelt and still be told from others
_ARTICLES = frozenset(
    "a an the der die das den dem des ein eine einen einem einer eines le la les l un une el los las una il lo gli i o os as um"
    " uma de het een en ett et".split()
)


@dataclass(frozen=True, slots=True)
class Wording:
    """A passage's heading, and its words as they are written."""

    title: str
    words: tuple[str, ...]
    counts: Counter[str]

    @classmethod
    def of(cls, title: str, text: str) -> Self:
        """White space and signs do not matter."""
        words = tuple(_WORD.findall(text))
        return cls(title.casefold(), words, Counter(word.casefold() for word in words))

    def is_nearly(self, other: Self) -> bool:
        """Whether both say the same. The same words in another order do not: those of a table, say."""
        fewer, more = sorted((len(self.words), len(other.words)))
        if self.title != other.title or fewer < max(_FEWEST, _SAME * more):
            return False
        if (self.counts & other.counts).total() < _SAME * more:
            return False
        changes = SequenceMatcher(None, self.words, other.words, autojunk=False).get_opcodes()
        return all(kind == "equal" or _is_harmless(self.words[a:b], other.words[c:d]) for kind, a, b, c, d in changes)


def _is_harmless(words: tuple[str, ...], others: tuple[str, ...]) -> bool:
    here = [word for word in words if word.casefold() not in _ARTICLES]
    there = [word for word in others if word.casefold() not in _ARTICLES]
    return len(here) == len(there) and all(map(_is_spelling, here, there))


def _is_spelling(word: str, other: str) -> bool:
    if word.casefold() == other.casefold():
        return True
    if min(len(word), len(other)) < _SHORTEST or not (word.isalpha() and other.isalpha()) or word[0] != other[0]:
        return False
    is_name = word[0].isupper()
    return not is_name and SequenceMatcher(None, word, other, autojunk=False).ratio() > _ALIKE
