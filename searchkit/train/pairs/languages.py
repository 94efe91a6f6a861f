"""Notices queries in a language that the passages are not in, which is allowed and seldom what is meant.

A model of many languages may well learn from German queries with English answers. It then learns about German queries alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from searchkit.library import Library
from searchkit.search.lexical.inflections import language_of
from searchkit.train.pairs.pair import Pair, sample
from searchkit.types import Passage

# Queries are short, and a title such as "Die casting in an alloy" looks German: 3 of the 1,127 titles of CISI and 1 of the 1,210
# of Cranfield that tell their language tell a wrong one. A fifth of them does not by chance.
_FOREIGN = 0.2  # share of the queries, of those whose language is known
_FEWEST = 5
_PRESENT = 0.05  # share of the passages that makes a language one of theirs
_QUERIES, _PASSAGES = 1_000, 300  # looked at, at most
_NAMES = {
    "cs": "Czech", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "hu": "Hungarian", "it": "Italian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "sv": "Swedish", "tr": "Turkish", "cjk": "Chinese", "hangul": "Korean", "japanese": "Japanese",
}  # fmt: skip


def pair_remarks(pairs: Sequence[Pair], passages: Sequence[Passage]) -> tuple[str, ...]:
    """A sentence or two if many pairs' queries are in a language that hardly any of the corpus's passages is in."""
    queries = [pair.query for pair in sample(pairs, _QUERIES)]
    found = _foreign(queries, passages)
    if found is None:
        return ()
    foreign, share, own = found
    return (
        f"About {share:.0%} of the pairs' queries are in {foreign}, the passages in {own}. From such pairs a model that knows both"
        f" languages learns what searches in {foreign} mean, and nothing for those in {own}; their hard negatives are weak, since"
        f" no word leads to any. If you search in {own}, leave them out, or add pairs with queries in {own}.",
    )


def judged_remarks(judged: Sequence[str], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The same of judged queries, which decide, and the queries that are learned from."""
    queries = [Passage("", pair.query) for pair in sample(pairs, _QUERIES)]
    found = _foreign(judged, queries)
    if found is None:
        return ()
    foreign, share, own = found
    return (
        f"About {share:.0%} of the judged queries are in {foreign}; the pairs' queries, which are learned from, are in {own}. What"
        f" is learned helps {foreign} searches by accident at most. Add pairs with queries in {foreign}, or judge"
        f" queries in {own}.",
    )


def corpus_sample(library: Library, collection: str) -> list[Passage]:
    """Passages from all over a collection. Raises CollectionNotFoundError."""
    return library.collection(collection).sample_passages(_PASSAGES)


def _foreign(queries: Sequence[str], passages: Iterable[Passage]) -> tuple[str, float, str] | None:
    """The queries' most frequent language that the passages are not in, its share, and the passages' own; None for none."""
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
    """Of those that tell theirs."""
    return Counter(language for language in map(language_of, texts) if language)


def _name(language: str) -> str:
    return _NAMES.get(language) or f"{language.capitalize()} script"
