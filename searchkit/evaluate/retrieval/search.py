"""Searches of a collection as rankings of documents: what a user gets, each document at its best passage's place."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.errors import UsageError
from searchkit.evaluate.retrieval.judging import Ranking
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.types import Hit, SearchMode
from searchkit_indexes import Vectors

IdsOf = Callable[[str, Hit, Sequence[Path]], Iterable[str]]  # of a query, a hit, and every file that holds its passage
_MORE = 1.5  # times the passages asked for, where those before held too few documents


class DocumentSearch:
    """Ranks a collection's documents for a query; `search(query, k)`.

    `ids_of` names the documents that a hit stands for; a document's first hit is its place.
    """

    def __init__(self, library: Library, collection: str, mode: SearchMode, ids_of: IdsOf) -> None:
        self._library = library
        self._collection = collection
        self._mode = mode
        self._ids_of = ids_of
        self._passages = 1.2  # for each document wanted

    def __call__(self, query: str, k: int) -> Ranking:
        """The k best documents, fewer if no more are found; none for a query that searches refuse, such as a blank one."""
        while True:
            asked = round(k * self._passages) + 1
            try:
                request = SearchRequest(query, asked, self._mode, (self._collection,), ranking_only=True)
                hits = self._library.find(request).hits
            except UsageError:
                return []
            ranking = self._ranking(query, hits)
            if len(ranking) >= k or len(hits) < asked:
                return ranking[:k]
            self._passages *= _MORE

    def _ranking(self, query: str, hits: Sequence[Hit]) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for hit in hits:
            for document_id in self._ids_of(query, hit, list(dict.fromkeys((hit.path, *hit.copies_at)))):
                best.setdefault(document_id, hit.score)
        return list(best.items())


class RankingEmbedder:
    """An embedder that embeds a query once, and those given here all at once."""

    def __init__(self, embedder: Embedder, queries: Iterable[str] = ()) -> None:
        self.info = embedder.info
        self.count_tokens = embedder.count_tokens
        self.token_vectors = embedder.token_vectors
        self.decode = embedder.decode
        self.embed_documents = embedder.embed_documents
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self._embed(dict.fromkeys(" ".join(query.split()) for query in queries))

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        self._embed(query for query in queries if query not in self._known)
        return np.stack([self._known[query] for query in queries]) if queries else self._embedder.embed_queries([])

    def _embed(self, queries: Iterable[str]) -> None:
        new = list(queries)
        for start in range(0, len(new), 64):
            batch = new[start : start + 64]
            self._known.update(zip(batch, self._embedder.embed_queries(batch), strict=True))
