"""Finds literal matches of a query: passages that contain it, or whose file it names, go before all others."""

import re

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import chunks_matching, has_unspaced_runs, phrase_expression
from searchkit.catalog.passages import count_chunks, hashes_in_file, words_of_chunks
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.lexical.tokens import query_words
from searchkit.text import folded

PIN_FIRST = 2.0  # more than any difference of fused scores, language penalty included
_NAMED = 2 * PIN_FIRST  # a file whose name is all that is asked for goes before those that mention it
SMALL_BOOST = 0.1  # of .05 to 1 measured on five collections, .1 gains most on code (+.0015) and loses nowhere
_MOST = 200  # passages looked at for each literal
_RARE_SHARE = 0.01  # of all passages: in more, a single word is a subject rather than an address
_RARE_COUNT = 3  # passages that are few in any collection
_CONTENT_WORDS = 2  # from this many content words on, a whole query counts as a quotation
_EDGES = " \t\n\"'“”„«»‘’`.,;:!?()[]{}<>"
_LAST_SIGN = 0x2E7F  # followed by East Asian scripts and pictographs
_PLACE = re.compile(r":\d+$")  # a line, as hits show it
_IDENTIFIER = re.compile(
    r"(?=\S*\d)(?=\S*[^\W\d_])\S+"  # letters and digits: E07, SA-2025-007
    r"|\S*[^\W_][_./\\:#@]+[^\W_]\S*"  # joined by signs other than a hyphen: max_size, docs/lease.md
    r"|\S*[a-z][A-Z]\S*"  # camelCase
)


def exact_bonuses(catalog: CatalogReader, query: str) -> dict[bytes, float]:
    """Find literal matches: by content hash, the bonus to add to a passage's fused score, which is 0 to 1.

    PIN_FIRST or more puts a passage before all others: it contains the whole query, is in a file that the query names, or in
    the only file with all the query's identifiers. The whole query counts if it has two content words, or is as rare as an
    identifier. SMALL_BOOST: several files contain the identifiers. Case, accents and white space do not matter.
    """
    total = max(1, count_chunks(catalog))
    rare = max(_RARE_COUNT, int(total * _RARE_SHARE))
    whole = query.strip(_EDGES)
    names = identifiers(query)
    holding = _holding(catalog, names, _MOST) if names else {}
    bonuses = dict.fromkeys(holding, PIN_FIRST if len(set(holding.values())) == 1 else SMALL_BOOST)
    quoting = _holding(catalog, [whole], _MOST if _is_quotation(whole) else rare) if whole else {}
    bonuses |= dict.fromkeys(quoting, PIN_FIRST)
    for name in file_names(query):
        bonus = _NAMED if name == _as_path(whole) else PIN_FIRST
        bonuses |= dict.fromkeys(hashes_in_file(catalog, name, _MOST), bonus)
    return bonuses


def identifiers(query: str) -> list[str]:
    """The parts of a query that look like names given to one thing: numbers with letters, paths, names of functions."""
    parts = (part.strip(_EDGES) for part in query.split())
    return list(dict.fromkeys(part for part in parts if _IDENTIFIER.fullmatch(part)))


def is_identifier(query: str) -> bool:
    """True if a query is nothing but identifiers: a passage without them is no answer."""
    parts = [part for part in query.split() if part.strip(_EDGES)]
    is_sentence = has_unspaced_runs(query)  # which with a number in it looks like a name
    return bool(parts) and not is_sentence and len(identifiers(query)) == len(parts)


def has_no_content_words(query: str) -> bool:
    """True if a query has only punctuation and stop words, which match by accident. Emoji have a meaning."""
    words = query_words(query)
    return not any(ord(c) > _LAST_SIGN for c in query) and all(word in STOP_WORDS for word in words)


def _is_quotation(text: str) -> bool:
    return sum(word not in STOP_WORDS for word in query_words(text)) >= _CONTENT_WORDS


def _holding(catalog: CatalogReader, literals: list[str], most: int) -> dict[bytes, int]:
    """Passages that contain all the literals as written, each with one of its documents.

    None if the full-text table has more than `most` candidates.
    """
    phrases = [phrase for phrase in map(phrase_expression, literals) if phrase]
    if len(phrases) < len(literals):
        return {}
    chunks = chunks_matching(catalog, " AND ".join(phrases), most + 1)
    if len(chunks) > most:
        return {}
    wanted = [folded(literal) for literal in literals]
    found = {}
    for chunk in words_of_chunks(catalog, chunks):
        text = folded("\n".join((chunk.name, chunk.metadata, chunk.title, chunk.text)))
        if all(literal in text for literal in wanted):
            found[chunk.content_hash] = chunk.document_id
    return found


def file_names(query: str) -> tuple[str, ...]:
    """The words of a query that may name a file: names with an ending, and paths, also as hits show them."""
    paths = map(_as_path, [*identifiers(query), query.strip(_EDGES)])
    return tuple(dict.fromkeys(path for path in paths if "." in path or "/" in path))


def _as_path(name: str) -> str:
    return _PLACE.sub("", name).replace("\\", "/").removeprefix("~").strip("/")
