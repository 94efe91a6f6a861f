"""Builds an index of a catalog's vectors, and measures the search effort that it needs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.meta import INDEX
from searchkit.catalog.passages import sample_starts
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.errors import Action, ExtraMissingError, Remedy
from searchkit_indexes import (
    DEFAULT_EFFORT,
    Code,
    CodedIndex,
    FetchVectors,
    Ids,
    IndexSpec,
    Structure,
    StructureMissingError,
    Vectors,
    build_index,
    is_installed,
    search_rescored,
)

# Up to here every vector is compared, in 2 ms; then all 1-bit codes, 50,000 in 1.4 ms; then only a part of them.
_EXACT_UP_TO = 20_000
_SCANNED_UP_TO = 50_000
_SAMPLE = 65_536  # vectors to train codes on
_COMPILE = Remedy(Action.INSTALL_EXTRA, extra="hnsw", sentence="Install the extra, which takes a C++ compiler")
AIM = 0.998  # recall@10 at which the search effort is high enough
_NEIGHBOURS = 10
_HEADINGS = 100  # as synthetic queries
_FIRST_WORDS = 12  # of a passage without heading
_EFFORTS = {
    Structure.IVF: (32, 64, 128, 256, 512, 1024),
    Structure.HNSW: (64, 128, 256, 512),
    Structure.HNSWLIB: (64, 128, 256, 512),
}


@dataclass(frozen=True, slots=True)
class Built:
    """An index and its search effort. `recall`: recall@10 on `queries` queries, None if not measured; `goal`: its target."""

    index: CodedIndex
    trained_count: int
    effort: int
    goal: float
    recall: float | None
    queries: int


@dataclass(frozen=True, slots=True)
class TrainedCodebook:
    """Reusable results of training on similar vectors: unit centroids of the lists (None without lists), and search effort."""

    centroids: Vectors | None
    effort: int


def auto_spec(count: int, dimension: int) -> IndexSpec:
    """Choose the index for a number of vectors: exact search while it is fast, then 1-bit codes, then inverted lists."""
    if count <= _EXACT_UP_TO:
        return IndexSpec(Structure.FLAT, Code.FLOAT32, dimension)
    structure = Structure.RABITQ if count <= _SCANNED_UP_TO else Structure.IVF
    return IndexSpec(structure, Code.BIT1, dimension)


def spec_for(catalog: CatalogReader, count: int, dimension: int) -> IndexSpec:
    """The index chosen for a collection, limited to the model's dimensions; the default for its number of vectors if none was
    chosen, or if the library of the chosen one is not installed.
    """
    chosen = catalog.meta(INDEX)
    if chosen and is_installed((spec := IndexSpec.parse(chosen)).structure):
        return replace(spec, dimension=min(spec.dimension, dimension))
    return auto_spec(count, dimension)


def build_from_catalog(
    catalog: CatalogReader,
    embedder: Embedder,
    spec: IndexSpec,
    *,
    goal: float = AIM,
    queries: Vectors | None = None,
    codebook: TrainedCodebook | None = None,
) -> Built:
    """Build an index of all vectors of a model in a catalog, read in batches.

    `queries`: (n, dimension), to measure recall on (default: synthetic ones); search effort is raised until recall reaches
    `goal`. `codebook`: reused instead of training a new one. Raises ExtraMissingError if the structure's
    library is not installed.
    """
    ids = vectors.vector_ids(catalog, embedder.info.fingerprint)
    is_exact = spec.is_uncoded and spec.dimension == embedder.info.dimension
    if is_exact:
        queries = np.empty((0, embedder.info.dimension), np.float32)
    elif queries is None:
        queries = synthetic_queries(catalog, embedder)
    nearest = Nearest(queries, _NEIGHBOURS)
    effort = codebook.effort if codebook else DEFAULT_EFFORT.get(spec.structure, 0)

    def batches() -> Iterator[tuple[Ids, Vectors]]:
        for of, batch in vectors.vector_batches(catalog, embedder.info.fingerprint, embedder.info.dimension):
            known = int(
                np.searchsorted(of, ids[-1:].max(initial=0), side="right")
            )  # a search may add vectors meanwhile
            nearest.see(of[:known], batch[:known])
            yield of[:known], batch[:known]

    try:
        index = build_index(
            spec,
            batches(),
            sample=None if spec.is_uncoded else _sample(catalog, ids, embedder.info.dimension),
            expected=len(ids),
            effort=effort,
            centroids=codebook.centroids if codebook else None,
        )
    except StructureMissingError as error:
        raise ExtraMissingError(f"The index {spec} cannot be built: {error}.", remedy=_COMPILE) from error
    if is_exact or not len(queries):
        return Built(index, len(ids), effort, goal, 1.0 if is_exact else None, 0)
    fetch = fetcher(catalog, embedder.info.dimension)
    effort, recall = measure_effort(index, queries, nearest.ids, goal, fetch, least=codebook.effort if codebook else 0)
    return Built(index, len(ids), effort, goal, recall, len(queries))


def measure_effort(
    index: CodedIndex, queries: Vectors, truth: Ids, goal: float, fetch: FetchVectors, *, least: int = 0
) -> tuple[int, float]:
    """Find the least search effort with a recall of `goal` against the true (queries, n) neighbours, else the best effort.

    Returns the effort and its recall; the index keeps the effort. Efforts below `least` are not tried.
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
    """Compute the share of the true (queries, n) neighbours that rescored searches find."""
    held = [
        np.isin(true, search_rescored(index, query, len(true), fetch).ids[0]).mean()
        for query, true in zip(queries, truth, strict=True)
    ]
    return float(np.mean(held))


def fetcher(catalog: CatalogReader, dimension: int) -> FetchVectors:
    """Create a function that looks up full vectors in a catalog."""

    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        found, _, full = vectors.fetch_vectors(catalog, ids, dimension)
        return found, full

    return fetch


class Nearest:
    """Collects the exact nearest neighbours of queries among vectors seen in batches."""

    def __init__(self, queries: Vectors, k: int) -> None:
        self._queries, self._k = queries, k
        self.ids: Ids = np.empty((len(queries), 0), np.int64)
        self._scores: Vectors = np.empty((len(queries), 0), np.float32)

    def see(self, ids: Ids, batch: Vectors) -> None:
        """Add a batch."""
        if not len(self._queries):
            return
        scores = np.concatenate([self._scores, self._queries @ batch.T], axis=1)
        all_ids = np.concatenate([self.ids, np.broadcast_to(ids, (len(self._queries), len(ids)))], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._k]
        self.ids, self._scores = np.take_along_axis(all_ids, best, 1), np.take_along_axis(scores, best, 1)


def _sample(catalog: CatalogReader, ids: Ids, dimension: int) -> Vectors:
    """Sample vectors from the whole collection, always the same ones."""
    chosen = ids
    if len(ids) > _SAMPLE:
        chosen = np.sort(np.random.default_rng(0).choice(ids, _SAMPLE, replace=False))
    return vectors.fetch_vectors(catalog, chosen, dimension)[2]


def _heading_texts(catalog: CatalogReader, count: int = _HEADINGS) -> list[str]:
    """List up to `count` distinct headings from the whole collection, or the first words of passages without heading."""
    texts = (
        title.rsplit(" › ", 1)[-1].strip() or " ".join(text.split()[:_FIRST_WORDS])
        for title, text in sample_starts(catalog, 4 * count)
    )
    return list(dict.fromkeys(text for text in texts if text))[:count]


def synthetic_query_texts(catalog: CatalogReader) -> list[str]:
    """Collect headings and the built-in questions; none for a collection without passages.

    The neighbours of questions about unrelated subjects are scattered: an index misses them first.
    """
    headings = _heading_texts(catalog)
    return [*headings, *(query for query, _ in SAMPLE_PAIRS)] if headings else []


def synthetic_queries(catalog: CatalogReader, embedder: Embedder) -> Vectors:
    """Embed `synthetic_query_texts` as queries: (n, dimension)."""
    texts = synthetic_query_texts(catalog)
    return embedder.embed_queries(texts) if texts else np.empty((0, embedder.info.dimension), np.float32)
