"""hnswlib with its defaults: M = 16, efConstruction = 200, ef = 10; saved whole."""

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ann.engine import VectorFile
from searchkit_indexes import Ids, Vectors

_FILE = "index.hnswlib"
_SHAPE = "shape.txt"  # the library's file does not contain its dimension


class Hnswlib:
    """One file, which every change rewrites, since the library has no other way to store it."""

    settings = ("ef 10", "ef 64", "ef 256")

    def __init__(self) -> None:
        self._library: Any = import_module("hnswlib")
        self._index: Any = None
        self._file = Path()

    def version(self) -> str:
        """The library."""
        return f"hnswlib {version('hnswlib')}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Add and save."""
        self._file = folder / _FILE
        (folder / _SHAPE).write_text(str(vectors.dimension), "ascii")
        self._index = self._library.Index(space="ip", dim=vectors.dimension)
        self._index.init_index(max_elements=len(vectors))
        for ids, batch in vectors.batches():
            self._index.add_items(batch, ids)
        self._save()

    def open(self, folder: Path) -> None:
        """Read the whole file."""
        self._file = folder / _FILE
        self._index = self._library.Index(space="ip", dim=int((folder / _SHAPE).read_text("ascii")))
        self._index.load_index(str(self._file))
        self.use(self.settings[0])

    def use(self, setting: str) -> None:
        """`ef N`."""
        self._index.set_ef(int(setting.removeprefix("ef ")))

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search; the library asks a function about each candidate."""
        allowed = set(allowed_ids.tolist()).__contains__ if allowed_ids is not None else None
        threads = -1 if allowed is None else 1
        labels, _ = self._index.knn_query(query[None], k=k, num_threads=threads, filter=allowed)
        ids: Ids = labels[0].astype("int64")
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Make room, add and save."""
        self._index.resize_index(self._index.get_current_count() + len(ids))
        self._index.add_items(vectors, ids)
        self._save()

    def remove(self, ids: Ids) -> None:
        """Mark as deleted, which keeps their space, and save."""
        for one in ids.tolist():
            self._index.mark_deleted(one)
        self._save()

    def _save(self) -> None:
        beside = self._file.with_suffix(".new")
        self._index.save_index(str(beside))
        beside.replace(self._file)
