"""searchkit's own search: a catalog with the full vectors, and the default index for their number, or one by name.

As in real use, candidates come from the index, and their order from the catalog's vectors; a change is a transaction there,
and the index on the disk catches up when it is opened. `searchkit-postgres` is the same in the PostgreSQL database whose address
is in SEARCHKIT_ANN_DATABASE, in a schema named after the folder of the run.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.ann.engine import VectorFile, unit
from searchkit.catalog import vectors as catalog_vectors
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.connection import drop, open_collection, open_for_reading, open_for_writing, writing
from searchkit.catalog.meta import INDEX, set_meta
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_info import ModelInfo
from searchkit.home import CollectionFolder, DatabaseUrl
from searchkit.index_store import open_index, refresh_index
from searchkit.search.dense import DenseQuery, dense_candidates
from searchkit_indexes import CodedIndex, Ids, SearchableIndex, Vectors

_FINGERPRINT = "benchmark"
MADE_QUERIES = ".made.npy"  # beside a set: the queries that searchkit derives from its collections to measure indexes


@dataclass(frozen=True, slots=True)
class _Model:
    """The part of an embedder that an index needs; queries were embedded before."""

    info: ModelInfo


class Searchkit:
    """The index of a kind, "" for the default for the size. Ids are rows from 0 on, in the order of their addition."""

    settings = ("",)
    kind = ""

    def __init__(self) -> None:
        self._catalog: CatalogReader
        self._index: SearchableIndex
        self._collection: CollectionFolder

    def version(self) -> str:
        """The index that is used."""
        return f"searchkit {self.kind or 'auto'}"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Fill a catalog, then make the index."""
        collection = CollectionFolder(folder)
        collection.create()
        with open_for_writing(collection.catalog) as catalog:
            _fill(catalog, vectors)
            with catalog.transaction():
                set_meta(catalog, INDEX, self.kind and f"{self.kind}-{vectors.dimension}")
            queries = unit(np.load(vectors.path.with_suffix(MADE_QUERIES)))
            refresh_index(collection, catalog, _model(vectors.dimension), queries=queries)

    def open(self, folder: Path) -> None:
        """Open the catalog and its index."""
        collection = CollectionFolder(folder)
        self._catalog = open_for_reading(collection.catalog)
        dimension = catalog_vectors.known_models(self._catalog)[_FINGERPRINT]
        self._index = open_index(collection, self._catalog, _model(dimension))
        self._writing = open_for_writing(collection.catalog)

    def use(self, setting: str) -> None:
        """List the one way."""

    def search(self, query: Vectors, k: int, allowed_ids: Ids | None = None) -> Ids:
        """Search as a query does after it is embedded."""
        allowed = None if allowed_ids is None else allowed_ids + 1
        found = dense_candidates(self._catalog, self._index, DenseQuery(query, k, allowed_ids=allowed))
        return np.array([int.from_bytes(each, "big") for each in found], np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Commit, and update the index."""
        with self._writing.transaction():
            catalog_vectors.put_vectors(self._writing, _FINGERPRINT, _hashes(ids), vectors)
        assert isinstance(self._index, CodedIndex)
        self._index.add(ids + 1, vectors)

    def remove(self, ids: Ids) -> None:
        """Commit, and update the index."""
        with self._writing.transaction():
            _remove(self._writing, ids)
        assert isinstance(self._index, CodedIndex)
        self._index.remove(ids + 1)


class InPostgres(Searchkit):
    """The same in a database."""

    kind = "pgvector"

    def build(self, folder: Path, vectors: VectorFile) -> None:
        """Fill a schema, then have the server make the index."""
        collection = _in_database(folder)
        if collection.exists():
            drop(collection)
        with writing(collection) as catalog:
            _fill(catalog, vectors)
            refresh_index(collection, catalog, _model(vectors.dimension))
        (folder / "dimension").write_text(str(vectors.dimension))

    def open(self, folder: Path) -> None:
        """Connect."""
        self._collection = _in_database(folder)
        self._catalog = open_collection(self._collection)
        self._index = open_index(self._collection, self._catalog, _model(int((folder / "dimension").read_text())))

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Commit."""
        with writing(self._collection) as catalog, catalog.transaction():
            catalog_vectors.put_vectors(catalog, _FINGERPRINT, _hashes(ids), vectors)

    def remove(self, ids: Ids) -> None:
        """Commit."""
        with writing(self._collection) as catalog, catalog.transaction():
            _remove(catalog, ids)


def _fill(catalog: CatalogWriter, vectors: VectorFile) -> None:
    for ids, batch in vectors.batches():
        with catalog.transaction():
            catalog_vectors.put_vectors(catalog, _FINGERPRINT, _hashes(ids), batch)


def _remove(catalog: CatalogWriter, ids: Ids) -> None:
    catalog.change_many("DELETE FROM vectors WHERE id = ?", [(i + 1,) for i in ids.tolist()])


def _in_database(folder: Path) -> CollectionFolder:
    name = f"ann-{folder.name}"
    return CollectionFolder(folder.with_name(name), DatabaseUrl(os.environ["SEARCHKIT_ANN_DATABASE"]))


def _of_kind(name: str) -> type[Searchkit]:
    return type(name, (Searchkit,), {"kind": name})


ENGINES = {
    "searchkit-auto": f"{__name__}:Searchkit",
    "searchkit-flat-int8": f"{__name__}:FlatInt8",
    "searchkit-rabitq-1bit": f"{__name__}:Rabitq",
    "searchkit-ivf-1bit": f"{__name__}:Ivf",
    "searchkit-hnsw-int8": f"{__name__}:HnswInt8",
    **({"searchkit-postgres": f"{__name__}:InPostgres"} if "SEARCHKIT_ANN_DATABASE" in os.environ else {}),
}
FlatInt8, Rabitq, Ivf, HnswInt8 = (_of_kind(kind) for kind in ("flat-int8", "rabitq-1bit", "ivf-1bit", "hnsw-int8"))


def _hashes(ids: Ids) -> list[bytes]:
    return [int(i).to_bytes(16, "big") for i in ids]


def _model(dimension: int) -> Embedder:
    info = ModelInfo(
        name="benchmark",
        dimension=dimension,
        prefix_dimensions=(dimension,),
        fingerprint=_FINGERPRINT,
        root_fingerprint=_FINGERPRINT,
        max_tokens=512,
        similarity_range=(0.0, 1.0),
    )
    model: Embedder = cast(Any, _Model(info))
    return model
