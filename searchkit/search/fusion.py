"""Fuses the two rankings by their scores. Ranks discard how sure each arm is: where one arm is weak, equal-weight rank fusion
loses up to 4 points of nDCG@10, and score fusion gains.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import Self

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import texts_of_hashes
from searchkit.embedding.model_info import UNMEASURED, ModelInfo
from searchkit.search.lexical.exact_matches import PIN_FIRST, has_no_content_words, identifiers, is_identifier
from searchkit.search.lexical.inflections import language_of
from searchkit.types import Evidence, Explanation

PROVISIONAL_WEIGHT = 0.3  # against words, in choosing what the model reads: a provisional vector is a hint
LEXICAL_WEIGHT = (
    0.5  # if the best lexical candidate contains the whole query; of .3 to .6, .5 loses on none of six sets
)
# The same while passages that have the words are unread and the model was not to read any: below, few embedded passages
# outrank better ones (at 10 % embedded .5 ranks worse than words alone, .6 better on the mean of six sets).
_WEIGHT_UNREAD = 0.6
_GUESS_UNREAD = 0.75  # of a provisional vector, in what stands for the meaning of a passage that the model has not read
_ACCIDENTAL = 0.3  # the share of a query's words that off-topic passages may contain
_STEEPNESS = 6.0  # of scores, over the way from unrelated to matching
_LARGEST_EXPONENT = 700.0  # math.exp of more overflows; 1 / exp(700) is 0 in all but name


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales that make one query's cosines and BM25 scores comparable.

    `floor`, `best`: the cosines that count as 0 and 1; `largest`: the BM25 score that counts as 1. `weight`: of the words.
    `unread`: the most that the meaning of a passage without a vector counts; below that it counts as its words and its
    provisional vector do, the latter with `guess_weight`.
    """

    floor: float
    best: float
    largest: float
    weight: float
    unread: float = 0.0
    guess_weight: float = 0.0

    @classmethod
    def of(cls, similarities: Mapping[bytes, float], bm25: Mapping[bytes, float], floor: float, weight: float) -> Self:
        """Build the scales for the candidates of a query; words that no passage contains have no weight."""
        largest = largest_of(bm25)
        return cls(floor, max(similarities.values(), default=floor), largest, weight if largest > 0 else 0.0)

    @classmethod
    def while_unread(cls, found: "Candidates") -> Self:
        """Build the scales while some candidates have no vector: few cosines say little about the collection's others.

        So the model's own cosines of unrelated and of matching texts bound the scale, and what the model has just read, the
        best by words, stays before the rest.
        """
        unrelated, matching = found.expected
        weight = LEXICAL_WEIGHT * found.trust if found.read else _WEIGHT_UNREAD
        scales = cls.of(found.similarities, found.bm25, 0.0, weight)
        floor = max(unrelated, min(found.similarities.values(), default=unrelated))
        bounded = replace(scales, floor=floor, best=max(scales.best, matching))
        worst = min((bounded.meaning(found.similarities.get(key)) for key in found.read), default=1.0)
        return replace(bounded, unread=worst, guess_weight=_GUESS_UNREAD if largest_of(found.bm25) else 1.0)

    def meaning(self, similarity: float | None, words: float = 0.0, guess: float | None = None) -> float:
        """Scale a cosine to 0-1; if it is unknown, follow the scaled `words` and the scaled `guess` as far as that goes."""
        if similarity is None:
            weight = 0.0 if guess is None else self.guess_weight
            return min(self.unread, (1 - weight) * words + weight * (guess or 0.0))
        return max(0.0, (similarity - self.floor) / max(self.best - self.floor, 1e-6))

    def words(self, bm25: float | None) -> float:
        """Scale a BM25 score to 0-1; 0 for a passage with none of the words."""
        return bm25 / self.largest if bm25 and self.largest else 0.0


def largest_of(bm25: Mapping[bytes, float]) -> float:
    """The largest score, 0 if there is none."""
    return max(bm25.values(), default=0.0)


def likelihood(similarity: float, similarity_range: tuple[float, float], cut: float = UNMEASURED.long_cut) -> float:
    """Put a cosine on the common 0-1 scale, on which .5 divides the best hits of off-topic queries from true ones.

    `similarity_range`: the model's cosines of unrelated and of matching texts. `cut`: where .5 is between them, see `Scale`.
    """
    return _logistic(similarity, similarity_range, cut)


def plausibility(
    similarity: float, similarity_range: tuple[float, float], support: float = UNMEASURED.support
) -> float:
    """How far a cosine supports a match of words, 0 to 1: a passage may contain them by accident. `support`: see `Scale`."""
    return _logistic(similarity, similarity_range, support)


def _logistic(similarity: float, similarity_range: tuple[float, float], middle: float) -> float:
    unrelated, matching = similarity_range
    position = (similarity - unrelated) / max(matching - unrelated, 1e-6)
    exponent = -_STEEPNESS * (position - middle)
    return 1 / (1 + math.exp(min(exponent, _LARGEST_EXPONENT)))


def descending(scores: Sequence[float]) -> list[float]:
    """The descending scores nearest to these by least squares: ascending neighbours share their mean (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for score in scores:
        total, count = score, 1
        while pools and pools[-1][0] / pools[-1][1] < total / count:
            before, many = pools.pop()
            total, count = total + before, count + many
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


_OTHER_LANGUAGE = -0.1  # puts translations behind the passage in the query's language
_LOOKED_AT = 30  # of the best passages have their language detected
_SIGNS = "(){}[]=;_<>"
_SIGNS_OF_CODE = 0.03  # of the characters: 84 to 98 % of passages of code have more, and under 1 % of prose
_FEW_SIGNS = 4  # in a short text they say nothing
# Of the weight of words, where a question without names of things is answered by code, which says it in other words.
_OF_CODE = 0.3
_MOSTLY = 0.75


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of both arms, by content hash. `similarities`: of all with a vector. `floor`: the cosine that counts as 0.

    `coverage`: the share of the query in the best of `bm25`, 0 to 1. `trust`: how far words are to be trusted because of that,
    0 to 1 (see LexicalQuery): an arm that knows one word in four counts less.
    `literal`: scores to add for literal matches of the query. `read`: those that the model was to read because of the words.
    `expected`: the model's cosines of unrelated and of matching texts. `guesses`: of passages without a vector, the cosines
    of their provisional vectors, scaled to 0-1. `people`: scores to add for mail from or to people whom the query names.
    """

    similarities: Mapping[bytes, float]
    bm25: Mapping[bytes, float]
    literal: Mapping[bytes, float]
    floor: float = 0.0
    coverage: float = 1.0
    trust: float = 1.0
    read: tuple[bytes, ...] = ()
    expected: tuple[float, float] = (0.0, 1.0)
    guesses: Mapping[bytes, float] = field(default_factory=dict)
    people: Mapping[bytes, float] = field(default_factory=dict)

    @property
    def has_unread(self) -> bool:
        """True if a candidate has no vector."""
        return any(key not in self.similarities for of in (self.bm25, self.literal, self.guesses) for key in of)

    def unread(self) -> list[bytes]:
        """List the candidates without a vector, the most promising first: by their words and their provisional vectors."""
        largest = largest_of(self.bm25)
        weight = PROVISIONAL_WEIGHT if largest else 1.0
        keys = dict.fromkeys([*self.bm25, *self.literal, *self.guesses])

        def promise(key: bytes) -> float:
            words = self.bm25.get(key, 0.0) / largest if largest else 0.0
            return (1 - weight) * words + weight * self.guesses.get(key, 0.0) + self.literal.get(key, 0.0)

        return sorted((key for key in keys if key not in self.similarities), key=lambda key: (-promise(key), key))


def rank_by_both(catalog: CatalogReader, query: str, found: Candidates) -> dict[bytes, Explanation]:
    """Rank the candidates of both arms: the explanation of each one's rank, best first."""
    scales = (
        Scales.while_unread(found)
        if found.has_unread
        else Scales.of(found.similarities, found.bm25, found.floor, LEXICAL_WEIGHT * found.trust)
    )
    ranked = _ranked(found, scales)
    best = _best_texts(catalog, ranked)
    code = {key for key, text in best.items() if is_code(text)}
    names_things = bool(found.literal or identifiers(query) or "`" in query)
    if len(code) > _MOSTLY * len(best) and not names_things:
        ranked = _ranked(found, replace(scales, weight=scales.weight * _OF_CODE))
        best = _best_texts(catalog, ranked)
    return _best_first({**ranked, **_in_other_languages(query, ranked, best)})


def rank_by_words(found: Candidates) -> dict[bytes, Explanation]:
    """Rank by words alone, without a model."""
    return _ranked(found, Scales.of({}, found.bm25, 0.0, 1.0))


def rank_by_meaning(found: Candidates) -> dict[bytes, Explanation]:
    """Rank by cosine alone; what the model has not read comes behind what it has read for this query, as its guesses say."""
    scales = Scales.while_unread(found) if found.has_unread else Scales.of(found.similarities, {}, found.floor, 0.0)
    return _ranked(found, replace(scales, weight=0.0))


def _ranked(found: Candidates, scales: Scales) -> dict[bytes, Explanation]:
    keys = dict.fromkeys([*found.similarities, *found.bm25, *found.literal, *found.guesses])
    read_first = sorted(keys, key=lambda key: (key not in found.similarities, key))
    return _best_first({key: _explained(key, found, scales) for key in read_first})


def _explained(key: bytes, found: Candidates, scales: Scales) -> Explanation:
    words = scales.words(found.bm25.get(key))
    return Explanation(
        meaning=scales.meaning(found.similarities.get(key), words, found.guesses.get(key)),
        words=words,
        word_weight=scales.weight,
        word_coverage=found.coverage,
        similarity_floor=scales.floor,
        similarity_best=scales.best,
        bm25_best=scales.largest,
        literal=found.literal.get(key, 0.0),
        language=0.0,
        person=found.people.get(key, 0.0),
    )


def _best_texts(catalog: CatalogReader, ranked: Mapping[bytes, Explanation]) -> Mapping[bytes, str]:
    return texts_of_hashes(catalog, list(islice(ranked, _LOOKED_AT)))


def is_code(text: str) -> bool:
    """True if a text has as many of the signs of program code as code has and prose has not."""
    return sum(map(text.count, _SIGNS)) > max(_FEW_SIGNS, _SIGNS_OF_CODE * len(text))


def _in_other_languages(
    query: str, ranked: Mapping[bytes, Explanation], texts: Mapping[bytes, str]
) -> dict[bytes, Explanation]:
    """Those of some candidates that are in another language than the query, as far as both are known, with the penalty applied.

    Code is in no language: its names and keywords are words of several.
    """
    language = language_of(query)
    if not language:
        return {}
    others = {}
    for key, text in texts.items():
        if not is_code(text) and language_of(text) not in {language, ""}:
            others[key] = replace(ranked[key], language=_OTHER_LANGUAGE)
    return others


def _best_first(explained: Mapping[bytes, Explanation]) -> dict[bytes, Explanation]:
    """Sort by score; of equal ones the order stays."""
    return dict(sorted(explained.items(), key=lambda item: -item[1].total))


_HOLDS_IDENTIFIERS = 0.75  # the least score of a passage with every identifier of the query
_HOLDS_NONE = 0.7  # the most of others then
_WEAK = 0.49  # and where the query is nothing but identifiers
_UNKNOWN = 0.5  # the most that a passage scores of which only a guess is known: neither weak nor strong
_COVERAGE_POWER = 2  # half of a query's words prove little: off-topic queries share .2 of theirs, one in a hundred .6


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """The context of a query on which its hits' scores depend.

    `model`: None where none took part. `query_tokens`: by its tokenizer. `most`: the largest score of a passage without the
    query's identifiers.
    """

    model: ModelInfo | None
    query_tokens: int
    most: float

    @classmethod
    def of(cls, query: str, model: ModelInfo | None = None, query_tokens: int = 0) -> Self:
        """Calibrate for a query."""
        if is_identifier(query) or has_no_content_words(query):
            return cls(model, query_tokens, _WEAK)
        return cls(model, query_tokens, _HOLDS_NONE if identifiers(query) else 1.0)

    def scores(self, evidence: Sequence[Evidence], coverages: Sequence[float], together: int) -> list[float]:
        """Score hits, best first: the descending scores nearest to those that each one's meaning and words give.

        `coverages`: the share of the query's words in each. `together`: number of hits whose scores are adjusted to each other;
        each one after them gets its own, but no more than the one before.
        """
        own: list[float] = []
        for each, of_it in zip(evidence, coverages, strict=True):
            is_guess = each.similarity is None and each.provisional is not None and not each.bm25
            own.append(min([_UNKNOWN, *own[-1:]]) if is_guess else self.likelihood(each, of_it))
        first = descending(own[:together])
        return [*first, *islice(accumulate([*first[-1:], *own[together:]], min), 1, None)]

    def likelihood(self, evidence: Evidence, coverage: float) -> float:
        """The evidence that a passage is about the query: literal matches, its meaning, or its share of the query's words."""
        literal = evidence.explanation.literal if evidence.explanation else 0.0
        person = evidence.explanation.person if evidence.explanation else 0.0
        if max(literal, person) >= PIN_FIRST:
            return 1.0
        by_meaning, by_words = 0.0, coverage**_COVERAGE_POWER if evidence.bm25 else 0.0
        if evidence.similarity is not None and self.model:
            ends, scale = self.model.similarity_range, self.model.scale
            cut = scale.cut(self.query_tokens) - scale.words_help * max(0.0, coverage - _ACCIDENTAL)
            by_meaning = 0.0 if scale.is_meaningless else likelihood(evidence.similarity, ends, cut)
            by_words *= plausibility(evidence.similarity, ends, scale.support)
        best = max(by_meaning, by_words)
        return max(best, _HOLDS_IDENTIFIERS) if literal else min(self.most, best)
