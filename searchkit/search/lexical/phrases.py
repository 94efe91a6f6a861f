"""Chunks that hold a text literally, or a word: what quoted phrases demand and exclusions take out.

Case, accents on Latin letters, white space and the shape of quotes and hyphens do not matter; a phrase begins and ends
where words do. The full-text table, which knows stems only, says where to look.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Set
from itertools import islice

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import lexical_form, said_of_itself, unspaced_runs
from searchkit.catalog.letters import one_spelling

_SHAPES = str.maketrans(
    {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‐‑‒–—−", "-"), "\u00ad": None}
)
_ACCENT = re.compile("(?<=[a-z])[\u0300-\u036f]+")
_BATCH = 500  # SQLite takes 999 parameters everywhere


def folded(text: str) -> str:
    """Text as phrases are compared with it."""
    text = one_spelling(text).lower()
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text.translate(_SHAPES))))


def chunks_with_phrase(catalog: CatalogReader, phrase: str, among: Set[int] | None) -> set[int]:
    """Ids of the chunks, of those in `among` unless None, that hold a phrase in their text, headings, path or metadata."""
    match = _match_expression(phrase)
    found = _chunks_matching(catalog, match) if match else _chunks_with_sign(catalog, phrase)
    return set(_holding(catalog, found if among is None else found & among, _finder(phrase)))


def chunks_with_word(catalog: CatalogReader, word: str) -> set[int]:
    """Ids of the chunks that hold a word in any of its forms; of a compound such as `e-mail`, its parts in order."""
    match = _match_expression(word)
    return _chunks_matching(catalog, match) if match else chunks_with_phrase(catalog, word, None)


def _match_expression(phrase: str) -> str:
    """The phrase as the full-text table is asked, "" where it could miss a place: without words, or with a single
    character of a script without blanks, which it knows in pairs only.
    """
    words = [word for word in lexical_form(phrase).split() if any(c.isalnum() for c in word)]
    is_single = any(len(run) == 1 for run in unspaced_runs(phrase))
    return "" if is_single or not words else '"' + " ".join(words).replace('"', '""') + '"'


def _chunks_matching(catalog: CatalogReader, match: str) -> set[int]:
    rows = catalog.execute("SELECT rowid FROM fulltext WHERE fulltext MATCH ?", (match,))
    return {int(chunk) for (chunk,) in rows}


def _chunks_with_sign(catalog: CatalogReader, phrase: str) -> set[int]:
    """Chunks that may hold the phrase, found by reading all of them for a part of it that has no case."""
    sign = next(iter(unspaced_runs(phrase)), phrase.split(maxsplit=1)[0].replace("\0", "")[:1])
    rows = catalog.execute(
        "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id"
        " WHERE instr(c.text, ?1) OR instr(c.title, ?1) OR instr(d.path, ?1) OR (c.ordinal = 0 AND instr(d.metadata, ?1))",
        (sign.encode("utf-8", "replace").decode(),),
    )
    return {int(chunk) for (chunk,) in rows}


def _holding(catalog: CatalogReader, chunks: Iterable[int], holds: Callable[[str], bool]) -> Iterator[int]:
    remaining = iter(sorted(chunks))
    while batch := list(islice(remaining, _BATCH)):
        rows = catalog.execute(
            "SELECT c.id, c.text, c.title, d.path, CASE c.ordinal WHEN 0 THEN d.metadata ELSE '' END"
            f" FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({','.join('?' * len(batch))})",
            batch,
        )
        for chunk, text, title, path, metadata in rows:
            if holds(text) or holds(title) or holds(path) or (metadata and holds(said_of_itself(metadata))):
                yield int(chunk)


def _finder(phrase: str) -> Callable[[str], bool]:
    """Whether a text holds the phrase, as a function of the text."""
    words = folded(phrase).split()
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    begins, ends = _is_letter(words[0][:1]), _is_letter(words[-1][-1:])

    def holds(text: str) -> bool:
        plain = folded(text)
        return any(
            not (begins and _is_letter(plain[found.start() - 1 : found.start()]))
            and not (ends and _is_letter(plain[found.end() : found.end() + 1]))
            for found in pattern.finditer(plain)
        )

    return holds


def _is_letter(character: str) -> bool:
    """Whether it would make a longer word of the one that it stands at; scripts without blanks have no such words."""
    return character.isalnum() and not unspaced_runs(character)
