"""One scale for the scores of hits, of all models and queries: from 0 to 1, weak matches below a half."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Self

from searchkit.search.fusion import descending, likelihood, plausibility
from searchkit.search.lexical.exact_matches import FIRST, identifiers, is_identifier, says_nothing
from searchkit.types import Evidence

_HOLDS_IDENTIFIERS = 0.75  # the least score of a passage with every identifier of the query
_HOLDS_NONE = 0.7  # the most of others then
_WEAK = 0.49  # and where the query is nothing but identifiers
_COVERAGE_POWER = 2  # half of a query's words say little: strangers' queries share .2 of theirs, one in a hundred .6


@dataclass(frozen=True, slots=True)
class CommonScale:
    """What the scores of a query's hits depend on besides the hits.

    `similarity_range`: the model's, None where none took part. `query_tokens`: by the model's tokenizer. `most`: the largest
    score of a passage that does not hold the query's identifiers.
    """

    similarity_range: tuple[float, float] | None
    query_tokens: int
    most: float

    @classmethod
    def of(cls, query: str, similarity_range: tuple[float, float] | None = None, query_tokens: int = 0) -> Self:
        """For a query."""
        if is_identifier(query) or says_nothing(query):
            return cls(similarity_range, query_tokens, _WEAK)
        return cls(similarity_range, query_tokens, _HOLDS_NONE if identifiers(query) else 1.0)

    def scores(self, evidence: Sequence[Evidence], coverages: Sequence[float], together: int) -> list[float]:
        """Of hits, best first: the descending scores nearest to what each one's meaning and words say on their own.

        `coverages`: the part of the query's words that each holds. `together`: hits whose scores are brought in line with each
        other; of those after them each gets its own, but no more than the one before.
        """
        own = [self.likelihood(each, of_it) for each, of_it in zip(evidence, coverages, strict=True)]
        first = descending(own[:together])
        return [*first, *islice(accumulate([*first[-1:], *own[together:]], min), 1, None)]

    def likelihood(self, evidence: Evidence, coverage: float) -> float:
        """That a passage is about what was asked: literally, by its meaning, or by the part of the query that it holds."""
        literal = evidence.explanation.literal if evidence.explanation else 0.0
        if literal >= FIRST:
            return 1.0
        by_meaning, by_words = 0.0, coverage**_COVERAGE_POWER if evidence.bm25 else 0.0
        if evidence.similarity is not None and self.similarity_range:
            by_meaning = likelihood(evidence.similarity, self.similarity_range, self.query_tokens)
            by_words *= plausibility(evidence.similarity, self.similarity_range)
        best = max(by_meaning, by_words)
        return max(best, _HOLDS_IDENTIFIERS) if literal else min(self.most, best)
