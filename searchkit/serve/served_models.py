"""Embedding models for many callers at once: each is in memory once, and remembers the queries that it has embedded lately."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from searchkit.embedding.embedder import Embedder, TokenVectors, Vectors
from searchkit.embedding.store import ModelStore
from searchkit.types import Passage

_LONGEST_REMEMBERED = 2000  # characters; longer ones are documents, which nobody types again
_REMEMBERED = 2048  # queries; 6 MB at 768 dimensions. Clients ask again while a user pages, filters or types on


class ServedModels:
    """Opens each model of a store once, whichever thread asks."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._open: dict[str, ServedModel] = {}

    def open(self, name: str) -> "ServedModel":
        """The named model. Raises what `ModelStore.open` raises."""
        with self._lock:
            if name not in self._open:
                embedder = self._store.open(name)
                embedder.serves_many = True
                self._open[name] = ServedModel(embedder)
            return self._open[name]


class ServedModel:
    """See Embedder: another one, with a memory for queries."""

    def __init__(self, embedder: Embedder) -> None:
        self.inner = embedder
        self._lock = threading.Lock()
        self._first_use = threading.Lock()
        self._has_loaded = False
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    @property
    def name(self) -> str:
        """See Embedder."""
        return self.inner.name

    @property
    def dimension(self) -> int:
        """See Embedder."""
        return self.inner.dimension

    @property
    def prefix_dimensions(self) -> tuple[int, ...]:
        """See Embedder."""
        return self.inner.prefix_dimensions

    @property
    def fingerprint(self) -> str:
        """See Embedder."""
        return self.inner.fingerprint

    @property
    def max_tokens(self) -> int:
        """See Embedder."""
        return self.inner.max_tokens

    @property
    def similarity_range(self) -> tuple[float, float]:
        """See Embedder."""
        return self.inner.similarity_range

    @property
    def count_tokens(self) -> Callable[[str], int]:
        """See Embedder: the model's own counter, which can be pickled."""
        return self.inner.count_tokens

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        known = self._remembered(queries)
        missing = [query for query in dict.fromkeys(queries) if query not in known]
        if missing:
            self._load()
            known |= dict(zip(missing, self.inner.embed_queries(missing), strict=True))
            self._remember(known)
        return np.stack([known[query] for query in queries]) if queries else np.empty((0, self.dimension), np.float32)

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        self._load()
        return self.inner.embed_documents(passages)

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """See Embedder."""
        self._load()
        return self.inner.token_vectors(texts)

    def _load(self) -> None:
        """Have one thread load what the first text needs, and others wait for it: two would load it twice."""
        if self._has_loaded:
            return
        with self._first_use:
            if not self._has_loaded:
                self.inner.embed_queries(["first"])
                self.inner.token_vectors(["first"])
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
