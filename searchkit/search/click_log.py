"""Searches and the hits that were opened from them: kept only if the user's settings say so, in one file, erased by one command."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
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
    """Keep a search and its opened hit, if `keep_opened` is set; returns whether it was kept.

    What filters alone have found answers no query, and is not kept. Raises ConfigError, OSError.
    """
    if not load_settings(home).keep_opened or not looked_for(query):
        return False
    _append(home.click_log, _line(OpenedSearch(query, hit.collection, hit.path, hit.title, hit.text)))
    return True


def read_opened(home: Home, collection: str = "") -> list[OpenedSearch]:
    """Those that were kept, each once, of one collection or of all; a line that was cut by a crash is passed over."""
    return [one for one in dict.fromkeys(_lines(home.click_log)) if collection in ("", one.collection)]


def erase_opened(home: Home, *, collection: str = "", below: Path | None = None) -> int:
    """Delete them all, or those of a collection, or of a file or what is below a folder; returns how many there were."""

    def is_meant(one: OpenedSearch) -> bool:
        return collection in ("", one.collection) and (below is None or one.path.is_relative_to(below))

    kept = read_opened(home)
    rest = [one for one in kept if not is_meant(one)]
    if not rest:
        home.click_log.unlink(missing_ok=True)
    elif len(rest) < len(kept):
        write_atomically(home.click_log, b"".join(map(_line, rest)))
    return len(kept) - len(rest)


def looked_for(query: str) -> str:
    """Return the query as it is embedded, without filters and exclusions; "" if nothing is left, or it makes no sense any more."""
    try:
        return parse_query(" ".join(query.split()), is_type=is_file_type, today=date.today()).text
    except UsageError:
        return ""


def _line(one: OpenedSearch) -> bytes:
    values = (one.query, one.collection, path_to_text(one.path), one.title, one.text)
    return json.dumps(dict(zip(_FIELDS, values, strict=True)), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _append(file: Path, line: bytes) -> None:
    """In one piece, so that the lines of two processes do not mix, and on a line of its own, if a crash cut the one before."""
    make_private_folder(file.parent)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "ab+") as opened:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(max(end - 1, 0))
        opened.write(line if opened.read(1) in (b"", b"\n") else b"\n" + line)


def _lines(file: Path) -> Iterator[OpenedSearch]:
    if not file.is_file():
        return
    for line in file.read_text("utf-8", errors="replace").split("\n"):  # splitlines() would part at signs inside a text
        try:
            fields = json.loads(line)
            values = [fields[name] for name in _FIELDS]
        except (ValueError, KeyError, TypeError):
            continue
        if all(isinstance(value, str) for value in values):
            query, collection, path, title, text = values
            yield OpenedSearch(query, collection, path_from_text(path), title, text)
