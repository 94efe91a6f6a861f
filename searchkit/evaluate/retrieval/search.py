"""Searches a collection for an evaluation: as rankings of documents by their best passages, and timed."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.errors import UsageError
from searchkit.evaluate.metrics import Ranking
from searchkit.evaluate.retrieval.results import Latency
from searchkit.evaluate.speed.throughput import rotated
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.types import Hit, Passage, SearchMode
from searchkit_indexes import Vectors

IdsOf = Callable[
    [str, Hit, Sequence[Path]], Iterable[str]
]  # takes a query, a hit, and all files that contain its passage
_MORE = 1.5  # growth of the number of passages while they contain too few documents


class DocumentSearch:
    """Ranks the documents of a collection for a query: `search(query, k)`.

    `ids_of`: names the documents of a hit; a document's first hit decides its rank.
    """

    def __init__(self, library: Library, collection: str, mode: SearchMode, ids_of: IdsOf) -> None:
        self._library = library
        self._collection = collection
        self._mode = mode
        self._ids_of = ids_of
        self._passages = 1.2  # per wanted document

    def __call__(self, query: str, k: int) -> Ranking:
        """Rank the k best documents, or fewer if no more are found; none for a rejected query, such as a blank one."""
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
    """Wraps an embedder so that each query is embedded once, and `queries` in batches at the start."""

    def __init__(self, embedder: Embedder, queries: Iterable[str] = ()) -> None:
        self.info = embedder.info
        self.count_tokens = embedder.count_tokens
        self.token_vectors = embedder.token_vectors
        self.provisional = embedder.provisional
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


_QUERIES = 40
_TO_WARM_UP = 3
_SEED = 1
_T = TypeVar("_T")


class TimedEmbedder:
    """Wraps an embedder and adds up its seconds, in all and for queries."""

    def __init__(self, embedder: Embedder) -> None:
        self.info = embedder.info
        self.count_tokens = embedder.count_tokens
        self.token_vectors = embedder.token_vectors
        self.provisional = embedder.provisional
        self.decode = embedder.decode
        self._embedder = embedder
        self.query_seconds = 0.0
        self.seconds = 0.0

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        started = time.perf_counter()
        found = self._embedder.embed_queries(queries)
        self.query_seconds += time.perf_counter() - started
        self.seconds += time.perf_counter() - started
        return found

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        started = time.perf_counter()
        found = self._embedder.embed_documents(passages)
        self.seconds += time.perf_counter() - started
        return found


def measure_searches(
    library: Library, collection: str, embedder: TimedEmbedder, modes: Sequence[SearchMode], queries: Sequence[str]
) -> Mapping[SearchMode, Latency]:
    """Time searches as a user makes them, alternating modes. `embedder` must be the library's; empty without queries."""
    chosen = sample(queries, _QUERIES)
    times: dict[SearchMode, list[tuple[float, float, float]]] = {mode: [] for mode in modes}
    for query in chosen[:_TO_WARM_UP]:
        for mode in modes:
            _seconds(library, collection, embedder, mode, query)
    for number, query in enumerate(chosen):
        for mode in rotated(modes, number):
            times[mode].append(_seconds(library, collection, embedder, mode, query))
    return {mode: _latency(rows) for mode, rows in times.items() if rows}


def sample(items: Sequence[_T], count: int) -> list[_T]:
    """Sample up to `count` items in their order, always the same ones."""
    if len(items) <= count:
        return list(items)
    chosen = np.random.default_rng(_SEED).choice(len(items), count, replace=False)
    return [items[place] for place in sorted(chosen.tolist())]


def _seconds(
    library: Library, collection: str, embedder: TimedEmbedder, mode: SearchMode, query: str
) -> tuple[float, float, float]:
    embedder.query_seconds = embedder.seconds = 0.0
    started = time.perf_counter()
    with suppress(UsageError):  # a rejected query, such as a blank one
        library.search(query, collections=[collection], mode=mode)
    return time.perf_counter() - started, embedder.query_seconds, embedder.seconds


def _latency(rows: Sequence[tuple[float, float, float]]) -> Latency:
    whole, of_query, of_model = (np.array(column) * 1000 for column in zip(*rows, strict=True))
    return Latency(
        queries=len(rows),
        median_ms=statistics.median(whole),
        percentile_95_ms=float(np.percentile(whole, 95)),
        query_embedding_ms=statistics.median(of_query),
        embedding_ms=statistics.median(of_model),
    )
