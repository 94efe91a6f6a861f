"""Finds what is written literally: quoted phrases, which must occur, matches of the whole query, which go before all others, and
the people whose mail is meant.

Texts are compared folded (see text.py), or by the names of the numbers and dates in them (see values.py). The full-text
table, which knows only stems, gives the candidates.
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import chunks_matching, phrase_expression, query_words
from searchkit.catalog.messages import correspondents
from searchkit.catalog.passages import chunks_containing, count_chunks, has_mail, hashes_in_file, words_of_chunks
from searchkit.catalog.values import canonical, values
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.text import folded, has_unspaced_runs, is_in_unspaced_script, name_words, words

PIN_FIRST = 2.0  # more than any difference of fused scores, language penalty included
_AS_WRITTEN = 0.5 * PIN_FIRST  # 13.860,00 before 13860; more than any difference of fused scores without the language
_NAMED = 2 * PIN_FIRST  # a file whose name is all that is asked for goes before those that mention it
SMALL_BOOST = 0.1  # of .05 to 1 measured on five collections, .1 gains most on code (+.0015) and loses nowhere
# Added to the fused scores of mail from and to people whom a query names: if it names nothing else, before all others; else by
# the share of its words that are names, squared.
_FROM_ALONE, _TO_ALONE = 3 * PIN_FIRST, 1.5 * PIN_FIRST
_FROM, _TO = 0.4, 0.2  # of 0 to 2 measured (benchmarks/mail_people.py), .3 to .5 rank best
_SAYS_MAIL = frozenset(
    "mail mails email emails e message messages nachricht nachrichten courriel courriels correo".split()
)
_ROLES = frozenset(  # of senders, in words that mean something else in a query
    "info support service services team mail mailer office kontakt contact noreply no reply news newsletter notifications"
    " notification updates update admin sales billing help hello shop account accounts".split()
)
_MOST = 200  # passages looked at for each literal
_RARE_SHARE = 0.01  # of all passages: in more, a single word is a subject rather than an address
_RARE_COUNT = 3  # passages that are few in any collection
_CONTENT_WORDS = 2  # from this many content words on, a whole query counts as a quotation
EDGES = " \t\n\"'“”„«»‘’`.,;:!?()[]{}<>"
_LAST_SIGN = 0x2E7F  # followed by East Asian scripts and pictographs
_PLACE = re.compile(r":\d+$")  # a line, as hits show it
_IDENTIFIER = re.compile(
    r"(?=\S*\d)(?=\S*[^\W\d_])\S+"  # letters and digits: E07, SA-2025-007
    r"|\S*[^\W_][_./\\:#@]+[^\W_]\S*"  # joined by signs other than a hyphen: max_size, docs/lease.md
    r"|\S*[a-z][A-Z]\S*"  # camelCase
)


def chunks_with_phrase(catalog: CatalogReader, phrase: str, among: Set[int] | None) -> set[int]:
    """Ids of the chunks, of those in `among` unless None, that contain a phrase in their text, headings, path or metadata."""
    match = _match_expression(phrase)
    found = set(chunks_matching(catalog, match)) if match else chunks_containing(catalog, _sign(phrase))
    holds = phrase_finder(phrase)
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
    is_single = any(len(word.text) == 1 and is_in_unspaced_script(word.text) for word in words(phrase))
    return "" if is_single else phrase_expression(phrase)


def _sign(phrase: str) -> str:
    """A caseless part of a phrase, by which to find chunks that may contain it."""
    unspaced = (phrase[word.start : word.end] for word in words(phrase) if is_in_unspaced_script(word.text))
    sign = next(unspaced, phrase.split(maxsplit=1)[0].replace("\0", "")[:1])
    return sign.encode("utf-8", "replace").decode()


def phrase_finder(phrase: str) -> Callable[[str], bool]:
    """A function that returns True for a text that contains the phrase, or its numbers and dates in another spelling."""
    has_years = not any(value.without_year in value.names for value in values(phrase))
    as_written, named = _between_words(folded(phrase)), canonical(phrase, has_years=has_years)
    may_be_a_name = named.isalnum() and any(map(str.isdigit, named))  # qx20250071, which is written QX-2025-0071
    holds_named = _between_words(folded(named)) if named != phrase or may_be_a_name else None

    def holds(text: str) -> bool:
        if as_written(folded(text)):
            return True
        return holds_named is not None and holds_named(folded(canonical(text, has_years=has_years)))

    return holds


def _between_words(wanted: str) -> Callable[[str], bool]:
    pattern = re.compile(re.escape(wanted))
    begins, ends = _is_letter(wanted[:1]), _is_letter(wanted[-1:])

    def holds(plain: str) -> bool:
        return wanted in plain and any(
            not (begins and _is_letter(plain[found.start() - 1 : found.start()]))
            and not (ends and _is_letter(plain[found.end() : found.end() + 1]))
            for found in pattern.finditer(plain)
        )

    return holds


def _is_letter(character: str) -> bool:
    """True if it would lengthen a word next to it; in scripts without blanks it would not."""
    return character.isalnum() and not is_in_unspaced_script(character)


def exact_bonuses(catalog: CatalogReader, query: str, allowed: bytes | None = None) -> dict[bytes, float]:
    """Find literal matches: by content hash, the bonus to add to a passage's fused score, which is 0 to 1.

    PIN_FIRST or more puts a passage before all others: it contains the whole query, is in a file that the query names, or in
    the only file with all the query's identifiers. What is spelt as it is typed goes before its other spellings. The whole query
    counts if it has two content words, or is as rare as an identifier. SMALL_BOOST: several files contain the identifiers.
    Case, accents and white space do not matter.
    `allowed`: one byte per chunk id from 0 on, 1 for those that count, None for all; files that the query names count anyway.
    """
    total = max(1, count_chunks(catalog) if allowed is None else allowed.count(1))
    rare = max(_RARE_COUNT, int(total * _RARE_SHARE))
    whole = _bare(query)
    names = [*identifiers(query), *_in_groups(query)]
    holding = _holding(catalog, names, _MOST, allowed) if names else {}
    bonuses = dict.fromkeys(holding, PIN_FIRST if len({of.document for of in holding.values()}) == 1 else SMALL_BOOST)
    quoting = _holding(catalog, [whole], _MOST if _is_quotation(whole) else rare, allowed) if whole else {}
    as_written = _AS_WRITTEN if any(map(str.isdigit, whole)) else 0.0
    bonuses |= {key: PIN_FIRST + as_written * of.is_as_written for key, of in quoting.items()}
    for name in file_names(query):
        bonus = _NAMED if name == _as_path(whole) else PIN_FIRST
        bonuses |= dict.fromkeys(hashes_in_file(catalog, name, _MOST), bonus)
    return bonuses


def _bare(query: str) -> str:
    """A query without the signs around it; a day such as 2.8. keeps its last dot."""
    whole = query.strip(EDGES)
    dotted = f"{whole}."
    return dotted if dotted in query and any(value.end == len(dotted) for value in values(dotted)) else whole


def people_bonuses(catalog: CatalogReader, query: str, candidates: Sequence[bytes]) -> dict[bytes, float]:
    """Find mail from or to the people whom a query names: by content hash, the bonus to add to a passage's fused score.

    A person is known by having sent a mail with one of the candidates; mail of namesakes with fewer of the query's words gets none.
    """
    asked = _asked_names(query) if has_mail(catalog) else {}
    if not asked:
        return {}
    found = correspondents(catalog, candidates)
    named = {_said_of(of.sender, asked) for of in found.values()}
    named = {words for words in named if words and not words <= _ROLES and not any(words < other for other in named)}
    bonuses = {}
    for key, of in found.items():
        sent = named & {_said_of(of.sender, asked)}
        of_it = sent or named & {_said_of(each, asked) for each in of.recipients}
        if of_it:
            share = max(map(len, of_it)) / len(asked)
            alone, among = (_FROM_ALONE, _FROM) if sent else (_TO_ALONE, _TO)
            bonuses[key] = alone if share == 1 else among * share**2
    return bonuses


def _asked_names(query: str) -> dict[str, frozenset[str]]:
    """The words of a query that may name people, each with its spellings."""
    pairs = zip(name_words(query), name_words(query, expanded=True), strict=True)
    return {word: frozenset({word, other}) for word, other in pairs if word not in STOP_WORDS | _SAYS_MAIL}


def _said_of(person: Set[str], asked: Mapping[str, Set[str]]) -> frozenset[str]:
    """The words of a query that are a person's."""
    return frozenset(word for word, spellings in asked.items() if not spellings.isdisjoint(person))


def identifiers(query: str) -> list[str]:
    """The parts of a query that look like names given to one thing: numbers with letters, paths, names of functions."""
    parts = (part.strip(EDGES) for part in query.split())
    return list(dict.fromkeys(part for part in parts if _IDENTIFIER.fullmatch(part)))


def _in_groups(query: str) -> list[str]:
    """The days, telephone numbers and references of a query that are written with blanks."""
    found = (query[value.start : value.end] for value in values(query, is_typed=True) if value.is_telling)
    return [part for part in found if " " in part]


def is_identifier(query: str) -> bool:
    """True if a query is nothing but identifiers: a passage without them is no answer."""
    parts = [part for part in query.split() if part.strip(EDGES)]
    is_sentence = has_unspaced_runs(query)  # which with a number in it looks like a name
    return bool(parts) and not is_sentence and len(identifiers(query)) == len(parts)


def has_no_content_words(query: str) -> bool:
    """True if a query has only punctuation and stop words, which match by accident. Emoji have a meaning."""
    words = query_words(query)
    return not any(ord(c) > _LAST_SIGN for c in query) and all(word in STOP_WORDS for word in words)


def _is_quotation(text: str) -> bool:
    return len({word for word in query_words(text) if word not in STOP_WORDS}) >= _CONTENT_WORDS


class _Holding(NamedTuple):
    """A passage that has all of some literals: one of its documents, and whether it has them as they are written."""

    document: int
    is_as_written: bool


def _holding(catalog: CatalogReader, literals: list[str], most: int, allowed: bytes | None) -> dict[bytes, _Holding]:
    """Passages that contain all the literals, as written or with their numbers and dates in other spellings.

    None if the full-text table has more than `most` candidates.
    """
    phrases = [phrase for phrase in map(phrase_expression, literals) if phrase]
    if len(phrases) < len(literals):
        return {}
    chunks = chunks_matching(catalog, " AND ".join(phrases), most + 1, allowed)
    if len(chunks) > most:
        return {}
    wanted = [(folded(literal), phrase_finder(literal)) for literal in literals]
    found = {}
    for chunk in words_of_chunks(catalog, chunks):
        whole = "\n".join((chunk.name, chunk.metadata, chunk.title, chunk.text))
        plain = folded(whole)
        if all(literal in plain or holds(whole) for literal, holds in wanted):
            found[chunk.content_hash] = _Holding(chunk.document_id, all(literal in plain for literal, _ in wanted))
    return found


def file_names(query: str) -> tuple[str, ...]:
    """The words of a query that may name a file: names with an ending, and paths, also as hits show them."""
    paths = map(_as_path, [*identifiers(query), query.strip(EDGES)])
    return tuple(dict.fromkeys(path for path in paths if "." in path or "/" in path))


def _as_path(name: str) -> str:
    return _PLACE.sub("", name).replace("\\", "/").removeprefix("~").strip("/")
