"""Proposes judged queries about a collection: its headings, each with the file that has it, for people to make questions of."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import passage_starts
from searchkit.catalog.roots import all_roots
from searchkit.catalog.session import reading
from searchkit.errors import UsageError
from searchkit.files import write_atomically
from searchkit.home import Home, existing_collection
from searchkit.ingest.chunk import TITLE_SEPARATOR

_FIRST_WORDS = 10  # of a passage that has no heading
_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Proposal:
    """A query, the file that it comes from as a judged file names it, and what to look for there."""

    query: str
    file: str
    note: str


@dataclass(frozen=True, slots=True)
class _Heading:
    text: str
    path: Path
    root: Path
    note: str


def propose_queries(home: Home, collection: str, count: int) -> list[Proposal]:
    """Up to so many, from as many files as there are, the same whenever asked.

    A heading that several files have asks for none of them and is left out; files without one give their first words.
    Raises CollectionNotFoundError.
    """
    with reading(existing_collection(home, collection)) as catalog:
        headings = list(_headings(catalog))
        several_roots = len(all_roots(catalog)) > 1
    files_with = Counter(text for text, _ in {(heading.text.casefold(), heading.path) for heading in headings})
    telling = [heading for heading in headings if files_with[heading.text.casefold()] == 1]
    return [_proposal(heading, absolute=several_roots) for heading in _spread(telling, count)]


def write_proposals(file: Path, proposals: Sequence[Proposal], *, force: bool) -> None:
    """Write them as a file of judged queries. Raises UsageError if it is there already and not to be replaced."""
    if file.exists() and not force:
        raise UsageError(f"{file} is there already. Choose another name (--out FILE), or replace it (--force).")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {file.absolute().parent}. Create it, or choose another place: --out FILE")
    lines = [{"query": one.query, "relevant": [one.file], "note": one.note} for one in proposals]
    text = "".join(f"{_as_json(line)}\n" for line in lines)
    try:
        write_atomically(file.absolute(), text.encode())
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}. Choose another place: --out FILE") from error


def _headings(catalog: CatalogReader) -> Iterator[_Heading]:
    """Each passage's innermost heading, in an order that has nothing to do with the files'."""
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
    """Of each file one, then of each a second, and so on; no text twice."""
    turns: Counter[Path] = Counter()
    ordered: list[tuple[int, int, _Heading]] = []
    seen: set[str] = set()
    for place, heading in enumerate(headings):
        if heading.text.casefold() not in seen:
            seen.add(heading.text.casefold())
            ordered.append((turns[heading.path], place, heading))
            turns[heading.path] += 1
    return [heading for _, _, heading in sorted(ordered, key=lambda item: item[:2])[:count]]


def _proposal(heading: _Heading, *, absolute: bool) -> Proposal:
    path = heading.path if absolute else heading.path.relative_to(heading.root)
    return Proposal(heading.text, path.as_posix(), heading.note)


def _as_json(value: object) -> str:
    """A name that is not UTF-8 comes as lone surrogates, which JSON can only hold as escapes."""
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(value)
