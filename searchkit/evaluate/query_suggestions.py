"""Suggests judged queries for a collection: its headings, each with its file, for people to turn into questions."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.catalog.passages import passage_starts
from searchkit.catalog.roots import all_roots
from searchkit.errors import Action, Option, Remedy, UsageError
from searchkit.files import write_atomically
from searchkit.home import Home, existing_collection
from searchkit.ingest.chunk import TITLE_SEPARATOR

_FIRST_WORDS = 10  # of a passage without heading
_ANOTHER_FILE = Remedy(Action.CHANGE_OPTION, option=Option.OUT_FILE, sentence="Choose another file")
_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A query, its file as a file of judged queries names it, and a note on the place in it."""

    query: str
    file: str
    note: str


@dataclass(frozen=True, slots=True)
class _Heading:
    text: str
    path: Path
    root: Path
    note: str


def suggest_queries(home: Home, collection: str, count: int) -> list[Suggestion]:
    """Suggest up to `count` queries, from as many files as possible, always the same ones.

    Headings that occur in several files are left out; files without headings contribute their first words.
    Raises CollectionNotFoundError.
    """
    with reading(existing_collection(home, collection)) as catalog:
        headings = list(_headings(catalog))
        several_roots = len(all_roots(catalog)) > 1
    files_with = Counter(text for text, _ in {(heading.text.casefold(), heading.path) for heading in headings})
    informative = [heading for heading in headings if files_with[heading.text.casefold()] == 1]
    return [_suggestion(heading, absolute=several_roots) for heading in _spread(informative, count)]


def write_suggestions(file: Path, suggestions: Sequence[Suggestion], *, force: bool) -> None:
    """Write a file of judged queries. Raises UsageError if it exists, unless `force`, or cannot be written."""
    if file.exists() and not force:
        replace = Remedy(Action.CHANGE_OPTION, option=Option.FORCE, sentence="Replace it")
        raise UsageError(f"{file} exists already.", remedy=_ANOTHER_FILE | replace)
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {file.absolute().parent}.", remedy=Remedy(sentence="Create it") | _ANOTHER_FILE
        )
    lines = [{"query": one.query, "relevant": [one.file], "note": one.note} for one in suggestions]
    text = "".join(f"{_as_json(line)}\n" for line in lines)
    try:
        write_atomically(file.absolute(), text.encode())
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", remedy=_ANOTHER_FILE) from error


def _headings(catalog: CatalogReader) -> Iterator[_Heading]:
    """Yield each passage's innermost heading, in an order independent of the files."""
    for one in passage_starts(catalog):
        words = one.title.rsplit(TITLE_SEPARATOR, 1)[-1].strip() or " ".join(one.text.split()[:_FIRST_WORDS])
        if sum(character.isalpha() for character in words) < _LEAST_LETTERS:
            continue
        where = [one.title] if one.title else []
        if one.page is not None:
            where.append(f"page {one.page}")
        elif one.line is not None:
            where.append(f"line {one.line}")
        yield _Heading(words, one.path, one.root, ", ".join(where))


def _spread(headings: Sequence[_Heading], count: int) -> list[_Heading]:
    """Take one heading from each file, then a second from each, and so on, without repeated texts."""
    turns: Counter[Path] = Counter()
    ordered: list[tuple[int, int, _Heading]] = []
    seen: set[str] = set()
    for place, heading in enumerate(headings):
        if heading.text.casefold() not in seen:
            seen.add(heading.text.casefold())
            ordered.append((turns[heading.path], place, heading))
            turns[heading.path] += 1
    return [heading for _, _, heading in sorted(ordered, key=lambda item: item[:2])[:count]]


def _suggestion(heading: _Heading, *, absolute: bool) -> Suggestion:
    path = heading.path if absolute else heading.path.relative_to(heading.root)
    return Suggestion(heading.text, path.as_posix(), heading.note)


def _as_json(value: object) -> str:
    """Convert to JSON; lone surrogates, from names that are not UTF-8, become escapes."""
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(value)
