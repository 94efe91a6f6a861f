"""Filters on the attributes of hits, in the form that OpenAI's clients and Dify send: comparisons, joined by and / or.

Every hit is checked against the whole filter. Conditions on a file's type, name and date, and on who sent a mail, are looked up
in the catalog before ranking (see `pushdown`), so that only such files are searched; the others choose among the best hits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from searchkit.answer.plain_text import visible_text
from searchkit.answer.prompt import as_data, without_turn_marks
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
KEYS = ("collection", "path", "filename", "type", "date", "sender", "heading", "place", "page", "line")
_MAX_LENGTH = 512  # characters of a value, as OpenAI has it
_MAX_DEPTH, _MAX_COMPARISONS = 8, 100
_MAX_VALUES = 100
_NOTHING = Filters()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares an attribute with a value; `in` and `nin` compare it with several."""

    key: str
    operator: Operator
    value: Value | Sequence[Value] = ""


@dataclass(frozen=True, slots=True)
class Compound:
    """Joins filters: all of them must match, or at least one."""

    operator: Literal["and", "or"]
    filters: Sequence["Comparison | Compound"]


AttributeFilter = Comparison | Compound


def shown_path(path: Path | str) -> str:
    """Name a file as it is, but on one line and without what is invisible, steers a terminal or ends a model's turn."""
    return without_turn_marks(visible_text(on_one_line(str(path))))


def attributes_of(hit: Hit) -> dict[str, Value]:
    """Return the attributes of a hit that filters can name; those that it lacks are left out."""
    values: dict[str, Value | None] = {
        "collection": hit.collection,
        "path": shown_path(hit.path),
        "filename": shown_path(hit.path.name),
        "type": shown_path(hit.path.suffix.lower().removeprefix(".")),
        "date": hit.date,
        "sender": as_data(on_one_line(hit.sender)),
        "heading": as_data(on_one_line(hit.heading)),
        "place": as_data(on_one_line(hit.place)),
        "page": hit.page,
        "line": hit.line,
    }
    known = {key: value for key, value in values.items() if value not in (None, "")}
    return {
        key: value[:_MAX_LENGTH] if isinstance(value, str) else value
        for key, value in known.items()
        if value is not None
    }


def check(filters: AttributeFilter) -> None:
    """Raise UsageError for a filter that makes no sense or is too large."""
    _check(filters, 1, [0])


def _check(filters: AttributeFilter, depth: int, seen: list[int]) -> None:
    seen[0] += 1
    if depth > _MAX_DEPTH or seen[0] > _MAX_COMPARISONS:
        raise UsageError(
            f"The filter is too large. The limits are {_MAX_COMPARISONS} comparisons, nested {_MAX_DEPTH} deep."
        )
    if isinstance(filters, Compound):
        for each in filters.filters:
            _check(each, depth + 1, seen)
        return
    if filters.key not in KEYS:
        raise UsageError(f"There is no attribute '{filters.key[:80]}' to filter by. Attributes: {', '.join(KEYS)}.")
    has_several = not isinstance(filters.value, str | float | int)
    if has_several != (filters.operator in ("in", "nin")):
        wanted = "a list of values" if filters.operator in ("in", "nin") else "one value"
        raise UsageError(f"The filter '{filters.operator}' on '{filters.key}' takes {wanted}.")
    if any(isinstance(value, bool) or (isinstance(value, float) and math.isnan(value)) for value in _values(filters)):
        raise UsageError(f"The filter on '{filters.key}' takes text or a number, not true, false or NaN.")
    if has_several and len(_values(filters)) > _MAX_VALUES:
        raise UsageError(f"The filter on '{filters.key}' has more than {_MAX_VALUES} values.")


def matches(filters: AttributeFilter, attributes: Mapping[str, Value]) -> bool:
    """Return True if a filter matches a hit's attributes. An attribute that the hit lacks matches negations only."""
    if isinstance(filters, Compound):
        each = (matches(inner, attributes) for inner in filters.filters)
        return all(each) if filters.operator == "and" else any(each)
    own = attributes.get(filters.key)
    if filters.operator in _NEGATED:
        return not matches(replace(filters, operator=_NEGATED[filters.operator]), attributes)
    if filters.operator == "empty" or own is None:
        return own is None and filters.operator == "empty"
    return any(_compare(filters.operator, own, value) for value in _values(filters))


def pushdown(filters: AttributeFilter) -> Filters:
    """Return the catalog filters implied by this filter: they let through all of its matches, and perhaps more."""
    if isinstance(filters, Comparison):
        return _of_comparison(filters)
    parts = [pushdown(inner) for inner in filters.filters]
    return _all_of(parts) if filters.operator == "and" else _any_of(parts)


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
    """Read a number from text, which is all that some clients can send; other text stays as it is."""
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
    if comparison.operator in ("eq", "in") and comparison.key == "sender" and all(map(_is_one_person, values)):
        return Filters(senders=tuple(values))
    if comparison.key == "date" and values and (day := _day(values[0])):
        if comparison.operator in ("gt", "gte"):
            return Filters(since=day)
        if comparison.operator in ("lt", "lte"):
            return Filters(until=day)
    return _NOTHING


def _bounded(types: tuple[str, ...], paths: tuple[str, ...]) -> Filters:
    """Return filters of types and paths, or none at all if one of them would be read as something else."""
    from searchkit.search.query.filters import is_file_type, is_place

    is_sound = all(map(is_file_type, types)) and all(is_place(path) and not path.startswith("~") for path in paths)
    is_sound = (
        is_sound and max(len(types), len(paths)) <= _MAX_VALUES and all(Path(path).name == path for path in paths)
    )
    return Filters(types=types, paths=paths) if is_sound else _NOTHING


def _any_of(parts: Sequence[Filters]) -> Filters:
    """Join the types, the paths or the senders, if every part names such; catalog filters cannot express anything wider."""
    if any(part.since or part.until for part in parts):
        return _NOTHING
    if all(part.types and not part.paths for part in parts):
        return _bounded(tuple(name for part in parts for name in part.types), ())
    if all(part.paths and not part.types for part in parts):
        return _bounded((), tuple(path for part in parts for path in part.paths))
    if parts and all(part.senders for part in parts):
        return Filters(senders=tuple(sender for part in parts for sender in part.senders))
    return _NOTHING


def _is_one_person(sender: str) -> bool:
    """True for a name, an address or both, which the catalog finds; a list of people it does not."""
    return any(map(str.isalnum, sender)) and not any(sign in sender.partition("@")[2].strip() for sign in " ,;@")


def _all_of(parts: Sequence[Filters]) -> Filters:
    """Take the first types, paths and senders (catalog filters cannot demand several at once) and the narrowest range of days."""
    types = next((part.types for part in parts if part.types), ())
    paths = next((part.paths for part in parts if part.paths), ())
    senders = next((part.senders for part in parts if part.senders), ())
    since = max((part.since for part in parts if part.since), default=None)
    until = min((part.until for part in parts if part.until), default=None)
    if since and until and since > until:
        until = None  # nothing matches; the check of each hit against the filter sees to that
    return Filters(types=types, paths=paths, since=since, until=until, senders=senders)


def _as_pattern(path: str) -> str:
    """Escape the last name of a path as a glob that matches it alone."""
    name = path.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
