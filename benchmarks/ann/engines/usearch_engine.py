"""USearch with its defaults (HNSW; vectors in the precision it chooses for this processor); saved whole."""

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ann.engine import CannotError, VectorFile
from searchkit_indexes import Ids, Vectors

_FILE = "index.usearch"


class Usearch:
    """One file, which every change rewrites: the library can map a file to search it, but not to change it."""

    settings = ("ef 64", "ef 256")

    def __init__(self) -> None:
        self._library: Any = import_module("usearch.index")
        self._index: Any = None
        self._file = Path()

    def version(self) -> str:
        """The library."""
        return f"usearch {version('usearch')}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Add and save."""
        self._file = folder / _FILE
        self._index = self._library.Index(ndim=vectors.dimension)
        for ids, batch in vectors.batches():
            self._index.add(ids.astype("uint64"), batch)
        self._save()

    def open(self, folder: Path) -> None:
        """Read the whole file."""
        self._file = folder / _FILE
        self._index = self._library.Index.restore(str(self._file))

    def use(self, setting: str) -> None:
        """`ef N`: the library's expansion_search, 64 by default."""
        self._index.expansion_search = int(setting.removeprefix("ef "))

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search; the library's Python interface has no filter."""
        if allowed_ids is not None:
            raise CannotError("no filter from Python")
        ids: Ids = self._index.search(query, k).keys.astype("int64")
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add and save."""
        self._index.add(ids.astype("uint64"), vectors)
        self._save()

    def remove(self, ids: Ids) -> None:
        """Mark as deleted and save."""
        self._index.remove(ids.astype("uint64"))
        self._save()

    def _save(self) -> None:
        beside = self._file.with_suffix(".new")
        self._index.save(str(beside))
        beside.replace(self._file)
