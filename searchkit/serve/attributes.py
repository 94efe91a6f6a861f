"""Filters over what is known of a hit, in the form that OpenAI's clients and Dify send: comparisons, joined by and / or.

Every hit is checked against the whole filter. Where a filter says something of files that the catalog can tell before
ranking (see `beforehand`), only those are searched; else the filter chooses among the best hits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from searchkit.answer.prompt import as_data
from searchkit.display import on_one_line
from searchkit.errors import UsageError
from searchkit.search.query.filters import Filters
from searchkit.types import Hit

Value = str | float | bool
Operator = Literal[
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "nin",
    "contains",
    "not contains",
    "starts",
    "ends",
    "empty",
    "not empty",
]
KEYS = ("collection", "path", "filename", "type", "date", "heading", "place", "page", "line")
_LONGEST = 512  # characters of a value, as OpenAI has it
_DEEPEST, _MOST_COMPARISONS = 8, 100
_MOST_VALUES = 100
_NOTHING = Filters()


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute against a value; against several for `in` and `nin`."""

    key: str
    operator: Operator
    value: Value | Sequence[Value] = ""


@dataclass(frozen=True, slots=True)
class Compound:
    """Several filters that must all hold, or of which one must."""

    operator: Literal["and", "or"]
    filters: Sequence["Comparison | Compound"]


AttributeFilter = Comparison | Compound


def attributes_of(hit: Hit) -> dict[str, Value]:
    """What can be told of a hit, and filtered by: only what there is."""
    found: dict[str, Value | None] = {
        "collection": hit.collection,
        "path": on_one_line(str(hit.path)),
        "filename": on_one_line(hit.path.name),
        "type": hit.path.suffix.lower().removeprefix("."),
        "date": hit.date,
        "heading": as_data(on_one_line(hit.title)),
        "place": as_data(on_one_line(hit.place)),
        "page": hit.page,
        "line": hit.line,
    }
    known = {key: value for key, value in found.items() if value not in (None, "")}
    return {
        key: value[:_LONGEST] if isinstance(value, str) else value for key, value in known.items() if value is not None
    }


def check(filters: AttributeFilter) -> None:
    """Raise UsageError for a filter that cannot be meant, or is out of all proportion."""
    _check(filters, 1, [0])


def _check(filters: AttributeFilter, depth: int, seen: list[int]) -> None:
    seen[0] += 1
    if depth > _DEEPEST or seen[0] > _MOST_COMPARISONS:
        raise UsageError(f"The filter is too large: {_MOST_COMPARISONS} comparisons, {_DEEPEST} deep, are the most.")
    if isinstance(filters, Compound):
        for each in filters.filters:
            _check(each, depth + 1, seen)
        return
    if filters.key not in KEYS:
        raise UsageError(f"There is no attribute '{filters.key[:80]}' to filter by. There are: {', '.join(KEYS)}.")
    has_several = not isinstance(filters.value, str | float | int)
    if has_several != (filters.operator in ("in", "nin")):
        wanted = "a list of values" if filters.operator in ("in", "nin") else "one value"
        raise UsageError(f"The filter '{filters.operator}' on '{filters.key}' takes {wanted}.")
    if any(isinstance(value, bool) or (isinstance(value, float) and math.isnan(value)) for value in _values(filters)):
        raise UsageError(f"The filter on '{filters.key}' takes text or a number, neither true, false nor NaN.")
    if has_several and len(_values(filters)) > _MOST_VALUES:
        raise UsageError(f"The filter on '{filters.key}' has more than {_MOST_VALUES} values.")


def holds(filters: AttributeFilter, attributes: Mapping[str, Value]) -> bool:
    """Whether a filter holds for a hit's attributes. Of what a hit has not, only negations hold."""
    if isinstance(filters, Compound):
        each = (holds(inner, attributes) for inner in filters.filters)
        return all(each) if filters.operator == "and" else any(each)
    own = attributes.get(filters.key)
    if filters.operator in _NEGATED:
        return not holds(replace(filters, operator=_NEGATED[filters.operator]), attributes)
    if filters.operator == "empty" or own is None:
        return own is None and filters.operator == "empty"
    return any(_compare(filters.operator, own, value) for value in _values(filters))


def beforehand(filters: AttributeFilter) -> Filters:
    """What the catalog can tell of a filter: everything that it holds for passes these as well, and perhaps more."""
    if isinstance(filters, Comparison):
        return _of_comparison(filters)
    parts = [beforehand(inner) for inner in filters.filters]
    if filters.operator == "and":
        return _all_of(parts)
    kinds = {tuple(name for name in ("types", "paths") if getattr(part, name)) for part in parts}
    if len(kinds) != 1 or any(part.since or part.until for part in parts):
        return _NOTHING
    types, paths = (tuple(value for part in parts for value in getattr(part, name)) for name in ("types", "paths"))
    return _NOTHING if types and paths else _bounded(types, paths)


_NEGATED: Mapping[str, Operator] = MappingProxyType(
    {"ne": "eq", "nin": "in", "not contains": "contains", "not empty": "empty"}
)
_TEXT: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {"contains": lambda own, value: value in own, "starts": str.startswith, "ends": str.endswith}
)


def _compare(operator: str, own: Value, value: Value) -> bool:
    if operator in _TEXT:
        return _TEXT[operator](str(own).casefold(), str(value).casefold())
    if not isinstance(own, str) and isinstance(value, str):
        value = _number(value)
    if isinstance(own, str) != isinstance(value, str):
        return False
    if operator in ("eq", "in"):
        return own == value
    less, equal = own < value, own == value  # type: ignore[operator]  # both are text, or both are numbers
    return {"lt": less, "lte": less or equal, "gt": not (less or equal), "gte": not less}[operator]


def _number(text: str) -> Value:
    """The number that a text is, as clients send it whose fields are all text; else the text, which equals none."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _values(comparison: Comparison) -> Sequence[Value]:
    value = comparison.value
    return [value] if isinstance(value, str | float | int) else value


def _of_comparison(comparison: Comparison) -> Filters:
    values = [value for value in _values(comparison) if isinstance(value, str)]
    if comparison.operator in ("eq", "in") and comparison.key == "type":
        return _bounded(tuple(f".{value}" for value in values), ())
    if comparison.operator in ("eq", "in") and comparison.key in ("filename", "path"):
        return _bounded((), tuple(map(_as_pattern, values)))
    if comparison.key == "date" and values and (day := _day(values[0])):
        if comparison.operator in ("gt", "gte"):
            return Filters(since=day)
        if comparison.operator in ("lt", "lte"):
            return Filters(until=day)
    return _NOTHING


def _bounded(types: tuple[str, ...], paths: tuple[str, ...]) -> Filters:
    """Filters, unless one of them would not mean what it says."""
    from searchkit.search.query.file_types import is_file_type
    from searchkit.search.query.filters import is_place

    is_sound = all(map(is_file_type, types)) and all(is_place(path) and not path.startswith("~") for path in paths)
    is_sound = (
        is_sound and max(len(types), len(paths)) <= _MOST_VALUES and all(Path(path).name == path for path in paths)
    )
    return Filters(types=types, paths=paths) if is_sound else _NOTHING


def _all_of(parts: Sequence[Filters]) -> Filters:
    """One of the parts' types and paths (more would have to hold at once), and the narrowest of their days."""
    types = next((part.types for part in parts if part.types), ())
    paths = next((part.paths for part in parts if part.paths), ())
    since = max((part.since for part in parts if part.since), default=None)
    until = min((part.until for part in parts if part.until), default=None)
    if since and until and since > until:
        until = None  # nothing can hold; the filter itself says so
    return Filters(types=types, paths=paths, since=since, until=until)


def _as_pattern(path: str) -> str:
    """A file's name as a pattern that fits it; a path's last name."""
    return "".join(
        f"[{letter}]" if letter in "*?[" else letter for letter in path.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
