"""How long a warm search takes, and how much of that is the model's."""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.errors import UsageError
from searchkit.evaluate.retrieval.results import Latency
from searchkit.evaluate.speed.interleaving import rotated
from searchkit.library import Library
from searchkit.types import Passage, SearchMode
from searchkit_indexes import Vectors

_QUERIES = 40
_TO_WARM_UP = 3
_SEED = 1
_T = TypeVar("_T")


class TimedEmbedder:
    """An embedder that sums up the seconds it takes, those for queries apart."""

    def __init__(self, embedder: Embedder) -> None:
        self.info = embedder.info
        self.count_tokens = embedder.count_tokens
        self.token_vectors = embedder.token_vectors
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
    """Search as a user does, modes in turns. `embedder` must be the library's; none of no queries."""
    chosen = some(queries, _QUERIES)
    times: dict[SearchMode, list[tuple[float, float, float]]] = {mode: [] for mode in modes}
    for query in chosen[:_TO_WARM_UP]:
        for mode in modes:
            _seconds(library, collection, embedder, mode, query)
    for number, query in enumerate(chosen):
        for mode in rotated(modes, number):
            times[mode].append(_seconds(library, collection, embedder, mode, query))
    return {mode: _latency(rows) for mode, rows in times.items() if rows}


def some(items: Sequence[_T], count: int) -> list[_T]:
    """So many from all over, in order, the same whenever asked; all if there are not more."""
    if len(items) <= count:
        return list(items)
    chosen = np.random.default_rng(_SEED).choice(len(items), count, replace=False)
    return [items[place] for place in sorted(chosen.tolist())]


def _seconds(
    library: Library, collection: str, embedder: TimedEmbedder, mode: SearchMode, query: str
) -> tuple[float, float, float]:
    embedder.query_seconds = embedder.seconds = 0.0
    started = time.perf_counter()
    with suppress(UsageError):  # a query that searches refuse, such as a blank one
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
