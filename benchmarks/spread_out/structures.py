"""The indexes of the study: searchkit's own kinds with its parameters, and two codes of FAISS that it does not offer.

Each is a function from unit vectors and queries to what is found at each effort. HNSW and inverted lists count the distances
that they compute; hnswlib does not say. A scan of codes computes all, and its effort is the number of candidates that are kept.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from searchkit_indexes import Code, IndexSpec, Structure, Vectors
from searchkit_indexes.base import Positions
from searchkit_indexes.faiss_codes import faiss, lists_for, new_faiss_index

GRAPH_EFFORTS = (8, 16, 32, 64, 128, 256)  # efSearch
LIST_EFFORTS = (1, 2, 4, 8, 16, 32, 64)  # nprobe
SCAN_EFFORTS = (10, 20, 50, 100, 200)  # candidates
_NEAREST = 10
_CANDIDATES_OF_LISTS = 50
_PQ_COMPONENTS, _PQ_BITS = 4, 4  # four components in four bits: one bit each, as the 1-bit codes have


@dataclass(frozen=True, slots=True)
class Found:
    """The result of one effort. `computations`: distances computed for a query, on average; None if unknown.

    `positions`: (queries, k) best first by the structure's own scores, -1 where fewer were found.
    """

    effort: int
    computations: float | None
    positions: Positions


def hnsw(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """FAISS's graph over float32."""
    index = new_faiss_index(IndexSpec(Structure.HNSW, Code.FLOAT32, vectors.shape[1]), vectors, len(vectors))
    index.add(vectors)
    for effort in GRAPH_EFFORTS:
        faiss.cvar.hnsw_stats.reset()
        wanted = min(max(effort, _NEAREST), len(vectors))
        _, positions = index.search(queries, wanted, params=faiss.SearchParametersHNSW(efSearch=effort))
        yield Found(effort, faiss.cvar.hnsw_stats.ndis / len(queries), positions)


def hnswlib(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """hnswlib's graph over float32. Raises ModuleNotFoundError without hnswlib."""
    from searchkit_indexes.hnswlib_codes import HnswlibCodes

    spec = IndexSpec(Structure.HNSWLIB, Code.FLOAT32, vectors.shape[1])
    codes = HnswlibCodes.of(vectors, spec, GRAPH_EFFORTS[0])
    for effort in GRAPH_EFFORTS:
        positions, scores = codes.with_effort(effort).search(queries, max(effort, _NEAREST), None)
        yield Found(effort, None, np.take_along_axis(positions, np.argsort(-scores, axis=1, kind="stable"), axis=1))


def ivf(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """Inverted lists of 8-bit codes, as many as searchkit chooses; the comparisons with the lists' centres count."""
    index = new_faiss_index(IndexSpec(Structure.IVF, Code.INT8, vectors.shape[1]), vectors, len(vectors))
    index.add(vectors)
    lists = lists_for(len(vectors))
    for effort in dict.fromkeys(min(effort, lists) for effort in LIST_EFFORTS):
        faiss.cvar.indexIVF_stats.reset()
        wanted = min(_CANDIDATES_OF_LISTS, len(vectors))
        _, positions = index.search(queries, wanted, params=faiss.SearchParametersIVF(nprobe=effort))
        yield Found(effort, lists + faiss.cvar.indexIVF_stats.ndis / len(queries), positions)


def int8(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """A scan of 8-bit codes."""
    index = new_faiss_index(IndexSpec(Structure.FLAT, Code.INT8, vectors.shape[1]), vectors, len(vectors))
    return _scanned(index, vectors, queries)


def rabitq(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """A scan of RaBitQ's 1-bit codes."""
    spec = IndexSpec(Structure.RABITQ, Code.BIT1, vectors.shape[1])
    parameters = faiss.RaBitQSearchParameters(qb=4)
    return _scanned(new_faiss_index(spec, vectors, len(vectors)), vectors, queries, parameters)


def product_quantized(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """A scan of product-quantized codes of one bit a component. Raises ValueError unless four divides the dimension."""
    dimension = vectors.shape[1]
    if dimension % _PQ_COMPONENTS:
        raise ValueError(f"{dimension} dimensions cannot be cut into pieces of {_PQ_COMPONENTS}")
    index = faiss.IndexPQ(dimension, dimension // _PQ_COMPONENTS, _PQ_BITS, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    return _scanned(index, vectors, queries)


def signs(vectors: Vectors, queries: Vectors) -> Iterator[Found]:
    """A scan of the signs of all components as they are, by the number of equal ones: no rotation, no centring, no factors."""
    index = faiss.IndexBinaryFlat(-8 * (-vectors.shape[1] // 8))
    return _scanned(index, np.packbits(vectors > 0, axis=1), np.packbits(queries > 0, axis=1))


def _scanned(index: Any, vectors: Any, queries: Any, parameters: Any = None) -> Iterator[Found]:
    index.add(vectors)
    wanted = min(SCAN_EFFORTS[-1], len(vectors))
    _, positions = index.search(queries, wanted, **({"params": parameters} if parameters else {}))
    for effort in SCAN_EFFORTS:
        yield Found(effort, float(len(vectors)), positions[:, :effort])


STRUCTURES: Mapping[str, Callable[[Vectors, Vectors], Iterator[Found]]] = {
    "hnsw": hnsw,
    "hnswlib": hnswlib,
    "ivf-int8": ivf,
    "int8": int8,
    "pq": product_quantized,
    "rabitq": rabitq,
    "signs": signs,
}
SCANS = ("int8", "pq", "rabitq", "signs")
