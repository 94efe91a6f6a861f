"""Building an index of a catalog's vectors, and finding out how far it has to be searched."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import sample_starts
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit_indexes import (
    DEFAULT_EFFORT,
    Code,
    CodedIndex,
    FetchVectors,
    Ids,
    IndexSpec,
    Structure,
    Vectors,
    build_index,
    search_rescored,
)

# Up to here every vector is compared, at 2 ms; then 1-bit codes are, at 1.4 ms for 50,000; then a part of them.
_EXACT_UP_TO = 20_000
_SCANNED_UP_TO = 50_000
_SAMPLE = 65_536  # vectors that codes learn from
AIM = 0.998  # recall@10 at which one stops looking further
_NEIGHBOURS = 10
_EFFORTS = {
    Structure.IVF: (32, 64, 128, 256, 512, 1024),
    Structure.HNSW: (64, 128, 256, 512),
    Structure.HNSWLIB: (64, 128, 256, 512),
}


@dataclass(frozen=True, slots=True)
class Built:
    """An index and how it is to be searched; `recall`: of its first 10, on so many queries, None if not measured."""

    index: CodedIndex
    trained_count: int
    effort: int
    goal: float
    recall: float | None
    queries: int


@dataclass(frozen=True, slots=True)
class TrainedCodebook:
    """What an index of like vectors has codebook: unit centroids of its lists, None if it has none, and how far it is searched."""

    centroids: Vectors | None
    effort: int


def auto_spec(count: int, dimension: int) -> IndexSpec:
    """What suits a number of vectors: exact search while that is quick, then 1-bit codes, then inverted lists of them."""
    if count <= _EXACT_UP_TO:
        return IndexSpec(Structure.FLAT, Code.FLOAT32, dimension)
    structure = Structure.RABITQ if count <= _SCANNED_UP_TO else Structure.IVF
    return IndexSpec(structure, Code.BIT1, dimension)


def build_from_catalog(
    catalog: CatalogReader,
    embedder: Embedder,
    spec: IndexSpec,
    *,
    goal: float = AIM,
    queries: Vectors | None = None,
    codebook: TrainedCodebook | None = None,
) -> Built:
    """An index of every vector that a catalog has of a model, read in batches.

    Its recall is measured on the (n, dimension) queries, by default made ones, and it is searched as far as reaches the goal.
    What has been `learned` before is taken over, and not learned again. Raises StructureMissingError.
    """
    ids = vectors.vector_ids(catalog, embedder.info.fingerprint)
    is_exact = spec == IndexSpec(Structure.FLAT, Code.FLOAT32, embedder.info.dimension)
    if is_exact:
        queries = np.empty((0, embedder.info.dimension), np.float32)
    elif queries is None:
        queries = synthetic_queries(catalog, embedder)
    nearest = Nearest(queries, _NEIGHBOURS)
    effort = codebook.effort if codebook else DEFAULT_EFFORT.get(spec.structure, 0)

    def batches() -> Iterator[tuple[Ids, Vectors]]:
        for batch in vectors.vector_batches(catalog, embedder.info.fingerprint, embedder.info.dimension):
            nearest.see(*batch)
            yield batch

    index = build_index(
        spec,
        batches(),
        sample=_sample(catalog, ids, embedder.info.dimension),
        expected=len(ids),
        effort=effort,
        centroids=codebook.centroids if codebook else None,
    )
    if is_exact or not len(queries):
        return Built(index, len(ids), effort, goal, 1.0 if is_exact else None, 0)
    fetch = fetcher(catalog, embedder.info.dimension)
    effort, recall = measure_effort(index, queries, nearest.ids, goal, fetch, least=codebook.effort if codebook else 0)
    return Built(index, len(ids), effort, goal, recall, len(queries))


def measure_effort(
    index: CodedIndex, queries: Vectors, truth: Ids, goal: float, fetch: FetchVectors, *, least: int = 0
) -> tuple[int, float]:
    """The least effort whose searches find a share `goal` of the true (queries, n) neighbours, else the best, and that share.

    Efforts below `least` are not tried. The index is left searching with the one that is returned.
    """
    found: dict[int, float] = {}
    efforts = _EFFORTS.get(index.spec.structure, (0,))
    for effort in [effort for effort in efforts if effort >= least] or efforts[-1:]:
        index.set_effort(effort)
        found[effort] = recall_of(index, queries, truth, fetch)
        if found[effort] >= goal:
            break
    best = max(found, key=lambda effort: found[effort])
    index.set_effort(best)
    return best, found[best]


def recall_of(index: CodedIndex, queries: Vectors, truth: Ids, fetch: FetchVectors) -> float:
    """The share of the true (queries, n) neighbours that searches find, rescored as all are."""
    held = [
        np.isin(true, search_rescored(index, query, len(true), fetch).ids[0]).mean()
        for query, true in zip(queries, truth, strict=True)
    ]
    return float(np.mean(held))


def fetcher(catalog: CatalogReader, dimension: int) -> FetchVectors:
    """Looks whole vectors up in a catalog."""

    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        found, _, full = vectors.fetch_vectors(catalog, ids, dimension)
        return found, full

    return fetch


class Nearest:
    """The exact nearest neighbours of some queries among vectors that pass by in batches."""

    def __init__(self, queries: Vectors, k: int) -> None:
        self._queries, self._k = queries, k
        self.ids: Ids = np.empty((len(queries), 0), np.int64)
        self._scores: Vectors = np.empty((len(queries), 0), np.float32)

    def see(self, ids: Ids, batch: Vectors) -> None:
        """Take a batch into account."""
        if not len(self._queries):
            return
        scores = np.concatenate([self._scores, self._queries @ batch.T], axis=1)
        all_ids = np.concatenate([self.ids, np.broadcast_to(ids, (len(self._queries), len(ids)))], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._k]
        self.ids, self._scores = np.take_along_axis(all_ids, best, 1), np.take_along_axis(scores, best, 1)


def _sample(catalog: CatalogReader, ids: Ids, dimension: int) -> Vectors:
    """Vectors from all over the collection, the same whenever asked."""
    chosen = ids
    if len(ids) > _SAMPLE:
        chosen = np.sort(np.random.default_rng(0).choice(ids, _SAMPLE, replace=False))
    return vectors.fetch_vectors(catalog, chosen, dimension)[2]


_HEADINGS = 100
_FIRST_WORDS = 12


def _heading_texts(catalog: CatalogReader, count: int = _HEADINGS) -> list[str]:
    """Up to `count` distinct headings from all over the collection, or the first words of passages that have none."""
    texts = (
        title.rsplit(" › ", 1)[-1].strip() or " ".join(text.split()[:_FIRST_WORDS])
        for title, text in sample_starts(catalog, 4 * count)
    )
    return list(dict.fromkeys(text for text in texts if text))[:count]


def synthetic_query_texts(catalog: CatalogReader) -> list[str]:
    """Headings, and the built-in questions; none of a collection without passages."""
    headings = _heading_texts(catalog)
    return [*headings, *(query for query, _ in SAMPLE_PAIRS)] if headings else []


def synthetic_queries(catalog: CatalogReader, embedder: Embedder) -> Vectors:
    """(n, dimension) vectors of `synthetic_query_texts`, embedded as queries are."""
    texts = synthetic_query_texts(catalog)
    return embedder.embed_queries(texts) if texts else np.empty((0, embedder.info.dimension), np.float32)
