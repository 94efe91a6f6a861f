"""Hits that say the same take one place: the sentence that seven daily notes have, a block of three translations."""

import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from searchkit.formats import CODE_SUFFIXES
from searchkit.search.sentences import lines_of_code
from searchkit.types import Hit

_AROUND = f"{string.punctuation} …•–—„“”«»"  # signs around a sentence, such as the item of a list has
_SAYS_SOMETHING = 16  # characters of a sentence; a shorter one, such as "To be done", is said of many things
_BLOCK = 40  # characters of the lines that make a block
_SAME = 0.9  # share of a block's lines, by their characters, that both have
_MOSTLY = 0.3  # share of a passage's characters that its block takes: what is around it introduces it
_FORM = 4  # letters that a word and another form of it begin with


@dataclass(frozen=True)
class _Said:
    """What a hit says: the sentence that answers, whatever its case, breaks and marks, and the lines of code."""

    hit: Hit

    @cached_property
    def sentence(self) -> str:
        """The sentence that answers, "" if none is known or it says too little."""
        if self.hit.sentence is None:
            return ""
        said = _spaced(self.hit.text[slice(*self.hit.sentence)]).strip(_AROUND)
        return said if len(said) >= _SAYS_SOMETHING else ""

    @cached_property
    def block(self) -> Counter[str]:
        """The characters of each line of code, none where they are few, or only a part of what the passage says."""
        is_code = self.hit.path.suffix.lower() in CODE_SUFFIXES
        lines = Counter(line.strip() for line in lines_of_code(self.hit.text, is_code=is_code))
        block = Counter({line: len(line) * times for line, times in lines.items()})
        return block if block.total() >= max(_BLOCK, _MOSTLY * len(self.hit.text.strip())) else Counter()

    def is_as(self, other: "_Said") -> bool:
        """True if both say the same, and the other hit has every word of the query that this one has, or another form of it."""
        is_sentence = bool(self.sentence) and self.sentence == other.sentence
        return (is_sentence or self._is_block_of(other)) and all(map(other._has, self.hit.evidence.terms))

    def _is_block_of(self, other: "_Said") -> bool:
        most = max(self.block.total(), other.block.total())
        return most > 0 and (self.block & other.block).total() >= _SAME * most

    def _has(self, term: str) -> bool:
        return any(term == other or _are_forms(term, other) for other in self.hit.evidence.terms)

    def may_be_said_in(self, text: str, spaced: str) -> bool:
        """False if a passage with this text cannot say the same."""
        if self.sentence and self.sentence in spaced:
            return True
        shared = sum(size for line, size in self.block.items() if line in text)
        return shared >= _SAME * self.block.total() > 0


def _spaced(text: str) -> str:
    return " ".join(text.casefold().split())


def _are_forms(word: str, other: str) -> bool:
    return min(len(word), len(other)) >= _FORM and (word.startswith(other) or other.startswith(word))


@dataclass(slots=True)
class AlikeFolder:
    """Collects hits, best first; one that says the same as one before it is put below that.

    The same is said by two hits whose answering sentences are the same, or whose blocks of code have the same lines, unless the
    later one has more of the query's words. `k`: the number of places.
    """

    k: int
    _places: list[_Said] = field(default_factory=list)

    @property
    def hits(self) -> list[Hit]:
        """The hits that have a place, each with those that are alike."""
        return [place.hit for place in self._places]

    @property
    def is_full(self) -> bool:
        """True if all places are taken; hits that are alike to those there still find theirs."""
        return len(self._places) >= self.k

    def may_be_alike(self, text: str) -> bool:
        """False if a passage with this text says something else than all that have a place."""
        spaced = _spaced(text)
        return any(place.may_be_said_in(text, spaced) for place in self._places)

    def add(self, hit: Hit) -> None:
        """Put a hit below one that says the same, or at the next place if there is one left."""
        new = _Said(hit)
        for at, place in enumerate(self._places):
            if new.is_as(place):
                below = (replace(hit, alike=()), *hit.alike)
                self._places[at] = _Said(replace(place.hit, alike=(*place.hit.alike, *below)))
                return
        if not self.is_full:
            self._places.append(new)


def fold_alike(hits: Iterable[Hit], k: int) -> list[Hit]:
    """The first k of some hits, best first, with those that say the same below them."""
    folder = AlikeFolder(k)
    for hit in hits:
        folder.add(hit)
    return folder.hits
