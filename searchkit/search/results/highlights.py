"""The part of each hit to show: where the query's words stand, or the sentence that is nearest to it in meaning."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from searchkit.search.lexical.bm25 import LexicalQuery
from searchkit.search.lexical.tokens import Span
from searchkit.search.results.passage_words import PassageWords
from searchkit.search.results.snippets import Marks, sentence_bounds, snippet_around, snippet_by_words

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder, TokenVectors
    from searchkit_indexes import Vectors

# What a word of the query in a sentence adds to the mean cosine of the query's tokens to the nearest of the sentence's. Of 200
# questions, .49 get the sentence that the model finds nearest, by words alone .47; .84 of the way to it against .78.
_WORD = 0.02


class ReasonFinder:
    """Finds what to show of one search's hits. Without an `embedder`, by words alone."""

    def __init__(self, query: LexicalQuery, embedder: "Embedder | None" = None) -> None:
        self._query, self._embedder = query, embedder

    def shown(self, text: str, words: PassageWords) -> tuple[str, Marks]:
        """The snippet, with the words that tell why it matches marked, else the sentence nearest in meaning."""
        if not words.is_telling and (sentence := self._nearest_sentence(text, words.spans)):
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
        """The query's, each as long as it tells, in all 1."""
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
