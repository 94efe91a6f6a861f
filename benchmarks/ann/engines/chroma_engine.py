"""Chroma in a folder, with its defaults (HNSW, M = 16, efSearch = 100, squared Euclidean distance)."""

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import VectorFile
from searchkit_indexes import Ids, Vectors

_COLLECTION = "vectors"


class Chroma:
    """A collection of ids and embeddings, no texts. Ids are text there."""

    settings = ("",)

    def __init__(self) -> None:
        self._library: Any = import_module("chromadb")
        self._collection: Any = None
        self._batch = 1

    def version(self) -> str:
        """The library."""
        return f"chromadb {version('chromadb')}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Add in batches as large as it takes."""
        client = self._client(folder)
        self._collection = client.create_collection(_COLLECTION, embedding_function=None)
        for ids, batch in vectors.batches():
            self.add(ids, batch)

    def open(self, folder: Path) -> None:
        """Open the collection."""
        self._collection = self._client(folder).get_collection(_COLLECTION, embedding_function=None)

    def use(self, setting: str) -> None:
        """Do nothing: there is nothing to set."""

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search."""
        among = {"ids": _names(allowed_ids)} if allowed_ids is not None else {}
        found = self._collection.query(query_embeddings=query[None], n_results=k, include=[], **among)
        return np.array([int(name) for name in found["ids"][0]], np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add; the library writes it to its log, and to the index now and then."""
        for start in range(0, len(ids), self._batch):
            stop = start + self._batch
            self._collection.add(ids=_names(ids[start:stop]), embeddings=vectors[start:stop])

    def remove(self, ids: Ids) -> None:
        """Delete."""
        for start in range(0, len(ids), self._batch):
            self._collection.delete(ids=_names(ids[start : start + self._batch]))

    def _client(self, folder: Path) -> Any:
        """Send no telemetry."""
        settings = import_module("chromadb.config").Settings(anonymized_telemetry=False)
        client = self._library.PersistentClient(path=str(folder), settings=settings)
        self._batch = client.get_max_batch_size()
        return client


def _names(ids: Ids) -> list[str]:
    return [str(one) for one in ids.tolist()]
