"""Hits that say the same take one place: the sentence that seven daily notes have, a block of three translations."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from searchkit.formats import CODE_SUFFIXES
from searchkit.search.sentences import lines_of_code
from searchkit.types import Hit

_WORD = re.compile(r"\w+")
_AROUND = re.compile(r"\A\W+|\W+\Z")
_SAYS_SOMETHING = 16  # characters of a sentence's words; a shorter one, such as "To be done", is said of many things
_BLOCK = 40  # characters of the lines that make a block
_SAME = 0.9  # share of a block's lines, by their characters, that both have
_MOSTLY = 0.3  # share of a passage's characters that its block takes: what is around it introduces it


@dataclass(frozen=True)
class _Said:
    """What a hit says, without spacing, case and punctuation: the sentence that answers, and the lines of code."""

    hit: Hit

    @cached_property
    def sentence(self) -> str:
        """The words of the sentence that answers, "" if none is known or it says too little."""
        if self.hit.sentence is None:
            return ""
        said = _words(self.hit.text[slice(*self.hit.sentence)])
        return said if len(said) >= _SAYS_SOMETHING else ""

    @cached_property
    def as_written(self) -> str:
        """The sentence without the signs around it."""
        assert self.hit.sentence is not None
        return _AROUND.sub("", _spaced(self.hit.text[slice(*self.hit.sentence)]))

    @cached_property
    def block(self) -> Counter[str]:
        """The characters of each line of code, where they make up most of the passage."""
        return block_of(self.hit.text, is_code=self.hit.path.suffix.lower() in CODE_SUFFIXES)

    def has_no_more_words(self, other: "_Said") -> bool:
        """True if the other hit has every word of the query that this one has, or another form of it."""
        return all(map(other._has, self.hit.evidence.terms))

    def _has(self, term: str) -> bool:
        return any(term.startswith(other) or other.startswith(term) for other in self.hit.evidence.terms)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _spaced(text: str) -> str:
    return " ".join(text.casefold().split())


def block_of(text: str, *, is_code: bool) -> Counter[str]:
    """The lines of code of a passage with their characters; none where they are few, or only a part of what it says."""
    lines = Counter(line.strip() for line in lines_of_code(text, is_code=is_code))
    block = Counter({line: len(line) * times for line, times in lines.items()})
    return block if block.total() >= max(_BLOCK, _MOSTLY * len(text.strip())) else Counter()


def _is_same_block(one: Counter[str], other: Counter[str]) -> bool:
    return bool(one) and (one & other).total() >= _SAME * max(one.total(), other.total())


@dataclass(slots=True)
class AlikeFolder:
    """Collects hits, best first; one that says the same as one before it is put below that.

    The same is said by two hits whose answering sentences have the same words, or whose blocks of code have the same lines,
    unless the later one has more of the query's words. Words with other numbers are other words. `k`: the number of places.
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
        """False if it is sure that a passage with this text says something else than all that have a place."""
        said = _spaced(text)
        return any(
            (place.sentence and place.as_written in said) or any(line in text for line in place.block)
            for place in self._places
        )

    def add(self, hit: Hit) -> None:
        """Put a hit below one that says the same, or at the next place if there is one left."""
        new = _Said(hit)
        for at, place in enumerate(self._places):
            if _say_the_same(place, new) and new.has_no_more_words(place):
                below = (replace(hit, alike=()), *hit.alike)
                self._places[at] = _Said(replace(place.hit, alike=(*place.hit.alike, *below)))
                return
        if not self.is_full:
            self._places.append(new)


def _say_the_same(one: _Said, other: _Said) -> bool:
    if one.sentence and one.sentence == other.sentence:
        return True
    return _is_same_block(one.block, other.block)


def fold_alike(hits: Iterable[Hit], k: int) -> list[Hit]:
    """The first k of some hits, best first, with those that say the same below them."""
    folder = AlikeFolder(k)
    for hit in hits:
        folder.add(hit)
    return folder.hits
