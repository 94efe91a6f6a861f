"""Words of queries and texts as the full-text table sees them."""

import re
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import NamedTuple

from searchkit.catalog.fulltext import (
    ACCENTS,
    StemTable,
    bigrams,
    has_unspaced_runs,
    unspaced_runs,
    without_unspaced_runs,
)
from searchkit.text import INVISIBLE, strip_ansi

_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{ACCENTS}{INVISIBLE}])*")
_NEVER_ASKED = re.compile("[\0\ud800-\udfff]")  # SQLite ends a query there, or refuses it
_MOST_WORDS = 64  # words of a query that count; beyond it is a pasted page, and meaning decides


class Span(NamedTuple):
    """A word's position in a text and its stem."""

    start: int
    end: int
    stem: str


class Stemmer:
    """Finds stems, and the words of texts with their stems; each text is read once. Keeps a small database: open one per search."""

    def __init__(self) -> None:
        self._table = StemTable()
        self._read: dict[str, list[Span]] = {}

    def stems(self, words: Collection[str]) -> dict[str, str]:
        """The stem of each word; words that the tokenizer ignores are left out."""
        return self._table.stems(words)

    def spans(self, text: str) -> list[Span]:
        """Every word of a text, and every pair of characters where words have no blanks between them."""
        if text not in self._read:
            words = [(start, end, text[start:end]) for start, end in _places(strip_ansi(text))]
            stems = self.stems({word for _, _, word in words})
            self._read[text] = [Span(start, end, stems[word]) for start, end, word in words if word in stems]
        return self._read[text]

    def close(self) -> None:
        """Free the database."""
        self._table.close()


def query_words(query: str) -> list[str]:
    """The query's distinct words, and the pairs of its unspaced runs, in order."""
    found = dict.fromkeys(query[start:end].lower() for start, end in _places(query))
    return list(found)[:_MOST_WORDS]


def query_phrases(query: str) -> list[str]:
    """The parts between blanks that consist of several words, such as an invoice number or a path, and unspaced runs."""
    query = _NEVER_ASKED.sub(" ", query)
    parts = without_unspaced_runs(query).split()[:_MOST_WORDS]
    candidates: Iterable[str] = dict.fromkeys(part.strip("\"'.,;:!?()[]{}") for part in parts)
    compound = [part for part in candidates if len(_WORD.findall(part)) > 1]
    runs = [run[:_MOST_WORDS] for run in dict.fromkeys(unspaced_runs(query)) if len(run) > 2]
    return compound + [" ".join(bigrams(run)) for run in runs[:_MOST_WORDS]]


def _places(text: str) -> Iterable[tuple[int, int]]:
    if not has_unspaced_runs(text):
        return (match.span() for match in _WORD.finditer(text))
    return _places_with_pairs(text)


def _places_with_pairs(text: str) -> Iterable[tuple[int, int]]:
    for match in _WORD.finditer(text):
        word, at = match.group(), match.start()
        for run, start, end in _runs(word):
            if not run or end - start == 1:
                yield at + start, at + end
            else:
                yield from ((at + i, at + i + 2) for i in range(start, end - 1))


def _runs(word: str) -> list[tuple[bool, int, int]]:
    """(unspaced, start, end) of the word's stretches."""
    cuts = [0]
    unspaced = set()
    at = 0
    for run in unspaced_runs(word):
        start = word.index(run, at)
        at = start + len(run)
        unspaced.add(start)
        cuts += [start, at]
    cuts.append(len(word))
    return [(start in unspaced, start, end) for start, end in pairwise(cuts) if end > start]
