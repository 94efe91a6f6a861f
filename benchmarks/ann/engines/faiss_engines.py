"""FAISS with its defaults: flat, HNSW and IVF indexes over float32 vectors, saved whole."""

import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.ann.engine import CannotError, VectorFile
from searchkit_indexes import Ids, Vectors

_FILE = "index.faiss"
_TRAINING_PER_LIST = 64  # FAISS asks for 39 at least


class FaissIndex:
    """The common part of the three: one file, which every change rewrites, since FAISS has no other way to store it."""

    settings: tuple[str, ...] = ("",)

    def __init__(self) -> None:
        self._faiss: Any = import_module("faiss")
        self._index: Any = None
        self._file = Path()
        self._search_options: Mapping[str, int] = {}

    def version(self) -> str:
        """The library."""
        return f"faiss {self._faiss.__version__}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Train where that is needed, add, save."""
        self._file = folder / _FILE
        self._index = self._new_index(vectors)
        for ids, batch in vectors.batches():
            self._index.add_with_ids(batch, ids)
        self._save()

    def open(self, folder: Path) -> None:
        """Read the whole file."""
        self._file = folder / _FILE
        self._index = self._faiss.read_index(str(self._file))
        self.use(self.settings[0])

    def use(self, setting: str) -> None:
        """`name value`: a parameter of the search."""
        name, _, value = setting.partition(" ")
        self._search_options = {name: int(value)} if value else {}

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search."""
        options = dict[str, Any](self._search_options)
        if allowed_ids is not None:
            options["sel"] = self._faiss.IDSelectorBatch(allowed_ids)
        _, found = self._index.search(query[None], k, params=self._parameters(**options) if options else None)
        ids: Ids = found[0][found[0] >= 0]
        return ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add and save."""
        self._index.add_with_ids(vectors, ids)
        self._save()

    def remove(self, ids: Ids) -> None:
        """Remove and save."""
        self._index.remove_ids(ids)
        self._save()

    def _new_index(self, vectors: VectorFile) -> Any:
        raise NotImplementedError

    def _parameters(self, **options: Any) -> Any:
        return self._faiss.SearchParameters(**options)

    def _save(self) -> None:
        """Write beside the old file first, so that the index is never incomplete."""
        beside = self._file.with_suffix(".new")
        self._faiss.write_index(self._index, str(beside))
        beside.replace(self._file)


class Flat(FaissIndex):
    """IndexFlatIP: every vector is compared."""

    def _new_index(self, vectors: VectorFile) -> Any:
        return self._faiss.IndexIDMap2(self._faiss.IndexFlatIP(vectors.dimension))


class Hnsw(FaissIndex):
    """IndexHNSWFlat with M = 32; efSearch is 16 by default, efConstruction 40."""

    settings = ("efSearch 16", "efSearch 64", "efSearch 256")

    def _new_index(self, vectors: VectorFile) -> Any:
        faiss = self._faiss
        return faiss.IndexIDMap2(faiss.IndexHNSWFlat(vectors.dimension, 32, faiss.METRIC_INNER_PRODUCT))

    def _parameters(self, **options: Any) -> Any:
        return self._faiss.SearchParametersHNSW(**options)

    def remove(self, ids: Ids) -> None:  # noqa: ARG002
        """FAISS refuses it."""
        raise CannotError("no deletion from HNSW")


class Ivf(FaissIndex):
    """IndexIVFFlat with about sqrt(n) lists; nprobe is 1 by default."""

    settings = ("nprobe 1", "nprobe 16", "nprobe 64")

    def _new_index(self, vectors: VectorFile) -> Any:
        faiss = self._faiss
        lists = max(1, round(math.sqrt(len(vectors))))
        quantizer = faiss.IndexFlatIP(vectors.dimension)
        index = faiss.IndexIVFFlat(quantizer, vectors.dimension, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors.sample(lists * _TRAINING_PER_LIST))
        return index

    def _parameters(self, **options: Any) -> Any:
        return self._faiss.SearchParametersIVF(**options)
