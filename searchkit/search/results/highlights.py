"""Chooses what to show of a passage: the words that match, the part that answers, and the marks in it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Self

from searchkit.catalog.fulltext import Span, Stemmer
from searchkit.catalog.passages import StoredPassage
from searchkit.search.lexical.bm25 import LexicalQuery
from searchkit.text import split_sentences

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder, TokenVectors
    from searchkit_indexes import Vectors

SNIPPET_CHARACTERS = 320
_SURELY_SHOWN = SNIPPET_CHARACTERS * 3 // 4  # the end may be cut back to a whole word

Marks = tuple[tuple[int, int], ...]


def sentence_bounds(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the white space after it."""
    sentences = split_sentences(text)
    ends = list(accumulate(len(sentence) for sentence in sentences))
    bounds = [
        (end - len(sentence), end - len(sentence) + len(sentence.rstrip()))
        for sentence, end in zip(sentences, ends, strict=True)
    ]
    return [(start, end) for start, end in bounds if end > start]


def snippet_by_words(text: str, spans: Sequence[Span], stems: Collection[str]) -> tuple[str, Marks]:
    """The stretch of about SNIPPET_CHARACTERS, beginning with a sentence, with most of the distinct stems."""
    matching = [span for span in spans if span.stem in stems]
    starts = [start for start, _ in sentence_bounds(text)] or [0]

    def gain(start: int) -> tuple[int, int]:
        inside = [span for span in matching if start <= span.start and span.end <= start + _SURELY_SHOWN]
        return len({span.stem for span in inside}), -start

    start = max(starts, key=gain)
    if matching and gain(start)[0] == 0:  # the words are deep inside one long sentence
        start = _next_word(text, max(0, matching[0].start - SNIPPET_CHARACTERS // 4), matching[0].start)
    return _cut(text, start, [(span.start, span.end) for span in matching])


def snippet_around(text: str, sentence: tuple[int, int]) -> tuple[str, Marks]:
    """A stretch with the given sentence marked in it."""
    bounds = sentence_bounds(text)
    before = [start for start, end in bounds if end <= sentence[0] and sentence[1] - start <= SNIPPET_CHARACTERS]
    return _cut(text, min(before, default=sentence[0]), [sentence])


def _next_word(text: str, start: int, end: int) -> int:
    """The start of the first whole word between start and end; `start` if there is none."""
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


@dataclass(frozen=True, slots=True)
class PassageWords:
    """The words of a passage with their stems; another form of a query's word has that word's stem.

    `spans`: of the text. `matching`: the distinct words that the query asks for, as they are written in the text, the
    headings or the path. `coverage`: see LexicalQuery. `is_informative`: whether the text's words show why the passage matches.
    """

    spans: tuple[Span, ...]
    matching: tuple[str, ...]
    coverage: float
    is_informative: bool

    @classmethod
    def read(cls, stored: StoredPassage, query: LexicalQuery, stemmer: Stemmer) -> Self:
        """Build them from everything that the full-text table has of the passage."""
        parts = [
            (part, query.as_asked(stemmer.spans(part))) for part in (stored.text, stored.title, stored.words_outside)
        ]
        matching = (
            part[span.start : span.end].lower() for part, spans in parts for span in spans if span.stem in query.weights
        )
        return cls(
            spans=tuple(parts[0][1]),
            matching=tuple(dict.fromkeys(matching)),
            coverage=query.coverage({span.stem for _, spans in parts for span in spans}),
            is_informative=query.is_informative({span.stem for span in parts[0][1]}),
        )


# What a word of the query in a sentence adds to the mean cosine of the query's tokens to the nearest of the sentence's. Of 200
# questions, .49 get the sentence that the model finds nearest, by words alone .47; .84 of the way to it against .78.
_WORD = 0.02


class Highlighter:
    """Chooses what to show of the hits of one search. Without an `embedder`, by words alone."""

    def __init__(self, query: LexicalQuery, embedder: "Embedder | None" = None) -> None:
        self._query, self._embedder = query, embedder

    def snippet(self, text: str, words: PassageWords) -> tuple[str, Marks]:
        """A snippet with the words marked that show why it matches, else the sentence nearest in meaning."""
        if not words.is_informative and (sentence := self._nearest_sentence(text, words.spans)):
            return snippet_around(text, sentence)
        return snippet_by_words(text, words.spans, self._query.weights)

    def _nearest_sentence(self, text: str, spans: Sequence[Span]) -> tuple[int, int] | None:
        """None if the passage is a single sentence, or the model knows no tokens by themselves."""
        bounds = sentence_bounds(text)
        if len(bounds) < 2 or self._embedder is None or self._tokens is None:
            return None
        tokens = self._embedder.token_vectors([text[start:end] for start, end in bounds]) or []
        scores = [
            self._nearness(of) + _WORD * self._words(bound, spans) for bound, of in zip(bounds, tokens, strict=True)
        ]
        return bounds[scores.index(max(scores))]

    @cached_property
    def _tokens(self) -> "Vectors | None":
        """The query's token vectors, scaled by their weights, which sum to 1."""
        found: list[TokenVectors] | None = self._embedder.token_vectors([self._query.text]) if self._embedder else None
        if not found or not len(found[0].weights):
            return None
        (of,) = found
        weighted: Vectors = of.vectors * (of.weights / of.weights.sum())[:, None]
        return weighted

    def _nearness(self, sentence: "TokenVectors") -> float:
        """The weighted mean of the cosines of the query's tokens to the nearest of a sentence's."""
        if self._tokens is None or not len(sentence.weights):
            return 0.0
        return float((self._tokens @ sentence.vectors.T).max(axis=1).sum())

    def _words(self, bound: tuple[int, int], spans: Sequence[Span]) -> int:
        """How many of the query's words are in a sentence."""
        inside = {span.stem for span in spans if bound[0] <= span.start and span.end <= bound[1]}
        return len(inside & self._query.weights.keys())
