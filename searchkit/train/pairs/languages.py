"""Notices queries in a language that the passages are not in, which is allowed but seldom intended.

A multilingual model can learn from German queries with English answers, but then it learns about German queries only.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from searchkit.library import Library
from searchkit.search.lexical.inflections import language_of
from searchkit.train.pairs.pair import Pair, sample
from searchkit.types import Passage

# Queries are short, and a title such as "Die casting in an alloy" looks German: of the titles whose language can be recognised,
# 3 of CISI's 1,127 and 1 of Cranfield's 1,210 are recognised wrongly. For a fifth of them that is not chance.
_FOREIGN = 0.2  # share of the queries whose language is recognised
_FEWEST = 5
_PRESENT = 0.05  # share of the passages that makes a language one of theirs
_QUERIES, _PASSAGES = 1_000, 300  # at most, in the sample
_NAMES = {
    "cs": "Czech", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "hu": "Hungarian", "it": "Italian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "sv": "Swedish", "tr": "Turkish", "cjk": "Chinese", "hangul": "Korean", "japanese": "Japanese",
}  # fmt: skip


def pair_remarks(pairs: Sequence[Pair], passages: Sequence[Passage]) -> tuple[str, ...]:
    """Sentences for people if many pairs' queries are in a language that hardly any passage of the corpus is in."""
    queries = [pair.query for pair in sample(pairs, _QUERIES)]
    found = _foreign(queries, passages)
    if found is None:
        return ()
    foreign, share, own = found
    return (
        f"About {share:.0%} of the pairs' queries are in {foreign}, the passages in {own}. From such pairs a model that knows both"
        f" languages learns what searches in {foreign} mean, and nothing about those in {own}; their hard negatives are weak,"
        f" because no word leads to any. If you search in {own}, leave them out, or add pairs with queries in {own}.",
    )


def judged_remarks(judged: Sequence[str], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Sentences for people if many judged queries are in a language that hardly any of the pairs' queries is in."""
    queries = [Passage("", pair.query) for pair in sample(pairs, _QUERIES)]
    found = _foreign(judged, queries)
    if found is None:
        return ()
    foreign, share, own = found
    return (
        f"About {share:.0%} of the judged queries are in {foreign}; the pairs' queries, which are learned from, are in {own}. What"
        f" is learned helps {foreign} searches only by accident. Add pairs with queries in {foreign}, or judge"
        f" queries in {own}.",
    )


def corpus_sample(library: Library, collection: str) -> list[Passage]:
    """A sample of passages from all over a collection. Raises CollectionNotFoundError."""
    return library.collection(collection).sample_passages(_PASSAGES)


def _foreign(queries: Sequence[str], passages: Iterable[Passage]) -> tuple[str, float, str] | None:
    """The queries' most frequent language that the passages are not in, its share, and the passages' language; None if none."""
    asked, there = _languages(queries), _languages(passage.text for passage in passages)
    strangers = {name: count for name, count in asked.items() if there[name] < _PRESENT * there.total()}
    if not (strangers and there):
        return None
    foreign = max(strangers, key=lambda name: strangers[name])
    share = strangers[foreign] / asked.total()
    if strangers[foreign] < _FEWEST or share < _FOREIGN:
        return None
    return _name(foreign), share, _name(there.most_common(1)[0][0])


def _languages(texts: Iterable[str]) -> Counter[str]:
    """Count the languages of the texts whose language can be recognised."""
    return Counter(language for language in map(language_of, texts) if language)


def _name(language: str) -> str:
    return _NAMES.get(language) or f"{language.capitalize()} script"
