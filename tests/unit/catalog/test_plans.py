"""How SQLite carries out queries that every search makes, whatever its statistics say."""

from collections.abc import Callable, Sized

import numpy as np
import pytest

from searchkit.catalog.catalog import SqliteDatabase
from searchkit.catalog.connection import memory_catalog
from searchkit.catalog.documents import content_hash
from searchkit.catalog.vectors import put_vectors, vectors_of_hashes, without_vector


@pytest.mark.parametrize("find", [vectors_of_hashes, without_vector])
def test_vectors_are_looked_up_though_there_were_few_when_they_were_counted(find: Callable[..., Sized]) -> None:
    hashes = [content_hash("", str(number)) for number in range(1000)]
    vectors = np.eye(4, dtype=np.float32)[np.arange(1000) % 4]
    with memory_catalog() as catalog:
        database = catalog.database
        assert isinstance(database, SqliteDatabase)
        connection = database._connection
        for first, last in ((0, 10), (10, 1000)):
            with catalog.transaction():
                put_vectors(catalog, "model", hashes[first:last], vectors[first:last])
            if last == 10:
                connection.execute("ANALYZE")
                connection.execute("ANALYZE sqlite_schema")  # which has them read
        said: list[str] = []
        connection.set_trace_callback(said.append)
        assert len(find(catalog, "model", hashes[300:700])) == (400 if find is vectors_of_hashes else 0)
        connection.set_trace_callback(None)
        (asked,) = (each for each in said if "vectors" in each)
        plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {asked}")]
    assert any(each.startswith("SEARCH v USING") and "INDEX sqlite_autoindex_vectors" in each for each in plan), plan
