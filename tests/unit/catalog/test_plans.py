"""How SQLite carries out queries that every search makes."""

import sqlite3
from collections.abc import Callable, Sized
from pathlib import Path

import numpy as np
import pytest

from searchkit.catalog.catalog import CatalogWriter, SqliteDatabase
from searchkit.catalog.connection import memory_catalog, open_for_writing
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import hashes_in_file
from searchkit.catalog.pending import without_vector
from searchkit.catalog.vectors import put_vectors, vectors_of_hashes


def plan_of(catalog: CatalogWriter, ask: Callable[[], object], table: str) -> list[str]:
    """How the one query of a function that names a table is carried out."""
    database = catalog.database
    assert isinstance(database, SqliteDatabase)
    said: list[str] = []
    database._connection.set_trace_callback(said.append)
    ask()
    database._connection.set_trace_callback(None)
    (asked,) = (each for each in said if table in each)
    return [str(row[3]) for row in catalog.execute(f"EXPLAIN QUERY PLAN {asked}")]


def test_names_are_looked_for_among_files_not_among_passages() -> None:
    with memory_catalog() as catalog:
        plan = plan_of(catalog, lambda: hashes_in_file(catalog, "notes/lease.md", 10), "chunks")
    assert not [each for each in plan if each.startswith("SCAN c")], plan


@pytest.mark.parametrize("find", [vectors_of_hashes, without_vector])
def test_vectors_are_looked_up_though_there_were_few_at_the_end_of_the_last_run(find: Callable[..., Sized]) -> None:
    hashes = [content_hash("", str(number)) for number in range(1000)]
    vectors = np.eye(4, dtype=np.float32)[np.arange(1000) % 4]
    with memory_catalog() as catalog:
        for first, last in ((0, 10), (10, 1000)):
            with catalog.transaction():
                put_vectors(catalog, "model", hashes[first:last], vectors[first:last])
            if last == 10:
                catalog.optimize()
        assert len(find(catalog, "model", hashes[300:700])) == (400 if find is vectors_of_hashes else 0)
        plan = plan_of(catalog, lambda: find(catalog, "model", hashes[300:700]), "vectors")
    assert any(each.startswith("SEARCH vectors") and "sqlite_autoindex_vectors" in each for each in plan), plan


def test_statistics_of_an_older_version_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    open_for_writing(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO roots (path) VALUES ('/docs')")
        connection.execute("ANALYZE")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm014_no_statistics'")
    with open_for_writing(path) as catalog:
        found = catalog.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchall()
    assert found == []
