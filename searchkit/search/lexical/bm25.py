"""Lexical candidates: BM25 over the full-text table, by the words of the query that distinguish passages."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import (
    Span,
    Stemmer,
    best_matching,
    chunks_matching,
    query_phrases,
    query_words,
    term_counts,
)
from searchkit.catalog.passages import count_chunks
from searchkit.catalog.values import Value, values
from searchkit.search.lexical.inflections import FUNCTION_WORDS_OF, STOP_WORDS, Inflections, inflections
from searchkit.text import fold_word, is_in_unspaced_script, words

_COMMON = 0.4  # a word in more than this share of all chunks distinguishes nothing
_FEW = 10  # chunks; in a small collection, words in most of them distinguish it from others
# At most this many chunks are scored for the rarest words; those with none of them are skipped, which halves the time among
# 100,000 chunks, and changes 1 in 200 of the first ten.
_MOST_SCORED = 15_000
_WELL_COVERED = 0.5  # with this much of the query's words in a passage, they are the reason to show
# Words that one passage alone has: a match that weighs as much is no accident. 2.5 to 3.5 measure alike on seven judged sets.
_ENOUGH = 3.0
_RARE = 0.8  # of the weight of the query's rarest word
# Of what is searched for instead of a mistyped word: that it was meant is a guess, and what has the words as they are typed goes
# before. Of what the query has nothing else for, it is everything.
_CORRECTED = 0.5
_FEW_UNKNOWN = 2  # words of a query that may be mistyped, however few others there are
_MOST_BEGUN = 100  # chunks that are counted which begin with a reference
_WEIGHTS = (1.0, 2.0, 1.0)  # file name, headings, text


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """A query for the full-text table: the match expression ("" matches nothing), and each stem's weight (idf).

    `stem_of`: the query's stem for each other form of its words (see inflections.py), and the first name of a value for its
    others. `repeats`: how often the expression contains each word, and BM25 counts it. `corrected`: what is searched for
    instead of mistyped words; `unknown`: all words that no chunk has, nor begins with; `understood`: the query with them.
    `unique`: the weight of a word that one chunk alone has. `compounds`: the stems with which a reference such as K-54 is
    written, by its own. `exact`: the stems of references, numbers and days; `known`: the stems that any chunk has. `as_typed`:
    the expression, and its repeats, without what is searched for instead of mistyped words; "" if there are none, or nothing else.
    """

    text: str
    match: str
    weights: Mapping[str, float]
    stem_of: Mapping[str, str]
    repeats: int = 1
    corrected: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    understood: str = ""
    unique: float = 1.0
    compounds: Mapping[str, "_Compound"] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    as_typed: tuple[str, int] = ("", 1)

    def as_asked(self, spans: list[Span]) -> list[Span]:
        """The words of a text; other forms of the query's words get the query's stem, and so do its compounds."""
        if not (self.stem_of or self.compounds):
            return spans
        found = [Span(span.start, span.end, self.stem_of.get(span.stem, span.stem)) for span in spans]
        return sorted({*found, *self._compounds_in(found)}) if self.compounds else found

    def _compounds_in(self, spans: Sequence[Span]) -> Iterator[Span]:
        """The query's compounds whose parts follow one another, and those that a longer one begins with if none is as asked."""
        for stem, compound in self.compounds.items():
            parts, length = compound.parts, len(compound.parts)
            for at, span in enumerate(spans):
                if tuple(each.stem for each in spans[at : at + length]) == parts:
                    yield Span(span.start, spans[at + length - 1].end, stem)
                elif compound.is_begun and span.stem.startswith(stem):
                    yield Span(span.start, span.end, stem)

    def parts_of(self, stems: Collection[str]) -> set[str]:
        """The stems that are parts of those of the query's references which are among some stems."""
        return {part for stem, compound in self.compounds.items() if stem in stems for part in compound.parts}

    def is_informative(self, stems: Collection[str]) -> bool:
        """True if these stems show why a passage matches: much of the query, or one of its rarest words."""
        rarest = max(self.weights.values(), default=0.0)
        has_rare = any(weight >= _RARE * rarest for stem, weight in self.weights.items() if stem in stems)
        return has_rare or self.coverage(stems) >= _WELL_COVERED

    def coverage(self, stems: Collection[str]) -> float:
        """The weighted share of the query's words among these stems, 0 to 1."""
        total = sum(self.weights.values())
        return sum(weight for stem, weight in self.weights.items() if stem in stems) / total if total else 0.0

    def trust(self, coverage: float) -> float:
        """How far the words are to be trusted where the best passage by them has this share of the query, 0 to 1.

        As far as that, or further if what it has would be enough by itself: a long query is in no passage as a whole.
        """
        found = coverage * sum(self.weights.values())
        return max(coverage, min(1.0, found / (_ENOUGH * self.unique)))


@dataclass(frozen=True, slots=True)
class _Compound:
    """A reference in the query. `parts`: its words' stems; `count`: of the chunks with it; `is_begun`: they all have more of it."""

    parts: tuple[str, ...]
    count: int
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class _Term:
    """A word or a value of the query. `expression`: that finds it; `count`: of the chunks with it; `forms`: its other stems.

    `times`: how often the query has it; BM25 counts it as often. `word`: as it is typed.
    """

    expression: str
    count: int
    forms: Collection[str] = ()
    times: int = 1
    word: str = ""


def read_query(
    catalog: CatalogReader,
    query: str,
    stemmer: Stemmer,
    languages: Sequence[str] = (),
    as_written: Sequence[str] = (),
) -> LexicalQuery:
    """Turn free text into a match expression; no text can break its syntax. Words too common to
    distinguish passages are left out, unless all are. `languages`: whose endings the words may have. `as_written`: phrases of
    the query whose words are never corrected.
    """
    named = _values(catalog, values(query, is_typed=True))
    rest = _without(query, named)
    phrases = query_phrases(rest)
    asked = _content_words(rest, phrases, languages)
    found = _words(catalog, asked, stemmer, languages)
    corrected = _corrected(catalog, query, found, stemmer, languages, set(query_words(" ".join(as_written))))
    terms = {value.names[0]: term for value, term in named.items()} | found | corrected.terms
    total = max(1, count_chunks(catalog))
    common = max(total * _COMMON, _FEW)
    terms = {stem: term for stem, term in terms.items() if term.count <= common} or terms
    compounds = [*map(_quoted, phrases), *_references(rest)]
    match, repeats = _match_expression([*terms.values()], compounds)
    of_references = _compounds(catalog, rest, stemmer)
    begun = {part for compound in of_references.values() if compound.is_begun for part in compound.parts}
    counts = {stem: term.count for stem, term in terms.items() if stem not in begun}
    counts |= {stem: compound.count for stem, compound in of_references.items()}
    return LexicalQuery(
        text=query,
        match=match,
        weights={stem: corrected.share(stem) * _weight(count, total) for stem, count in counts.items()},
        stem_of={form: stem for stem, term in terms.items() for form in term.forms},
        repeats=repeats,
        corrected=corrected.words,
        unknown=corrected.unknown,
        understood=corrected.query,
        unique=_weight(1, total),
        compounds=of_references,
        exact=frozenset({*of_references, *(value.names[0] for value in named)}),
        known=frozenset(stem for stem, count in counts.items() if count),
        as_typed=_as_typed(terms, corrected, compounds),
    )


def _weight(count: int, total: int) -> float:
    """The weight of a word that `count` of `total` chunks have (idf), in nats."""
    return math.log(1 + total / (0.5 + count))


@dataclass(frozen=True, slots=True)
class _Corrected:
    """The terms instead of those that the table does not have, by their stems; the mistyped words; and the query with all that.

    `unknown`: see LexicalQuery.
    """

    terms: dict[str, _Term]
    words: Mapping[str, str]
    query: str
    unknown: frozenset[str] = frozenset()

    def share(self, stem: str) -> float:
        """How much a term of the query counts, beside those that are as they are typed."""
        return _CORRECTED if stem in self.terms and self.terms[stem].word in self.words else 1.0


def _corrected(
    catalog: CatalogReader,
    query: str,
    found: Mapping[str, _Term],
    stemmer: Stemmer,
    languages: Sequence[str],
    as_written: Collection[str],
) -> _Corrected:
    unknown = {stem: term for stem, term in found.items() if not term.count and term.word not in as_written}
    if not unknown:
        return _Corrected({}, {}, query)
    from searchkit.search.lexical.corrections import correct, with_corrections

    last = (query_words(query) or [""])[-1]
    is_of_here = len(unknown) <= max(_FEW_UNKNOWN, len(found) - len(unknown))  # else it is in another language
    terms, words, begun = {}, {}, set()
    for stem, term in unknown.items():
        meant = correct(catalog, term.word, stemmer, is_last=term.word == last)
        if meant is None or not (meant.is_begun or is_of_here):
            continue
        if meant.is_begun:
            begun.add(term.word)
            expression, forms = _quoted(meant.written) + "*", {*meant.stems}
        else:
            words[term.word] = meant.written
            like = _words(catalog, meant.words, stemmer, languages)
            expression = f"({' OR '.join(each.expression for each in like.values())})"
            forms = {*meant.stems, *(form for each in like.values() for form in each.forms)}
        terms[stem] = replace(term, expression=expression, count=meant.count, forms=forms - {stem})
    nowhere = frozenset(term.word for term in unknown.values()) - begun
    return _Corrected(terms, words, with_corrections(query, words), nowhere)


def _as_typed(terms: Mapping[str, _Term], corrected: _Corrected, compounds: Sequence[str]) -> tuple[str, int]:
    """See LexicalQuery."""
    typed = [term for stem, term in terms.items() if corrected.share(stem) == 1]
    is_both = len(typed) < len(terms) and any(term.count for term in typed)
    return _match_expression(typed, compounds) if is_both else ("", 1)


def _values(catalog: CatalogReader, found: Sequence[Value]) -> dict[Value, _Term]:
    """The query's numbers, dates and telephone numbers that the table has, which stand for the words that they are written with."""
    numbers = [value for value in found if value.is_number]
    counts = term_counts(catalog, {name for value in numbers for name in value.names})
    return {
        value: _Term(
            f"({' OR '.join(map(_quoted, value.names))})",
            sum(counts.get(name, 0) for name in value.names),
            value.names[1:],
        )
        for value in numbers
        if any(name in counts for name in value.names)
    }


def _without(query: str, found: Iterable[Value]) -> str:
    """The query with blanks in the place of some of its values."""
    for value in found:
        query = query[: value.start] + " " * (value.end - value.start) + query[value.end :]
    return query


def _words(
    catalog: CatalogReader, asked: Sequence[str], stemmer: Stemmer, languages: Sequence[str]
) -> dict[str, _Term]:
    """The terms for words, by their stems."""
    stems = stemmer.stems(asked)
    other_forms = inflections(catalog, stems, languages, stemmer)
    counts = term_counts(catalog, set(stems.values()))
    counts |= {stem: forms.count for stem, forms in other_forms.items()}
    times = Counter(stems[word] for word in asked if word in stems)
    return {
        stem: _Term(
            _asked(word, other_forms.get(stem)),
            counts.get(stem, 0),
            other_forms[stem].forms if stem in other_forms else (),
            times[stem],
            word,
        )
        for word, stem in stems.items()
    }


def _references(query: str) -> list[str]:
    """The expressions for compounds with digits as one word, as RE-2025-132 is in the table; longer ones that begin so follow."""
    joined = (value.names[0] for value in values(query, is_typed=True))
    apart = (parts for word in words(query) if len(parts := _letters_and_digits(word.text)) > 1)
    return [*(f"{_quoted(name)}*" for name in joined), *(_quoted(" ".join(parts)) for parts in apart)]


def _compounds(catalog: CatalogReader, query: str, stemmer: Stemmer) -> dict[str, _Compound]:
    """The query's references of several words, such as K-54, and words such as K54, by their stems."""
    written = {value.names[0]: query[value.start : value.end] for value in values(query, is_typed=True)}
    named = {name: [word.text for word in words(text)] for name, text in written.items()}
    named |= {word.text: _letters_and_digits(word.text) for word in words(query)}
    found = {}
    for name, parts in named.items():
        if len(parts) == 1 or "".join(parts) != name or name.isdigit():
            continue
        stems = stemmer.stems([*parts, name])
        if stems.keys() >= {*parts, name}:
            stem = stems[name]
            count = term_counts(catalog, [stem]).get(stem, 0)
            longer = 0 if count else len(chunks_matching(catalog, f"{_quoted(name)}*", _MOST_BEGUN))
            found[stem] = _Compound(tuple(stems[part] for part in parts), count or longer, longer > 0)
    return found


def _letters_and_digits(word: str) -> list[str]:
    """The parts of a word such as iphone15."""
    return ["".join(group) for _, group in groupby(word, key=str.isdigit)]


def _match_expression(terms: Sequence[_Term], phrases: Sequence[str]) -> tuple[str, int]:
    """The expression, and how often it contains each of its parts for each time that the query has it.

    Where the words are in many chunks, one of the rarest is required, so that most of them are never scored.
    Each word then occurs in it twice, which doubles BM25.
    """
    rising = sorted(terms, key=lambda term: term.count)
    sums = list(accumulate(term.count for term in rising))
    rare = max(1, bisect_right(sums, _MOST_SCORED))
    if rare >= len(rising):
        return " OR ".join([*_as_often(terms), *phrases]), 1
    required = [*_as_often(rising[:rare]), *phrases]
    others = _as_often(rising[rare:])
    return f"({' OR '.join(required)}) AND ({' OR '.join([*required, *others, *others])})", 2


def _as_often(terms: Iterable[_Term]) -> list[str]:
    return [term.expression for term in terms for _ in range(term.times)]


def _content_words(query: str, phrases: Sequence[str], languages: Sequence[str]) -> list[str]:
    """The query's words without stop words, unless it has no others or they are part of a compound: the "sa" of SA-2025-007.

    In a query whose language is known, only that language's are left out: "die" is a word in English.
    """
    asked = query_words(query)
    of_phrases = {word for phrase in phrases for word in phrase.split()}
    known = [FUNCTION_WORDS_OF[language] for language in languages if language in FUNCTION_WORDS_OF]
    stops = known[0] if len(languages) == 1 and known else STOP_WORDS
    return [word for word in asked if word not in stops or fold_word(word) in of_phrases] or asked


def _asked(word: str, other_forms: Inflections | None) -> str:
    """The expression for a word; a single character of a script without blanks matches the pairs that begin with it."""
    if other_forms:
        return _quoted(other_forms.beginning) + "*"
    folded = next((each.text for each in words(word)), word)
    return _quoted(folded) + ("*" if len(folded) == 1 and is_in_unspaced_script(folded) else "")


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
    scores = {chunk: score / query.repeats for chunk, score in found.items()}
    return _behind_exact(catalog, query, scores, limit, allowed) if query.as_typed[0] else scores


def _behind_exact(
    catalog: CatalogReader, query: LexicalQuery, scores: Mapping[int, float], limit: int, allowed: bytes | None
) -> dict[int, float]:
    """Scores in which corrections of mistyped words count _CORRECTED of the others, best first."""
    match, repeats = query.as_typed
    typed = {chunk: of / repeats for chunk, of in best_matching(catalog, match, _WEIGHTS, limit, allowed).items()}
    both = {**typed, **scores}
    mixed = {chunk: _CORRECTED * score + (1 - _CORRECTED) * typed.get(chunk, 0.0) for chunk, score in both.items()}
    return dict(sorted(mixed.items(), key=lambda item: -item[1])[:limit])
