"""What to show of a passage: the part that holds the reason for the match."""

from collections.abc import Collection, Sequence
from itertools import accumulate

from searchkit.search.lexical.tokens import Span
from searchkit.text import split_sentences

SNIPPET_CHARACTERS = 320
_SURELY_SHOWN = SNIPPET_CHARACTERS * 3 // 4  # the end may be cut back to a whole word

Marks = tuple[tuple[int, int], ...]


def sentence_bounds(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the white space behind it."""
    sentences = split_sentences(text)
    ends = list(accumulate(len(sentence) for sentence in sentences))
    bounds = [
        (end - len(sentence), end - len(sentence) + len(sentence.rstrip()))
        for sentence, end in zip(sentences, ends, strict=True)
    ]
    return [(start, end) for start, end in bounds if end > start]


def snippet_by_words(text: str, spans: Sequence[Span], stems: Collection[str]) -> tuple[str, Marks]:
    """The stretch of about SNIPPET_CHARACTERS, beginning with a sentence, that holds most of the distinct stems."""
    matching = [span for span in spans if span.stem in stems]
    starts = [start for start, _ in sentence_bounds(text)] or [0]

    def gain(start: int) -> tuple[int, int]:
        inside = [span for span in matching if start <= span.start and span.end <= start + _SURELY_SHOWN]
        return len({span.stem for span in inside}), -start

    start = max(starts, key=gain)
    if matching and gain(start)[0] == 0:  # the words stand deep inside one long sentence
        start = _next_word(text, max(0, matching[0].start - SNIPPET_CHARACTERS // 4), matching[0].start)
    return _cut(text, start, [(span.start, span.end) for span in matching])


def snippet_around(text: str, sentence: tuple[int, int]) -> tuple[str, Marks]:
    """A stretch with the given sentence marked in it."""
    bounds = sentence_bounds(text)
    before = [start for start, end in bounds if end <= sentence[0] and sentence[1] - start <= SNIPPET_CHARACTERS]
    return _cut(text, min(before, default=sentence[0]), [sentence])


def _next_word(text: str, start: int, end: int) -> int:
    """Where the first word begins that is whole between start and end; start if none is."""
    if start == 0:
        return 0
    return next((i for i in range(start, end) if text[i - 1].isspace()), end if text[end - 1].isspace() else start)


def _cut(text: str, start: int, places: Sequence[tuple[int, int]]) -> tuple[str, Marks]:
    """SNIPPET_CHARACTERS from `start`, to the end of a word, with the places inside it counted from its own start."""
    end = min(len(text), start + SNIPPET_CHARACTERS)
    if end < len(text):
        end = next((i for i in range(end, start + _SURELY_SHOWN, -1) if text[i].isspace()), end)
    inside = [(max(a, start) - start, min(b, end) - start) for a, b in places if a < end and b > start]
    merged: list[tuple[int, int]] = []
    for a, b in sorted(inside):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return text[start:end], tuple(merged)
