"""Which documents and messages a filter leaves, by type and date."""

from collections.abc import Iterator
from datetime import date

import pytest

from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.connection import memory_catalog
from searchkit.catalog.document_filter import DocumentFilter, filtered_documents, messages_of_other_days
from tests.support.stored_files import chunk, put_file


@pytest.fixture
def catalog() -> Iterator[CatalogWriter]:
    """An empty catalog, in a transaction."""
    with memory_catalog() as catalog, catalog.transaction():
        yield catalog


def names(catalog: CatalogWriter, *filters: DocumentFilter) -> list[str]:
    return sorted(name for _, _, name in filtered_documents(catalog, filters))


def day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@pytest.mark.parametrize(
    ("own", "since", "until", "is_within"),
    [
        ("2025-03-01T23:59:59+01:00", "2025-03-01", "2025-03-01", True),
        ("2025-03-01", "2025-03-02", None, False),
        ("2025", "2025-06-01", "2025-06-30", True),
        ("2025", "2026-01-01", None, False),
        ("2025-06", None, "2025-06-01", True),
        ("2025-06", None, "2025-05-31", False),
        ("March 2025", "2023-11-01", "2023-11-30", True),  # says no date that can be read: the file's
        ("20250301", "2023-11-01", "2023-11-30", True),
        (None, "2023-11-01", "2023-11-30", True),
        ("2025-03-01", None, None, True),
    ],
)
def test_a_documents_own_date_counts_before_its_files(
    catalog: CatalogWriter, own: str | None, since: str | None, until: str | None, *, is_within: bool
) -> None:
    put_file(catalog, "a.txt", [chunk("water")], metadata={"date": own} if own else None)
    assert names(catalog, DocumentFilter(since=day(since), until=day(until))) == (["a.txt"] if is_within else [])


def test_types_are_formats_or_endings_and_all_filters_must_hold(catalog: CatalogWriter) -> None:
    put_file(catalog, "a.txt", [chunk("water")])
    put_file(catalog, "b.md", [chunk("water")], format="markdown")
    put_file(catalog, "c_md", [chunk("water")], format="markdown")
    assert names(catalog, DocumentFilter(types=("markdown",))) == ["b.md", "c_md"]
    assert names(catalog, DocumentFilter(types=(".md", "text"))) == ["a.txt", "b.md"]
    assert names(catalog, DocumentFilter(types=("markdown",)), DocumentFilter(not_types=(".MD",))) == ["c_md"]
    assert names(catalog, DocumentFilter(types=("mark%",))) == []


def test_of_a_mailbox_the_messages_of_other_days_are_told_one_by_one(catalog: CatalogWriter) -> None:
    places = ["message 1, 2024-05-01", "message 2, 2025-03-01 to message 3, 2025-04-02", "message 4"]
    put_file(catalog, "box.mbox", [chunk(f"mail {i}", place=each) for i, each in enumerate(places)], format="mailbox")
    put_file(catalog, "a.txt", [chunk("water")])
    march = DocumentFilter(since=date(2025, 3, 10), until=date(2025, 3, 31))
    assert names(catalog, march) == ["box.mbox"]
    assert messages_of_other_days(catalog, march) == {1, 3}  # the last says no date: the file's, in 2023
    assert messages_of_other_days(catalog, DocumentFilter()) == set()
