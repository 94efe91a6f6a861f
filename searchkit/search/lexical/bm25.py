"""Lexical candidates: BM25 over the full-text table, by the words of the query that distinguish passages."""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import best_matching, has_unspaced_runs, term_counts
from searchkit.catalog.passages import count_chunks
from searchkit.search.lexical.inflections import STOP_WORDS, Inflections, inflections
from searchkit.search.lexical.tokens import Span, Stemmer, query_phrases, query_words
from searchkit.text import normalize_letters

_COMMON = 0.4  # a word in more than this share of all chunks distinguishes nothing
# At most this many chunks are scored for the rarest words; those with none of them are skipped, which halves the time among
# 100,000 chunks, and changes 1 in 200 of the first ten.
_MOST_SCORED = 15_000
_WELL_COVERED = 0.5  # with this much of the query's words in a passage, they are the reason to show
_RARE = 0.8  # of the weight of the query's rarest word
_WEIGHTS = (1.0, 2.0, 1.0)  # file name, headings, text


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """A query for the full-text table: the match expression ("" matches nothing), and each stem's weight (idf).

    `stem_of`: the query's stem for each other form of its words (see inflections.py). `repeats`: how often the expression
    contains each word, and BM25 counts it.
    """

    text: str
    match: str
    weights: Mapping[str, float]
    stem_of: Mapping[str, str]
    repeats: int = 1

    def as_asked(self, spans: list[Span]) -> list[Span]:
        """The words of a text; other forms of the query's words get the query's stem."""
        if not self.stem_of:
            return spans
        return [Span(span.start, span.end, self.stem_of.get(span.stem, span.stem)) for span in spans]

    def is_informative(self, stems: Collection[str]) -> bool:
        """True if these stems show why a passage matches: much of the query, or one of its rarest words."""
        rarest = max(self.weights.values(), default=0.0)
        has_rare = any(weight >= _RARE * rarest for stem, weight in self.weights.items() if stem in stems)
        return has_rare or self.coverage(stems) >= _WELL_COVERED

    def coverage(self, stems: Collection[str]) -> float:
        """The weighted share of the query's words among these stems, 0 to 1."""
        total = sum(self.weights.values())
        return sum(weight for stem, weight in self.weights.items() if stem in stems) / total if total else 0.0


def read_query(catalog: CatalogReader, query: str, stemmer: Stemmer, languages: Iterable[str] = ()) -> LexicalQuery:
    """Turn free text into a match expression; no text can break its syntax. Words too common to
    distinguish passages are left out, unless all are. `languages`: whose endings the words may have.
    """
    query = normalize_letters(query)
    phrases = query_phrases(query)
    stems = stemmer.stems(_content_words(query, phrases))
    other_forms = inflections(catalog, stems, languages, stemmer)
    counts = term_counts(catalog, set(stems.values()))
    counts |= {stem: forms.count for stem, forms in other_forms.items()}
    total = max(1, count_chunks(catalog))
    informative = {stem for stem in stems.values() if counts.get(stem, 0) <= total * _COMMON} or set(stems.values())
    asked = {
        _asked(word, other_forms.get(stem)): counts.get(stem, 0) for word, stem in stems.items() if stem in informative
    }
    match, repeats = _match_expression(asked, [*map(_quoted, phrases)])
    return LexicalQuery(
        text=query,
        match=match,
        weights={stem: math.log(1 + total / (0.5 + counts.get(stem, 0))) for stem in informative},
        stem_of={form: stem for stem, forms in other_forms.items() if stem in informative for form in forms.forms},
        repeats=repeats,
    )


def _match_expression(counts: Mapping[str, int], phrases: Sequence[str]) -> tuple[str, int]:
    """The expression, and how often it contains each of its parts. `counts`: of chunks, by the expression of each word.

    Where the words are in many chunks, one of the rarest is required, so that most of them are never scored.
    Each word then occurs in it twice, which doubles BM25.
    """
    rising = sorted(counts, key=lambda word: counts[word])
    sums = list(accumulate(counts[word] for word in rising))
    rare = max(1, bisect_right(sums, _MOST_SCORED))
    if rare >= len(rising):
        return " OR ".join([*counts, *phrases]), 1
    required = " OR ".join([*rising[:rare], *phrases])
    return f"({required}) AND ({' OR '.join([required, *rising[rare:], *rising[rare:]])})", 2


def _content_words(query: str, phrases: Sequence[str]) -> list[str]:
    """The query's words without stop words, unless it has no others or they are part of a compound: the "sa" of SA-2025-007."""
    words = query_words(query)
    of_phrases = set(query_words(" ".join(phrases)))
    return [word for word in words if word not in STOP_WORDS or word in of_phrases] or words


def _asked(word: str, other_forms: Inflections | None) -> str:
    """The expression for a word; a single character of a script without blanks matches the pairs that begin with it."""
    if other_forms:
        return _quoted(other_forms.beginning) + "*"
    return _quoted(word) + ("*" if len(word) == 1 and has_unspaced_runs(word) else "")


def _quoted(expression: str) -> str:
    return '"' + expression.replace('"', '""') + '"'


def lexical_candidates(
    catalog: CatalogReader, query: LexicalQuery, limit: int, allowed: bytes | None = None
) -> dict[int, float]:
    """BM25 (larger is better) by chunk id, of the best `limit` chunks, best first.

    `allowed`: one byte per chunk id from 0 on, 1 for those to search; None for all.
    """
    if not query.match:
        return {}
    found = best_matching(catalog, query.match, _WEIGHTS, limit, allowed)
    return {chunk: score / query.repeats for chunk, score in found.items()}
