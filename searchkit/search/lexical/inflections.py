"""Other forms of a query's words, in languages whose endings SQLite's own stemmer (English) does not know.

The full-text table holds words as they came, so that any language can be in it; at query time its vocabulary is asked
which of its words share a word's Snowball stem, and what all of those begin with is asked for instead of the word.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.chunks import sample_texts
from searchkit.catalog.vocabulary import terms_beginning
from searchkit.search.lexical.languages import language_of
from searchkit.search.lexical.tokens import Stemmer

if TYPE_CHECKING:
    from Stemmer import Stemmer as Snowball

_ALGORITHM_OF = {
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "fi": "finnish",
    "hu": "hungarian",
    "ro": "romanian",
    "tr": "turkish",
    "pl": "polish",
    "cs": "czech",
    "cyrillic": "russian",
    "greek": "greek",
    "arabic": "arabic",
    "armenian": "armenian",
    "devanagari": "hindi",
    "tamil": "tamil",
}
_SHORTEST = 3  # letters that a beginning must have to be asked for
_MOST_FORMS = 300  # words of the vocabulary looked at for one of the query
_SAMPLED = 12  # passages, to see which languages a collection is in
_AT_LEAST = 2  # of them, for a language to count


@dataclass(frozen=True, slots=True)
class Inflections:
    """A word's other forms in the full-text table, what all of them begin with, and in how many chunks they are at most."""

    beginning: str
    forms: frozenset[str]
    count: int


def languages_in(catalog: CatalogReader) -> list[str]:
    """Languages that have endings of their own, of passages from all over a collection, the most frequent first."""
    seen = Counter(map(language_of, sample_texts(catalog, _SAMPLED)))
    return [language for language, count in seen.most_common() if count >= _AT_LEAST and language in _ALGORITHM_OF]


def inflections(
    catalog: CatalogReader, words: Collection[str], languages: Iterable[str], stemmer: Stemmer
) -> dict[str, Inflections]:
    """By the full-text table's own stem of a word, its other forms there, in the first of the languages that has any."""
    snowballs = [_snowball(_ALGORITHM_OF[language]) for language in languages if language in _ALGORITHM_OF]
    found: dict[str, Inflections] = {}
    for word, stem in stemmer.stems(words).items() if snowballs else ():
        for snowball in snowballs if word.isalpha() else ():
            if forms := _of_word(catalog, word, stem, snowball):
                found[stem] = forms
                break
    asked = stemmer.stems([forms.beginning for forms in found.values()])  # the table takes endings off that as well
    return {stem: forms for stem, forms in found.items() if len(asked.get(forms.beginning, "")) >= _SHORTEST}


def _of_word(catalog: CatalogReader, word: str, stem: str, snowball: "Snowball") -> Inflections | None:
    roots = {_folded(snowball.stemWord(word)), _folded(snowball.stemWord(stem))}
    root = min(roots, key=len)
    counts = _vocabulary(catalog, root[:-1] if len(root) > _SHORTEST + 1 else root)  # cheval, chevaux
    forms = {term for term in counts if term == stem or _folded(snowball.stemWord(term)) in roots}
    if not forms - {stem}:
        return None
    beginning = _common_beginning(min(forms), max(forms))
    return Inflections(beginning, frozenset(forms | {stem}), sum(counts.get(form, 0) for form in forms))


def _vocabulary(catalog: CatalogReader, beginning: str) -> dict[str, int]:
    """In how many chunks each word with this beginning is, of the full-text table's words."""
    if len(beginning) < _SHORTEST:
        return {}
    return terms_beginning(catalog, beginning, _MOST_FORMS)


def _common_beginning(first: str, last: str) -> str:
    """Of all words between two in alphabetical order."""
    different = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(different, min(len(first), len(last)))]


def _folded(word: str) -> str:
    """Without accents, as the full-text table holds words of alphabets that have case."""
    if word.upper() == word.lower():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@cache
def _snowball(algorithm: str) -> "Snowball":
    from Stemmer import Stemmer as Snowball

    return Snowball(algorithm)
