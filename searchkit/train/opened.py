"""Searches and the hits that were opened from them: kept only if the user's settings say so, in one file, erased by one command."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.documents import content_hash
from searchkit.config import load_settings
from searchkit.paths import PRIVATE_FILE_MODE, make_private_folder, path_from_text, path_to_text
from searchkit.train.pairs import Kind, Pair
from searchkit.train.texts import is_query
from searchkit.types import Hit, Passage


@dataclass(frozen=True, slots=True)
class OpenedSearch:
    """A query and the passage that was opened for it."""

    query: str
    collection: str
    path: Path
    title: str
    text: str


def opened_file(home: Path) -> Path:
    """Where they lie."""
    return home / "train" / "opened.jsonl"


def note_opened(home: Path, query: str, hit: Hit) -> bool:
    """Keep a search and its opened hit, if `keep_opened` is set; returns whether it was kept. Raises ConfigError, OSError."""
    if not load_settings(home).keep_opened or not query.strip():
        return False
    fields = {
        "query": query,
        "collection": hit.collection,
        "path": path_to_text(hit.path),
        "title": hit.title,
        "text": hit.text,
    }
    make_private_folder(opened_file(home).parent)
    line = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    descriptor = os.open(opened_file(home), os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line)  # in one piece: two processes' lines do not mix
    return True


def read_opened(home: Path, collection: str = "") -> list[OpenedSearch]:
    """Those that were kept, of one collection or of all; a line that was cut by a crash is passed over."""
    return [one for one in _lines(opened_file(home)) if collection in ("", one.collection)]


def erase_opened(home: Path) -> int:
    """Delete them; returns how many there were."""
    count = len(read_opened(home))
    opened_file(home).unlink(missing_ok=True)
    return count


def opened_pairs(home: Path, collection: str) -> Iterator[Pair]:
    """Pairs of a collection's opened searches."""
    for one in read_opened(home, collection):
        if is_query(one.query):
            stored = content_hash(one.title, one.text).hex()
            yield Pair(one.query, Passage(one.title, one.text), Kind.OPENED, one.path.as_posix(), stored=stored)


def _lines(file: Path) -> Iterator[OpenedSearch]:
    if not file.is_file():
        return
    for line in file.read_text("utf-8", errors="replace").splitlines():
        try:
            fields = json.loads(line)
            path = path_from_text(fields["path"])
            yield OpenedSearch(fields["query"], fields["collection"], path, fields["title"], fields["text"])
        except (ValueError, KeyError, TypeError):
            continue
