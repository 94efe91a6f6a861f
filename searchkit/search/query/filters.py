"""Filters: which documents may answer, by type, place and date. What they allow is told from the catalog, before ranking."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from searchkit.catalog.catalog import CatalogReader
from searchkit.errors import UsageError
from searchkit.search.query.dates import DOCUMENT_MOMENT, FIRST_MOMENT, LAST_MOMENT, within
from searchkit.search.query.globs import PathPatterns, is_pattern, plain
from searchkit.types import DocumentStatus

_LONGEST = 1000  # characters of a pattern
_MOST = 100  # patterns or types of one kind


@dataclass(frozen=True, slots=True)
class Filters:
    """What a document must be. Of several values of one kind, one is enough; different kinds must all hold.

    `types`: kinds of file (markdown, pdf, mail, code, ...) or file endings (md, yaml, .conf). `paths`: globs, `folders`:
    folders at any depth; how both fit is said in globs.py. `since`, `until`: days, both included, of the document's own
    date, else of its file's last change. `not_...`: none of these may hold.

    Raises UsageError for what cannot be a filter.
    """

    types: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    not_types: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    not_folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in (*self.paths, *self.folders, *self.not_paths, *self.not_folders):
            if not is_place(pattern):
                raise UsageError(
                    f"'{pattern[:80]}' is no path pattern. Patterns are such as *.md, reports/* or notes/**/2025*"
                )
        groups = (self.types, self.not_types, self.paths, self.not_paths, self.folders, self.not_folders)
        if max(map(len, groups)) > _MOST:
            raise UsageError(f"There are more than {_MOST} filters of one kind. A pattern with * can stand for many.")
        if self.since and self.until and self.since > self.until:
            raise UsageError(f"No day is since {self.since} and until {self.until}. Swap them, or leave one out.")

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self != _NONE


_NONE = Filters()


def is_place(pattern: str) -> bool:
    """Whether a text can be a glob or the name of a folder."""
    return len(pattern) <= _LONGEST and is_pattern(pattern)


def chunks_in_documents(catalog: CatalogReader, filters: Sequence[Filters]) -> set[int]:
    """Ids of the chunks of documents that all of the filters allow. Types are formats, or endings that begin with a dot."""
    documents = json.dumps(list(_allowed_documents(catalog, filters)))
    rows = catalog.execute("SELECT id FROM chunks WHERE document_id IN (SELECT value FROM json_each(?))", (documents,))
    found = {int(chunk) for (chunk,) in rows}
    for each in filters:
        found -= _messages_of_other_days(catalog, each)
    return found


def all_chunks(catalog: CatalogReader) -> set[int]:
    """Ids of all chunks."""
    return {int(chunk) for (chunk,) in catalog.execute("SELECT id FROM chunks")}


def _allowed_documents(catalog: CatalogReader, filters: Sequence[Filters]) -> Iterator[int]:
    conditions, parameters = ["d.status = ?"], [str(DocumentStatus.INDEXED)]
    for each in filters:
        for condition, values in (_of_types(each.types), _negated(_of_types(each.not_types)), _of_days(each)):
            conditions.append(condition)
            parameters += values
    rows = catalog.execute(
        "SELECT d.id, d.root_id, d.path FROM documents d WHERE " + " AND ".join(f"({each})" for each in conditions),
        parameters,
    )
    wanted = [PathPatterns(each.paths, each.folders) for each in filters if each.paths or each.folders]
    unwanted = [
        PathPatterns(paths, folders)
        for each in filters
        for paths, folders in ((each.not_paths, ()), ((), each.not_folders))
        if paths or folders
    ]
    if not wanted and not unwanted:
        yield from (int(document) for document, _, _ in rows)
        return
    roots = {root: plain(path) for root, path in catalog.execute("SELECT id, path FROM roots").fetchall()}
    for document, root, path in rows:
        place = (roots[root], plain(path))
        if all(patterns.fit(*place) for patterns in wanted) and not any(patterns.fit(*place) for patterns in unwanted):
            yield int(document)


def _of_types(types: Iterable[str]) -> tuple[str, list[str]]:
    """An SQL condition and its parameters."""
    conditions, parameters = [], []
    for name in types:
        if name.startswith("."):
            conditions.append("d.path LIKE ? ESCAPE '\\'")
            parameters.append("%" + "".join(f"\\{c}" if c in "%_\\" else c for c in name))
        else:
            conditions.append("d.format = ?")
            parameters.append(name)
    return " OR ".join(conditions) or "1", parameters


def _negated(condition: tuple[str, list[str]]) -> tuple[str, list[str]]:
    text, parameters = condition
    return (f"NOT ({text})", parameters) if parameters else condition


def _of_days(filters: Filters) -> tuple[str, list[str]]:
    """Of mailboxes, which hold mail of many days, it is told for each message."""
    condition, parameters = within(DOCUMENT_MOMENT, DOCUMENT_MOMENT, filters.since, filters.until)
    return (f"d.format = 'mailbox' OR {condition}" if parameters else condition), parameters


def _messages_of_other_days(catalog: CatalogReader, filters: Filters) -> set[int]:
    condition, parameters = within(FIRST_MOMENT, LAST_MOMENT, filters.since, filters.until)
    if not parameters:
        return set()
    rows = catalog.execute(
        f"SELECT c.id FROM documents d JOIN chunks c ON c.document_id = d.id WHERE d.format = 'mailbox' AND NOT ({condition})",
        parameters,
    )
    return {int(chunk) for (chunk,) in rows}
