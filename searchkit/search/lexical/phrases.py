"""Finds chunks that contain a text literally, or a word, which quoted phrases require and exclusions remove.

Texts are compared after `text.folded`; a phrase begins and ends at word boundaries. The full-text table, which knows only
stems, gives the candidates.
"""

import re
from collections.abc import Callable, Set

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import chunks_matching, phrase_expression, unspaced_runs
from searchkit.catalog.passages import chunks_containing, words_of_chunks
from searchkit.text import folded


def chunks_with_phrase(catalog: CatalogReader, phrase: str, among: Set[int] | None) -> set[int]:
    """Ids of the chunks, of those in `among` unless None, that contain a phrase in their text, headings, path or metadata."""
    match = _match_expression(phrase)
    found = set(chunks_matching(catalog, match)) if match else chunks_containing(catalog, _sign(phrase))
    holds = _finder(phrase)
    return {
        chunk.id
        for chunk in words_of_chunks(catalog, found if among is None else found & among)
        if any(holds(part) for part in (chunk.text, chunk.title, chunk.name, chunk.metadata))
    }


def chunks_with_word(catalog: CatalogReader, word: str) -> set[int]:
    """Ids of the chunks that contain a word in any of its forms; for a compound such as `e-mail`, its parts in order."""
    match = _match_expression(word)
    return set(chunks_matching(catalog, match)) if match else chunks_with_phrase(catalog, word, None)


def _match_expression(phrase: str) -> str:
    """The full-text expression for the phrase, "" where it could miss a match: without words, or with a single
    character of a script without blanks, which is indexed in pairs only.
    """
    is_single = any(len(run) == 1 for run in unspaced_runs(phrase))
    return "" if is_single else phrase_expression(phrase)


def _sign(phrase: str) -> str:
    """A caseless part of a phrase, by which to find chunks that may contain it."""
    sign = next(iter(unspaced_runs(phrase)), phrase.split(maxsplit=1)[0].replace("\0", "")[:1])
    return sign.encode("utf-8", "replace").decode()


def _finder(phrase: str) -> Callable[[str], bool]:
    """A function that returns True for a text that contains the phrase."""
    wanted = folded(phrase)
    pattern = re.compile(re.escape(wanted))
    begins, ends = _is_letter(wanted[:1]), _is_letter(wanted[-1:])

    def holds(text: str) -> bool:
        plain = folded(text)
        return wanted in plain and any(
            not (begins and _is_letter(plain[found.start() - 1 : found.start()]))
            and not (ends and _is_letter(plain[found.end() : found.end() + 1]))
            for found in pattern.finditer(plain)
        )

    return holds


def _is_letter(character: str) -> bool:
    """True if it would lengthen a word next to it; in scripts without blanks it would not."""
    return character.isalnum() and not unspaced_runs(character)
