"""Takes a query apart for people: lists its filters, phrases and exclusions, and replaces its filters.

Only search/query/parse.py decides what a query may contain; this module asks it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from searchkit.search.query.filters import Filters, is_file_type
from searchkit.search.query.parse import ParsedQuery, parse_query

# A phrase is skipped as a whole: a filter inside it is text.
_TOKEN = re.compile(
    r"""(?P<phrase>-?"[^"]*")|(?<!\S)(?P<filter>(?P<name>-?(?:type|path|folder|since|until)):(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))(?!\S))""",
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
    parsed = _parsed(query)
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
    written = [f"{each.name}:{_quoted(each.value)}" for each in filters if each.value]
    return " ".join([*rest.split(), *written])


def _filters(query: str) -> list[tuple[TypedFilter, tuple[int, int]]]:
    found = []
    for token in _TOKEN.finditer(query):
        if token["filter"] and _parsed(token["filter"].removeprefix("-")).filters:
            value = token["plain"] or token["quoted"] or ""
            found.append((TypedFilter(token["name"].lower(), value), token.span("filter")))
    return found


def _parsed(query: str) -> ParsedQuery:
    return parse_query(" ".join(query.split()), is_type=is_file_type, today=date.today())


def _in_words(filters: Filters) -> list[str]:
    kinds = (
        ("type", filters.types, filters.not_types),
        ("path", filters.paths, filters.not_paths),
        ("folder", filters.folders, filters.not_folders),
    )
    words = [f"{name}: {' or '.join(wanted)}" for name, wanted, _ in kinds if wanted]
    words += [f"not {name}: {' or '.join(unwanted)}" for name, _, unwanted in kinds if unwanted]
    return words + [f"{word} {day}" for word, day in (("since", filters.since), ("until", filters.until)) if day]


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
