"""Passages that say the same in nearly the same words, such as a text's next version: one hit stands for all of them."""

import re
from dataclasses import dataclass
from typing import Self

_WORD = re.compile(r"\w+")
_RUN = 3  # words
_SAME = 0.8  # part of all runs that both have
_FEWEST = 12  # words; what is shorter can say something else by one word


@dataclass(frozen=True, slots=True)
class Wording:
    """A passage's runs of three words, and its words with digits, in their order."""

    runs: frozenset[tuple[str, ...]]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Case and signs do not matter."""
        words = _WORD.findall(text.casefold())
        runs = frozenset(zip(*(words[i:] for i in range(_RUN)), strict=False))
        numbers = tuple(word for word in words if any(c.isdigit() for c in word))
        return cls(runs if len(words) >= _FEWEST else frozenset(), numbers)

    def is_nearly(self, other: Self) -> bool:
        """Whether both share most of their runs (Jaccard index), and all numbers: two invoices are no copies."""
        fewer, more = sorted((len(self.runs), len(other.runs)))
        if not fewer or fewer < _SAME * more or self.numbers != other.numbers:
            return False
        shared = len(self.runs & other.runs)
        return shared >= _SAME * (fewer + more - shared)
