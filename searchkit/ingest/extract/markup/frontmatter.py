"""Reads front matter of notes: a document's metadata in YAML between --- lines, or TOML between +++ lines."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from searchkit.types import Block, BlockKind

_YAML = re.compile(r"\A---[ \t]*\n(?![ \t]*\n)(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)#\s")
_LONGEST = 1 << 16  # characters; anything longer is a document, not front matter
_NOTHING = frozenset(("", "~", "null"))
_NAMES = {"authors": "author", "lang": "language"}
_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)[ \t]*(Z|[-+]\d{2}:?\d{2})?)?"
)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A document's front matter: its first `length` characters, 0 if it has none.

    `block` has it as text if the metadata do not contain all of it, else None.
    """

    length: int = 0
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    block: Block | None = None


def read_front_matter(text: str) -> FrontMatter:
    """Read front matter. If it cannot be parsed, it stays searchable text, and a title is still looked for in it."""
    found = _YAML.match(text) or _TOML.match(text)
    if not found:
        return FrontMatter()
    source = found.group(1)
    values = (_from_yaml if text.startswith("-") else _from_toml)(source)
    metadata = {name: value for name, value in map(_entry, values.items()) if value} if values else {}
    is_whole = values is not None and all(map(_is_plain, values.values())) and not _COMMENT.search(source)
    title = metadata.get("title", "") or (_title_line(source) if values is None else "")
    block = Block(source.strip(), BlockKind.TABLE, line=2, line_end=1 + source.count("\n"))
    return FrontMatter(found.end(), title, metadata, None if is_whole or not block.text else block)


def iso_date(text: str) -> str:
    """Turn a date written year first into ISO 8601; leave anything else as it is."""
    if not (found := _DATE.fullmatch(text.strip())):
        return text
    year, month, day, time, zone = found.groups()
    date = f"{year}-{int(month):02}-{int(day):02}"
    hours, rest = time.split(":", 1) if time else ("", "")
    return f"{date}T{hours:0>2}:{rest}{zone or ''}" if time else date


def _from_yaml(source: str) -> dict[object, object] | None:
    """Parse YAML with scalars as written; None if it is not a mapping."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        values = yaml.load(source, loader) if len(source) < _LONGEST else None  # noqa: S506 (makes nothing but strings)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return values if isinstance(values, dict) else {} if values in (None, "") else None


def _from_toml(source: str) -> dict[object, object] | None:
    try:
        values = tomllib.loads(source, parse_float=str) if len(source) < _LONGEST else None
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return None if values is None else dict(values.items())


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict) and not (
        isinstance(value, list) and any(isinstance(item, list | dict) for item in value)
    )


def _entry(entry: tuple[object, object]) -> tuple[str, str]:
    """A name and its value as text; "" for a nested value."""
    name, value = entry
    plain = str(name).strip().lower()
    if not _is_plain(value):
        return plain, ""
    items = [_words(item) for item in (value if isinstance(value, list) else [value])]
    return _NAMES.get(plain, plain), ", ".join(item for item in items if item)


def _words(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return "" if text.lower() in _NOTHING else iso_date(text)


def _title_line(source: str) -> str:
    found = re.search(r"^title[ \t]*[:=][ \t]*(.+)$", source, flags=re.MULTILINE)
    value = found.group(1).strip() if found else ""
    if quoted := re.match(r"([\"'])(.*)\1", value):
        return quoted.group(2)
    return "" if value[:1] in (">", "|") else re.sub(r"\s+#.*", "", value)
