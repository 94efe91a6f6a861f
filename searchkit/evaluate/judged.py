"""Reads a user's judged queries for a collection: one JSON object per line, with the files or places that answer the query.

`{"query": "when does the lease end", "relevant": ["flat/lease.pdf:3", "notes.md#40", "mail/landlord.eml"]}`: a page (:), a
line (#), or a whole file. Paths are relative to a root of the collection, or absolute.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.catalog import documents, roots
from searchkit.catalog.connection import reading
from searchkit.catalog.documents import content_hash
from searchkit.errors import Action, EvaluationDataError, Remedy
from searchkit.evaluate.beir import json_objects
from searchkit.evaluate.retrieval.indexes import JudgedCollection
from searchkit.files import path_from_text
from searchkit.home import CollectionFolder, Home, existing_collection
from searchkit.types import Chunk, DocumentStatus, Hit

_WITH_PLACE = re.compile(r"(.+)([#:])(\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RelevantItem:
    """An answer to a query as the file names it: a document, or some of its passages. `passages`: None for all of them."""

    name: str
    path: Path
    passages: frozenset[bytes] | None


def read_judged(home: Home, collection: str, file: Path) -> JudgedCollection:
    """Read the judged queries for a collection; their ids are their line numbers.

    Raises CollectionNotFoundError; EvaluationDataError, with the line, for a malformed object, a repeated query, and a file
    or place that is not in the collection.
    """
    queries: dict[str, str] = {}
    items: dict[str, list[RelevantItem]] = {}
    known = _Known(existing_collection(home, collection))
    for fields, place in json_objects(file):
        text = _query(fields, place)
        if text in items:
            raise EvaluationDataError(
                f"{place}: the query {text!r} was there before.", remedy="Put all that answers it on one line."
            )
        queries[place.rpartition(" ")[2]] = text
        items[text] = [known.item(name, place) for name in _relevant(fields, place)]
    if not queries:
        raise EvaluationDataError(f"{file} is empty.", remedy=Remedy(Action.JUDGE_QUERIES, collection=collection))
    return JudgedCollection(
        name=collection,
        home=home,
        collection=collection,
        queries=queries,
        qrels={query_id: {item.name: 1 for item in items[text]} for query_id, text in queries.items()},
        ids_of=lambda query, hit, paths: ids_among(items.get(query, ()), hit, paths),
        is_ours=False,
    )


def ids_among(items: Sequence[RelevantItem], hit: Hit, paths: Sequence[Path]) -> list[str]:
    """Name the relevant items that a hit matches, else its path, so that further hits in the same file count once."""
    hashed = content_hash(hit.heading, hit.text)
    here = [item for item in items if item.path in paths]
    found = [item.name for item in here if item.passages is None or hashed in item.passages]
    return found or [str(hit.path)]


class _Known:
    """The indexed files of a collection and their passages."""

    def __init__(self, folder: CollectionFolder) -> None:
        self._folder = folder
        self._documents: dict[Path, int] = {}
        with reading(folder) as connection:
            self._roots = [root.path for root in roots.all_roots(connection)]
            for root in roots.all_roots(connection):
                for record in documents.documents_of_root(connection, root.id):
                    if record.status is DocumentStatus.INDEXED:
                        self._documents[root.path / path_from_text(record.path)] = record.id

    def item(self, name: str, place: str) -> RelevantItem:
        """Resolve an item as it is written. Raises EvaluationDataError."""
        if path := self._path(name):
            return RelevantItem(name, path, None)
        match = _WITH_PLACE.fullmatch(name)
        if match and (path := self._path(match[1])):
            passages = self._passages(path, match[2], int(match[3]))
            if not passages:
                raise EvaluationDataError(
                    f"{place}: {path} has no passage at {name[len(match[1]) :]}.",
                    remedy="Lines are such as #12, pages such as :3.",
                )
            return RelevantItem(name, path, passages)
        raise EvaluationDataError(
            f"{place}: collection '{self._folder.name}' has no indexed file {name!r}.",
            remedy=f"Give paths as they are below {' or '.join(map(str, self._roots))}, or absolute ones.",
        )

    def _path(self, name: str) -> Path | None:
        given = Path(name).expanduser()
        candidates = (*(root / given for root in self._roots), given.absolute())
        return next((path for path in candidates if path in self._documents), None)

    def _passages(self, path: Path, sign: str, number: int) -> frozenset[bytes]:
        with reading(self._folder) as connection:
            chunks = documents.chunks_of_document(connection, self._documents[path])
        paged = sign == ":" and any(chunk.page is not None for chunk in chunks)
        found = (chunk for chunk in chunks if chunk.page == number) if paged else _at_line(chunks, number)
        return frozenset(content_hash(chunk.title, chunk.text) for chunk in found)


def _at_line(chunks: Sequence[Chunk], line: int) -> Iterator[Chunk]:
    """Find the passages that contain a line, else the following one, whose heading the line may be."""
    placed = [chunk for chunk in chunks if chunk.line is not None]
    holding = [chunk for chunk in placed if (chunk.line or 0) <= line <= (chunk.line_end or chunk.line or 0)]
    following = [chunk for chunk in placed if (chunk.line or 0) > line]
    yield from holding or following[:1]


def _query(fields: Mapping[str, Any], place: str) -> str:
    text = fields.get("query")
    if not isinstance(text, str) or not text.strip():
        raise EvaluationDataError(f'{place}: "query" is missing or not text.')
    return text


def _relevant(fields: Mapping[str, Any], place: str) -> list[str]:
    names = fields.get("relevant")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise EvaluationDataError(f'{place}: "relevant" must be a list of at least one path.')
    return names
