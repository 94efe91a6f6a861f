"""Parses a query: words, quoted phrases, exclusions and filters; and takes it apart for people. Every text is a query.

`"a phrase"` must occur as written. `-word` and `-"a phrase"` must not: a hyphen at the beginning of a word, directly before
two letters or a quote, in a query that asks for something else as well; so options (`--flag`, `-v`, `-O2`), negative
numbers and hyphens inside words are ordinary text. `type:`, `path:`, `folder:`, `since:` and `until:` are filters, and of mail
`from:`, `to:`, `subject:` and `has:` (`-type:` and so on exclude); with a value that makes no sense, and for any other name
before a colon, they are ordinary text. In a sentence of four or more further words, a phrase that matches nothing is ignored. A
text of more than 24 words outside all that was pasted rather than typed, and is ordinary text throughout.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from searchkit.errors import UsageError
from searchkit.search.query.filters import Filters, is_file_type, is_name, is_place, is_thing, read_days

_QUOTES = '"“”„‟«»'
_QUOTED = rf"[{_QUOTES}]([^{_QUOTES}]*)[{_QUOTES}]"
_FILTER_NAMES = ("type", "path", "folder", "since", "until", "from", "to", "subject", "has")
_NAME = "|".join(_FILTER_NAMES)
# Of filters in other programs.
_NAMES_ELSEWHERE = frozenset("after bcc before cc date ext filename filetype kind label site".split())
_FILTER = re.compile(rf"(-?)({_NAME}):(?:{_QUOTED}(?=\s|$)|([^\s{_QUOTES}]\S*))", re.IGNORECASE)
_PHRASE = re.compile(rf"(-?){_QUOTED}")
_EXCLUDED = re.compile(r"-([^\W\d_]{2}[\w.'’/-]*)(?=[,;:!?)]*(?:\s|$))")
_WORD = re.compile(r"\S+")
_LIKE_FILTER = re.compile(r"-?([^\W\d_]{2,8}):([^\s/:]\S*)")
_SHORT_NAME = 3  # letters of a name; many words are like one that is so short
_ALIKE = 0.7  # difflib's ratio, for a misspelt name
_A_SENTENCE = 4  # words that make a query a sentence
_MOST_TYPED = 24  # words outside phrases, exclusions and filters
_MOST_PHRASES = 32  # phrases, and words, that a query may require or exclude


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A parsed query. `text`: what to search for by meaning and by words, phrases included; "" if there are only filters.

    `phrases` must occur; `excluded_words` and `excluded_phrases` must not. `is_sentence`: a phrase in it that matches nothing
    may be a quotation rather than a requirement. `ignored_phrases`: those that were, after they matched nothing.
    `as_written`: words that are not taken for others, since a collection has them.
    """

    text: str
    phrases: tuple[str, ...] = ()
    excluded_words: tuple[str, ...] = ()
    excluded_phrases: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    is_sentence: bool = False
    ignored_phrases: tuple[str, ...] = ()
    as_written: tuple[str, ...] = ()


@dataclass(slots=True)
class _Parts:
    """The parts of a query that have been read so far."""

    text: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    excluded_words: list[str] = field(default_factory=list)
    excluded_phrases: list[str] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    since: list[date] = field(default_factory=list)
    until: list[date] = field(default_factory=list)

    typed_words: int = 0

    @property
    def are_exclusions_alone(self) -> bool:
        return not (self.text or self.filters or self.since or self.until)


def parse_query(query: str, *, is_type: Callable[[str], bool], today: date) -> ParsedQuery:
    """Read a query. `is_type`: whether there is such a type of file.

    Raises UsageError where a query demands more than can be meant: too many phrases or filters, an empty time.
    """
    parts = _Parts()
    at = 0
    while at < len(query):
        if query[at].isspace():
            at += 1
            continue
        at = (
            _read_filter(query, at, parts, is_type, today)
            or _read_phrase(query, at, parts)
            or _read_word(query, at, parts)
        )
    if parts.are_exclusions_alone or parts.typed_words > _MOST_TYPED:
        return ParsedQuery(query.strip())
    return _parsed(parts)


def not_filters(query: ParsedQuery) -> list[str]:
    """The words of a query that look as if filters were meant, but were read as text: `typ:pdf`, `since:soon`, `before:2024`."""
    meant = ((word, _LIKE_FILTER.fullmatch(word)) for word in query.text.split() if word not in query.phrases)
    return [word for word, found in meant if found and _is_like_filter(found[1].lower())]


def _is_like_filter(name: str) -> bool:
    if name in _FILTER_NAMES or name in _NAMES_ELSEWHERE:
        return True
    longer = [known for known in _FILTER_NAMES if len(known) > _SHORT_NAME]
    return len(name) >= _SHORT_NAME and bool(get_close_matches(name, longer, 1, _ALIKE))


def _read_filter(query: str, at: int, parts: _Parts, is_type: Callable[[str], bool], today: date) -> int:
    """Read a filter that begins here, and return its end, 0 if there is none."""
    found = _FILTER.match(query, at)
    if not found:
        return 0
    negated, name, value = bool(found[1]), found[2].lower(), (found[3] or found[4] or "").strip()
    if name in ("since", "until"):
        days = None if negated else read_days(value, today)
        if days is None:
            return 0
        (parts.since if name == "since" else parts.until).append(days[0 if name == "since" else 1])
        return found.end()
    kind, fits = ("types", is_type) if name == "type" else _KINDS[name]
    values = [value]
    if name in _LISTS or (name in _PEOPLE and found[4]):  # a name in quotes may have a comma: "Müller, Anna"
        values = [part.strip() for part in value.split(",") if part.strip()]
    values = [part.lower() if name in _LISTS else part for part in values]
    if not values or not all(map(fits, values)):
        return 0
    parts.filters.setdefault(f"{'not_' if negated else ''}{kind}", []).extend(values)
    return found.end()


_LISTS, _PEOPLE = ("type", "has"), ("from", "to")
# Each other filter by its name in a query: its name in Filters, and whether a value makes sense.
_KINDS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "path": ("paths", is_place),
    "folder": ("folders", is_place),
    "from": ("senders", is_name),
    "to": ("recipients", is_name),
    "subject": ("subjects", is_name),
    "has": ("has", is_thing),
}


def _read_phrase(query: str, at: int, parts: _Parts) -> int:
    """Read a phrase that begins here, required or excluded, and return its end, 0 if there is none."""
    found = _PHRASE.match(query, at)
    if not found or not found[2].strip():
        return 0
    phrase = " ".join(found[2].split())
    if found[1]:
        parts.excluded_phrases.append(phrase)
    else:
        parts.phrases.append(phrase)
        parts.text.append(phrase)
    return found.end()


def _read_word(query: str, at: int, parts: _Parts) -> int:
    """Read the word here, and return its end."""
    if found := _EXCLUDED.match(query, at):
        parts.excluded_words.append(found[1].rstrip(".'’/-"))
        punctuation = _WORD.match(query, found.end())
        return punctuation.end() if punctuation else found.end()
    word = _WORD.match(query, at)
    if word is None:
        return at + 1
    parts.text.append(word.group())
    parts.typed_words += 1
    return word.end()


def _parsed(parts: _Parts) -> ParsedQuery:
    demands: Collection[list[str]] = (parts.phrases, parts.excluded_words, parts.excluded_phrases)
    if max(map(len, demands)) > _MOST_PHRASES:
        raise UsageError(
            f"The query has more than {_MOST_PHRASES} phrases or exclusions.",
            remedy="Leave the less important ones out.",
        )
    filters = Filters(
        **{name: tuple(dict.fromkeys(values)) for name, values in parts.filters.items()},
        since=max(parts.since, default=None),
        until=min(parts.until, default=None),
    )
    return ParsedQuery(
        text=" ".join(parts.text),
        phrases=tuple(dict.fromkeys(parts.phrases)),
        excluded_words=tuple(dict.fromkeys(parts.excluded_words)),
        excluded_phrases=tuple(dict.fromkeys(parts.excluded_phrases)),
        filters=filters,
        is_sentence=bool(parts.phrases) and parts.typed_words >= _A_SENTENCE,
    )


# A phrase is skipped as a whole: a filter inside it is text.
_TOKEN = re.compile(
    r"""(?P<phrase>-?"[^"]*")|(?<!\S)(?P<filter>(?P<name>-?(?:"""
    + _NAME
    + r""")):(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))(?!\S))""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TypedFilter:
    """A filter as typed in a query: `type`, `-folder`, `since` ... and its value, without quotes."""

    name: str
    value: str


def demands_of(query: str) -> tuple[str, ...]:
    """The demands in addition to the words, as text: `type: pdf`, `since 2025-01-01`, `not draft`, `"notice period"`.

    Raises UsageError where a query demands more than can be meant.
    """
    parsed = _as_typed(query)
    phrases = [f'"{phrase}"' for phrase in parsed.phrases]
    excluded = [f"not {word}" for word in parsed.excluded_words]
    excluded += [f'not "{phrase}"' for phrase in parsed.excluded_phrases]
    return (*_in_words(parsed.filters), *phrases, *excluded)


def filters_of(query: str) -> tuple[TypedFilter, ...]:
    """The filters of a query, as typed."""
    return tuple(typed for typed, _ in _filters(query))


def with_filters(query: str, filters: Sequence[TypedFilter]) -> str:
    """Replace the query's filters by these, after its words."""
    rest = query
    for _, (start, end) in reversed(_filters(query)):
        rest = rest[:start] + " " + rest[end:]
    written = [f"{each.name}:{_in_quotes(each.value)}" for each in filters if each.value]
    return " ".join([*rest.split(), *written])


def _filters(query: str) -> list[tuple[TypedFilter, tuple[int, int]]]:
    found = []
    for token in _TOKEN.finditer(query):
        if token["filter"] and _as_typed(token["filter"].removeprefix("-")).filters:
            value = token["plain"] or token["quoted"] or ""
            found.append((TypedFilter(token["name"].lower(), value), token.span("filter")))
    return found


def _as_typed(query: str) -> ParsedQuery:
    return parse_query(" ".join(query.split()), is_type=is_file_type, today=date.today())


def _in_words(filters: Filters) -> list[str]:
    kinds = (
        ("type", filters.types, filters.not_types),
        ("path", filters.paths, filters.not_paths),
        ("folder", filters.folders, filters.not_folders),
        ("from", filters.senders, filters.not_senders),
        ("to", filters.recipients, filters.not_recipients),
        ("subject", filters.subjects, filters.not_subjects),
        ("has", filters.has, filters.not_has),
    )
    words = [f"{name}: {' or '.join(wanted)}" for name, wanted, _ in kinds if wanted]
    words += [f"not {name}: {' or '.join(unwanted)}" for name, _, unwanted in kinds if unwanted]
    return words + [f"{word} {day}" for word, day in (("since", filters.since), ("until", filters.until)) if day]


def _in_quotes(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
