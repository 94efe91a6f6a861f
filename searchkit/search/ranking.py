"""Ranks the candidates of a query: by words, by meaning, or by both with what the query says literally in front."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.chunks import texts_of_hashes
from searchkit.search.fusion import LEXICAL_WEIGHT, Scales
from searchkit.search.lexical.languages import language_of
from searchkit.types import Explanation

_OTHER_LANGUAGE = -0.1  # puts translations behind the passage in the query's language
_LOOKED_AT = 30  # of the best passages, whose language is found out


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found, by content hash. `similarities` of all that have a vector, `floor`: the cosine that counts as 0.

    `coverage`: how much of the query the best of `bm25` holds, 0 to 1: an arm that knows one word in four counts less.
    `literal`: what is added for what the query says literally.
    """

    similarities: Mapping[bytes, float]
    bm25: Mapping[bytes, float]
    literal: Mapping[bytes, float]
    floor: float = 0.0
    coverage: float = 1.0


def rank_by_both(catalog: CatalogReader, query: str, found: Candidates) -> dict[bytes, Explanation]:
    """How each candidate comes to its place, best first."""
    scales = Scales.of(found.similarities, found.bm25, found.floor, LEXICAL_WEIGHT * found.coverage)
    ranked = _ranked(found, scales)
    return _best_first({**ranked, **_in_other_languages(catalog, query, ranked)})


def rank_by_words(found: Candidates) -> dict[bytes, Explanation]:
    """The same without a model."""
    return _ranked(found, Scales.of({}, found.bm25, 0.0, 1.0))


def rank_by_meaning(found: Candidates) -> dict[bytes, Explanation]:
    """By cosine alone."""
    return _ranked(found, Scales.of(found.similarities, {}, found.floor, 0.0))


def _ranked(found: Candidates, scales: Scales) -> dict[bytes, Explanation]:
    keys = dict.fromkeys([*found.similarities, *found.bm25, *found.literal])
    return _best_first({key: _explained(key, found, scales) for key in keys})


def _explained(key: bytes, found: Candidates, scales: Scales) -> Explanation:
    return Explanation(
        meaning=scales.meaning(found.similarities.get(key)),
        words=scales.words(found.bm25.get(key)),
        word_weight=scales.weight,
        word_coverage=found.coverage,
        similarity_floor=scales.floor,
        similarity_best=scales.best,
        bm25_best=scales.largest,
        literal=found.literal.get(key, 0.0),
        language=0.0,
    )


def _in_other_languages(
    catalog: CatalogReader, query: str, ranked: Mapping[bytes, Explanation]
) -> dict[bytes, Explanation]:
    """Those of the best that are in another language than the query, as far as both are known, with what that takes."""
    language = language_of(query)
    if not language:
        return {}
    others = {}
    for key, text in texts_of_hashes(catalog, list(islice(ranked, _LOOKED_AT))).items():
        if language_of(text) not in {language, ""}:
            others[key] = replace(ranked[key], language=_OTHER_LANGUAGE)
    return others


def _best_first(explained: Mapping[bytes, Explanation]) -> dict[bytes, Explanation]:
    return dict(sorted(explained.items(), key=lambda item: (-item[1].total, item[0])))
