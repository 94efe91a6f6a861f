"""Finds the documents and messages that pass a filter by type and date."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from searchkit.catalog.catalog import CatalogReader
from searchkit.types import DocumentStatus


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Conditions on a document. `types`: formats, or endings that begin with a dot; one of them must match, and none of
    `not_types`. `since`, `until`: days, both included, of the document's moment (see the views in connection.py).
    """

    types: tuple[str, ...] = ()
    not_types: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None


def filtered_documents(catalog: CatalogReader, filters: Iterable[DocumentFilter]) -> Iterator[tuple[int, str, str]]:
    """Id, root and path below that of the indexed documents that pass all filters; of one inside a file, with its name there.

    A mailbox, which contains mail of many days, passes whatever the days are: see `messages_of_other_days`.
    """
    conditions, values = ["status = ?"], [str(DocumentStatus.INDEXED)]
    for each in filters:
        of_days, days = within("moment", "moment", each.since, each.until)
        of_types, types = _of_types(catalog, each.types)
        not_of_types, not_types = _of_types(catalog, each.not_types)
        conditions += [
            of_types or "TRUE",
            f"NOT ({not_of_types})" if not_types else "TRUE",
            f"format = 'mailbox' OR {of_days}" if days else "TRUE",
        ]
        values += [*types, *not_types, *days]
    where = " AND ".join(f"({condition})" for condition in conditions)
    return iter(catalog.execute(f"SELECT id, root, own_name FROM files WHERE {where}", values))


def messages_of_other_days(catalog: CatalogReader, each: DocumentFilter) -> set[int]:
    """Ids of the chunks of mailboxes without a message of the filter's days."""
    condition, values = within("first_moment", "moment", each.since, each.until)
    if not values:
        return set()
    rows = catalog.execute(f"SELECT id FROM passages WHERE format = 'mailbox' AND NOT ({condition})", values)
    return {int(chunk) for (chunk,) in rows}


def within(first: str, last: str, since: date | None, until: date | None) -> tuple[str, list[str]]:
    """An SQL condition on columns with two moments, and its parameters: one of the days from `first` to `last` is between
    the days given, both included. For a moment that is only a year or a month, one day in it is enough.
    """
    conditions, values = [], []
    if since:
        conditions.append(f"substr({last} || '-99-99', 1, 10) >= ?")
        values.append(since.isoformat())
    if until:
        conditions.append(f"substr({first}, 1, 10) <= ?")
        values.append(until.isoformat())
    return " AND ".join(conditions) or "TRUE", values


def _of_types(catalog: CatalogReader, types: Sequence[str]) -> tuple[str, list[str]]:
    """An SQL condition, "" for no types, and its parameters."""
    conditions, values = [], []
    for name in types:
        if name.startswith("."):
            conditions.append(f"own_name {catalog.dialect.like} ? ESCAPE '\\'")
            values.append("%" + "".join(f"\\{c}" if c in "%_\\" else c for c in name))
        else:
            conditions.append("format = ?")
            values.append(name)
    return " OR ".join(conditions), values
