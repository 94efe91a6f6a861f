"""Measures indexes on a collection's own vectors, to find the cheapest with sufficient recall."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.embedding.embedder import Embedder
from searchkit.errors import ExtraMissingError
from searchkit.index_store.build import build_from_catalog, fetcher
from searchkit_indexes import ALL_KINDS, CodedIndex, FetchVectors, IndexSpec, Structure, Vectors, search_rescored

# The memory that one millisecond per query is worth. Among indexes that reach the goal, the cheapest has the lowest
# milliseconds + megabytes / this.
_MEGABYTES_A_MILLISECOND = 50
_NEIGHBOURS = 10
_GRAPHS_UP_TO = 50_000  # vectors; beyond, a graph takes minutes to build and ten times the memory of codes
_LISTS_FROM = 20_000
_PASSES = 3  # over all queries, of which the fastest counts: other load on the machine only adds time


@dataclass(frozen=True, slots=True)
class Trial:
    """The measurements of an index. `recall`: recall@10 after rescoring; `median_ms`: time of such a search."""

    spec: IndexSpec
    recall: float
    median_ms: float
    slowest_ms: float
    memory_bytes: int
    build_seconds: float

    @property
    def cost(self) -> float:
        """The milliseconds per query, plus the memory converted to milliseconds."""
        return self.median_ms + self.memory_bytes / 1e6 / _MEGABYTES_A_MILLISECOND


def candidate_specs(count: int, dimensions: Sequence[int]) -> list[IndexSpec]:
    """List the candidates for a number of vectors: every kind at the full dimension, fast ones at the prefixes."""
    whole, *prefixes = dimensions
    specs = [IndexSpec(structure, code, whole) for structure, code in ALL_KINDS if _is_worth_it(structure, count)]
    shorter = [spec for spec in specs if spec.structure in {Structure.RABITQ, Structure.FLAT}]
    return specs + [IndexSpec(spec.structure, spec.code, dimension) for dimension in prefixes for spec in shorter]


def measure(catalog: CatalogReader, embedder: Embedder, spec: IndexSpec, queries: Vectors, goal: float) -> Trial:
    """Build an index of a catalog's vectors, find its search effort, and time it. Raises ExtraMissingError."""
    started = time.perf_counter()
    built = build_from_catalog(catalog, embedder, spec, goal=goal, queries=queries)
    build_seconds = time.perf_counter() - started
    fetch = fetcher(catalog, embedder.info.dimension)
    passes = [_times_ms(built.index, queries, fetch) for _ in range(_PASSES)]
    quietest = min(passes, key=lambda times: float(np.median(times)))
    return Trial(
        spec,
        built.recall or 0.0,
        float(np.median(quietest)),
        float(quietest.max()),
        built.index.memory_bytes,
        build_seconds,
    )


def cheapest(
    trials: Sequence[Trial], goal: float, *, max_ms: float | None = None, max_megabytes: float | None = None
) -> Trial | None:
    """Choose the cheapest trial that reaches the goal within the limits; None if there is none."""
    fitting = [
        trial
        for trial in trials
        if trial.recall >= goal
        and (max_ms is None or trial.median_ms <= max_ms)
        and (max_megabytes is None or trial.memory_bytes <= max_megabytes * 1e6)
    ]
    return min(fitting, key=lambda trial: trial.cost, default=None)


def trials_of(
    catalog: CatalogReader,
    embedder: Embedder,
    queries: Vectors,
    goal: float,
    on_skip: Callable[[IndexSpec, ExtraMissingError], None],
) -> Iterator[Trial]:
    """Yield the trial of each candidate, exact search first; `on_skip` receives those that cannot be built here."""
    count = len(vectors.vector_ids(catalog, embedder.info.fingerprint))
    for spec in candidate_specs(count, embedder.info.prefix_dimensions or (embedder.info.dimension,)):
        try:
            yield measure(catalog, embedder, spec, queries, goal)
        except ExtraMissingError as error:
            on_skip(spec, error)


def _times_ms(index: CodedIndex, queries: Vectors, fetch: FetchVectors) -> npt.NDArray[np.float64]:
    times = np.empty(len(queries))
    for i, query in enumerate(queries):
        started = time.perf_counter()
        search_rescored(index, query, _NEIGHBOURS, fetch)
        times[i] = (time.perf_counter() - started) * 1000
    return times


def _is_worth_it(structure: Structure, count: int) -> bool:
    if structure in {Structure.HNSW, Structure.HNSWLIB}:
        return count <= _GRAPHS_UP_TO
    return structure is not Structure.IVF or count >= _LISTS_FROM
