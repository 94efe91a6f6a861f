"""Searches and the hits that were opened from them: kept only if the user's settings say so, in one file, erased by one command."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from searchkit.config import load_settings
from searchkit.errors import UsageError
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, path_from_text, path_to_text, write_atomically
from searchkit.home import Home
from searchkit.search.query.filters import is_file_type
from searchkit.search.query.parse import parse_query
from searchkit.types import Hit

_FIELDS = ("query", "collection", "path", "title", "text")  # of a line


@dataclass(frozen=True, slots=True)
class OpenedSearch:
    """A query and the passage that was opened for it."""

    query: str
    collection: str
    path: Path
    title: str
    text: str


def note_opened(home: Home, query: str, hit: Hit) -> bool:
    """Record a search and its opened hit if `keep_opened` is set; return True if it was recorded.

    Hits that filters alone have found answer no query, and are not recorded. Raises ConfigError, OSError.
    """
    if not load_settings(home).keep_opened or not looked_for(query):
        return False
    _append(home.click_log, _line(OpenedSearch(query, hit.collection, hit.path, hit.heading, hit.text)))
    return True


def read_opened(home: Home, collection: str = "") -> list[OpenedSearch]:
    """Read the recorded searches, each once, of one collection or of all; a line that a crash truncated is skipped."""
    return [one for one in dict.fromkeys(_lines(home.click_log)) if collection in ("", one.collection)]


def erase_opened(home: Home, *, collection: str = "", below: Path | None = None) -> int:
    """Delete all records, or those of a collection, of a file or of everything below a folder; return their number."""

    def is_meant(one: OpenedSearch) -> bool:
        return collection in ("", one.collection) and (below is None or one.path.is_relative_to(below))

    kept = read_opened(home)
    rest = [one for one in kept if not is_meant(one)]
    if not rest:
        home.click_log.unlink(missing_ok=True)
    elif len(rest) < len(kept):
        write_atomically(home.click_log, b"".join(map(_line, rest)))
    return len(kept) - len(rest)


def rename_opened(home: Home, old: str, new: str) -> int:
    """Have the records of a collection name it by its new name; return their number."""
    kept = read_opened(home)
    renamed = [replace(one, collection=new) if one.collection == old else one for one in kept]
    if renamed != kept:
        write_atomically(home.click_log, b"".join(map(_line, renamed)))
    return sum(one.collection == old for one in kept)


def looked_for(query: str) -> str:
    """Return the query as it is embedded, without filters and exclusions; "" if nothing is left, or it can no longer be parsed."""
    try:
        return parse_query(" ".join(query.split()), is_type=is_file_type, today=date.today()).text
    except UsageError:
        return ""


def _line(one: OpenedSearch) -> bytes:
    values = (one.query, one.collection, path_to_text(one.path), one.title, one.text)
    return json.dumps(dict(zip(_FIELDS, values, strict=True)), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _append(file: Path, line: bytes) -> None:
    """Append in one write, so that the lines of two processes do not mix; on a line of its own if a crash truncated the last."""
    make_private_folder(file.parent)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "ab+") as opened:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(max(end - 1, 0))
        opened.write(line if opened.read(1) in (b"", b"\n") else b"\n" + line)


def _lines(file: Path) -> Iterator[OpenedSearch]:
    if not file.is_file():
        return
    for line in file.read_text("utf-8", errors="replace").split(
        "\n"
    ):  # splitlines() would also split at characters inside a text
        try:
            fields = json.loads(line)
            values = [fields[name] for name in _FIELDS]
        except (ValueError, KeyError, TypeError):
            continue
        if all(isinstance(value, str) for value in values):
            query, collection, path, title, text = values
            yield OpenedSearch(query, collection, path_from_text(path), title, text)
