"""Embedding models for many callers at once: each is loaded once, and caches the vectors of recent queries."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from searchkit.embedding.embedder import Embedder, TokenVectors
from searchkit.embedding.store import ModelStore
from searchkit.types import Passage
from searchkit_indexes import Vectors

if TYPE_CHECKING:
    from searchkit.embedding.provisional import ProvisionalVectors

_LONGEST_REMEMBERED = 2000  # characters; longer ones are documents, which nobody sends again
_REMEMBERED = 2048  # queries; 6 MB at 768 dimensions. Clients ask again while a user pages, filters or types on


class ServedModels:
    """Opens each model of a store once, for all threads."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._open: dict[str, CachedEmbedder] = {}

    def open(self, name: str) -> "CachedEmbedder":
        """Open the named model. Raises what `ModelStore.open` raises."""
        with self._lock:
            if name not in self._open:
                embedder = self._store.open(name)
                embedder.serves_many = True
                self._open[name] = CachedEmbedder(embedder)
            return self._open[name]


class CachedEmbedder:
    """Wraps an embedder and caches the vectors of recent queries."""

    def __init__(self, embedder: Embedder) -> None:
        self.info = embedder.info
        self.count_tokens = embedder.count_tokens
        self.decode = embedder.decode
        self._embedder = embedder
        self._lock = threading.Lock()
        self._first_use = threading.Lock()
        self._has_loaded = False
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        known = self._remembered(queries)
        missing = [query for query in dict.fromkeys(queries) if query not in known]
        if missing:
            self._load()
            known |= dict(zip(missing, self._embedder.embed_queries(missing), strict=True))
            self._remember(known)
        return (
            np.stack([known[query] for query in queries]) if queries else np.empty((0, self.info.dimension), np.float32)
        )

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        self._load()
        return self._embedder.embed_documents(passages)

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """See Embedder."""
        self._load()
        return self._embedder.token_vectors(texts)

    @property
    def provisional(self) -> "ProvisionalVectors | None":
        """See Embedder."""
        return self._embedder.provisional

    def _load(self) -> None:
        """Load what the first text needs in one thread, while others wait: two would load it twice."""
        if self._has_loaded:
            return
        with self._first_use:
            if not self._has_loaded:
                self._embedder.embed_queries(["first"])
                self._embedder.token_vectors(["first"])
                self._has_loaded = True

    def _remembered(self, queries: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            known = {query: self._vectors[query] for query in queries if query in self._vectors}
            for query in known:
                self._vectors.move_to_end(query)
        return known

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        with self._lock:
            self._vectors |= {query: vector for query, vector in vectors.items() if len(query) <= _LONGEST_REMEMBERED}
            while len(self._vectors) > _REMEMBERED:
                self._vectors.popitem(last=False)
