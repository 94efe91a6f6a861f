"""LanceDB in a folder: with its defaults, which means exhaustive search, and with its default index."""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import VectorFile
from searchkit_indexes import Ids, Vectors

_TABLE = "vectors"


class LanceDb:
    """A table without an index."""

    settings: tuple[str, ...] = ("",)

    def __init__(self) -> None:
        self._arrow: Any = import_module("pyarrow")
        self._library: Any = import_module("lancedb")
        self._table: Any = None

    def version(self) -> str:
        """The library."""
        return f"lancedb {version('lancedb')}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Write the table in one go."""
        database = self._library.connect(folder)
        schema = self._rows(np.zeros(0, np.int64), np.zeros((0, vectors.dimension), np.float32)).schema
        self._table = database.create_table(_TABLE, data=self._all_rows(vectors), schema=schema)

    def open(self, folder: Path) -> None:
        """Open the table."""
        self._table = self._library.connect(folder).open_table(_TABLE)

    def use(self, setting: str) -> None:
        """Do nothing: there is nothing to set."""

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search, by Euclidean distance, which orders unit vectors as their product does."""
        request = self._table.search(query).limit(k).select(["id"])
        if allowed_ids is not None:
            request = request.where(_among(allowed_ids), prefilter=True)
        ids: Ids = request.to_arrow()["id"].to_numpy()
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add rows: a new version of the table."""
        self._table.add(self._rows(ids, vectors))

    def remove(self, ids: Ids) -> None:
        """Delete rows: a new version of the table that knows which are gone."""
        self._table.delete(_among(ids))

    def _all_rows(self, vectors: VectorFile) -> Iterator[Any]:
        for ids, batch in vectors.batches():
            yield self._rows(ids, batch)

    def _rows(self, ids: Ids, vectors: Vectors) -> Any:
        flat = self._arrow.array(vectors.reshape(-1), self._arrow.float32())
        column = self._arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        return self._arrow.RecordBatch.from_arrays([self._arrow.array(ids), column], names=["id", "vector"])


class LanceDbIndexed(LanceDb):
    """The same table with the default index of `create_index`: IVF_PQ."""

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Write the table, then the index."""
        super().build(folder, vectors)
        self._table.create_index(vector_column_name="vector")


def _among(ids: Ids) -> str:
    return f"id IN ({', '.join(map(str, ids.tolist()))})"
