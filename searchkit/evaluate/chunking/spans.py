"""Stretches of a text in characters: joining and measuring them, and finding where a passage stands in its source."""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

Span = tuple[int, int]  # first character, and the one behind the last


def merged(spans: Iterable[Span]) -> list[Span]:
    """The characters in any of the spans, as spans in order that do not touch each other."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def covered(spans: Iterable[Span]) -> int:
    """Characters in any of the spans."""
    return sum(end - start for start, end in merged(spans))


def shared(spans: Iterable[Span], others: Iterable[Span]) -> int:
    """Characters in any of the spans and in any of the others."""
    mine, theirs = merged(spans), merged(others)
    count = i = j = 0
    while i < len(mine) and j < len(theirs):
        count += max(0, min(mine[i][1], theirs[j][1]) - max(mine[i][0], theirs[j][0]))
        if mine[i][1] <= theirs[j][1]:
            i += 1
        else:
            j += 1
    return count


class SourceText:
    """A document's text in which passages are found one after the other, whatever white space they are set with."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places = [place for place, character in enumerate(text) if not character.isspace()]
        self._letters = "".join(text.split())
        self._next = 0  # in the letters

    def locate(self, passage: str) -> list[Span]:
        """Where the parts of a passage stand, which are set apart by blank lines, behind those of the passage before.

        A part that the source does not have there, such as a heading in other words, has no span. One that has been
        found too far behind, where a later part has no room any more, is given up for it.
        """
        first = self._next
        found: list[Span] = []
        for letters in _parts(passage):
            start = self._letters.find(letters, self._next)
            if start < 0 and found:
                start = self._letters.find(letters, found[-2][1] if len(found) > 1 else first)
                if start >= 0:
                    found.pop()
            if start >= 0:
                self._next = start + len(letters)
                found.append((start, self._next))
        return merged(self._with_gaps([(self._places[start], self._places[end - 1] + 1) for start, end in found]))

    def _with_gaps(self, spans: Sequence[Span]) -> list[Span]:
        """The spans, and what is between two of them where that is white space only."""
        gaps = [(a[1], b[0]) for a, b in pairwise(spans)]
        return [*spans, *(gap for gap in gaps if not self._text[gap[0] : gap[1]].strip())]


def _parts(passage: str) -> list[str]:
    """The passage's stretches between blank lines, without white space."""
    groups = groupby(passage.split("\n"), key=lambda line: bool(line.strip()))
    return ["".join("".join(lines).split()) for filled, lines in groups if filled]
