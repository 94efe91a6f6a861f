"""The index of a collection whose database finds the nearest vectors itself: its search as an index, and its status.

Nothing is kept on this machine, and nothing can be added here: what is in the catalog is in the index.
"""

from dataclasses import dataclass

import numpy as np

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.database import VectorSearch
from searchkit.catalog.passages import count_vectors
from searchkit.embedding.embedder import Embedder
from searchkit.reports import IndexStatus
from searchkit_indexes import Ids, Neighbours, Vectors

_CANDIDATES = 1000  # as many as a graph's search keeps at a time


@dataclass(frozen=True, slots=True)
class DatabaseIndex:
    """The vectors of one model in a catalog, searched by its database; see SearchableIndex."""

    catalog: CatalogReader
    search_of: VectorSearch
    fingerprint: str
    dimension: int

    @property
    def max_candidates(self) -> int:
        """See SearchableIndex."""
        return _CANDIDATES

    def __len__(self) -> int:
        return count_vectors(self.catalog, self.fingerprint)

    def search(self, queries: Vectors, k: int, allowed_ids: Ids | None = None) -> Neighbours:
        """See SearchableIndex; one query at a time."""
        allowed = None if allowed_ids is None else allowed_ids.tolist()
        halves = queries[0].astype(np.float16).tobytes()
        found = self.search_of.nearest(self.catalog, self.fingerprint, halves, k, allowed)
        ids = np.array([each for each, _ in found], np.int64)
        scores = np.array([score for _, score in found], np.float32)
        return Neighbours(ids[None], scores[None], np.ones((1, len(ids)), bool))


def index_in_database(catalog: CatalogReader, embedder: Embedder) -> DatabaseIndex | None:
    """The index of a catalog whose database has its own search; None for others."""
    if (search := catalog.database.vectors) is None:
        return None
    return DatabaseIndex(catalog, search, embedder.info.fingerprint, embedder.info.dimension)


def refresh_in_database(catalog: CatalogWriter, embedder: Embedder) -> bool:
    """Have the database build what searches among so many vectors need; returns False where that is not its task."""
    if (search := catalog.database.vectors) is None:
        return False
    search.refresh(catalog, embedder.info.fingerprint, embedder.info.dimension)
    return True


def status_in_database(catalog: CatalogReader, fingerprint: str) -> IndexStatus | None:
    """The status of a database's own index; None if it has no vector of the model. Its recall is not measured."""
    search = catalog.database.vectors
    count = count_vectors(catalog, fingerprint) if fingerprint else 0
    if search is None or not count:
        return None
    size = search.graph_bytes(catalog, fingerprint)
    name = "pgvector-exact" if size is None else "pgvector-hnsw-bit"
    return IndexStatus(name=name, vectors=count, bytes_per_vector=round((size or 0) / count), recall=None, queries=0)
