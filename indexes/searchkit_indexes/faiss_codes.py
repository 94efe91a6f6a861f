"""Codes implemented by FAISS: scalar quantizers, RaBitQ, inverted lists of either, and HNSW graphs.

Files are in FAISS's own format and are read only after their checksum was verified, since FAISS trusts its input. They are
memory-mapped and read in place; such an index is never extended, because FAISS would abort the process.
"""

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from searchkit_indexes.base import Code, IndexSpec, Mask, Positions, Structure, Vectors, nothing_found
from searchkit_indexes.manifest import IndexDamagedError

faiss: Any = import_module(
    "faiss"
)  # its stubs lack additions of its Python wrapper: keyword arguments, arrays for pointers

_FILE = "faiss.npy"
_QUERY_BITS = 4  # of a query in RaBitQ's products; 8 bits take a third longer for the same recall
_LINKS = 16  # per node of an HNSW graph; 16/100 reach a recall of .998 at efSearch 128
_CONSTRUCTION_BREADTH = 100
_EXHAUSTIVE_BELOW = 0.1  # share of allowed vectors below which a graph is scanned instead of traversed
_BITS = {Code.BIT1: 1, Code.BIT2: 2, Code.BIT4: 4}
_SCALARS = {
    Code.FLOAT16: faiss.ScalarQuantizer.QT_fp16,
    Code.INT8: faiss.ScalarQuantizer.QT_8bit,
}
_TRAINED_POINTS_A_LIST = 64
_ROUNDS_OF_CLUSTERING = 8
# Length of a centroid: RaBitQ is off by 0.5 for a vector that equals its centroid, such as the only one of a list.
_INSIDE = 0.98
_BIT_CODES_LEARN_FROM = 1024  # RaBitQ needs no training, but FAISS assigns all training vectors to lists


def lists_for(count: int) -> int:
    """Choose the number of inverted lists: about four square roots of the vectors, which balances lists and centroids."""
    balanced: int = 2 ** math.floor(math.log2(4 * math.sqrt(max(count, 1))))
    return max(1, min(4096, balanced, count // 39))


def new_faiss_index(spec: IndexSpec, sample: Vectors, expected: int, centroids: Vectors | None = None) -> Any:
    """Create an empty index trained on a sample; `expected` vectors will follow.

    `centroids`: (lists, dimension) unit vectors, used instead of clustering if their number fits.
    """
    index = _untrained(spec, expected)
    if spec.structure is Structure.IVF:
        if centroids is None or centroids.shape != (index.nlist, index.d):
            centroids = _cluster_centres(sample, index.nlist)
        index.quantizer.add(centroids * np.float32(_INSIDE))
    index.train(np.ascontiguousarray(sample if spec.code not in _BITS else sample[:_BIT_CODES_LEARN_FROM]))
    return index


def _cluster_centres(sample: Vectors, lists: int) -> Vectors:
    """Cluster vectors: (lists, dimension) unit vectors."""
    clustering = faiss.Clustering(sample.shape[1], lists)
    clustering.niter = _ROUNDS_OF_CLUSTERING
    clustering.spherical = True
    clustering.max_points_per_centroid = _TRAINED_POINTS_A_LIST
    clustering.min_points_per_centroid = 1  # otherwise FAISS warns on stderr
    clustering.train(np.ascontiguousarray(sample), faiss.IndexFlatIP(sample.shape[1]))
    centres: Vectors = faiss.vector_to_array(clustering.centroids).reshape(lists, -1)
    return centres


def _untrained(spec: IndexSpec, expected: int) -> Any:
    dimension, metric = spec.dimension, faiss.METRIC_INNER_PRODUCT
    if spec.structure is Structure.HNSW:
        scalars = faiss.ScalarQuantizer.QT_8bit
        index = (
            faiss.IndexHNSWFlat(dimension, _LINKS, metric)
            if spec.code is Code.FLOAT32
            else faiss.IndexHNSWSQ(dimension, scalars, _LINKS, metric)
        )
        index.hnsw.efConstruction = _CONSTRUCTION_BREADTH
        return index
    if spec.structure is Structure.IVF:
        return _untrained_lists(spec, lists_for(expected))
    if spec.structure is Structure.RABITQ:
        return faiss.IndexRaBitQ(dimension, metric, _BITS[spec.code])
    return faiss.IndexScalarQuantizer(dimension, _SCALARS[spec.code], metric)


def _untrained_lists(spec: IndexSpec, lists: int) -> Any:
    metric = faiss.METRIC_INNER_PRODUCT
    coarse = faiss.IndexFlatIP(spec.dimension)
    index: Any
    if spec.code is Code.INT8:
        index = faiss.IndexIVFScalarQuantizer(coarse, spec.dimension, lists, faiss.ScalarQuantizer.QT_8bit, metric)
    else:
        index = faiss.IndexIVFRaBitQ(coarse, spec.dimension, lists, metric, True, _BITS[spec.code])
    return index


class FaissCodes:
    """Codes in a read-only FAISS index. See Codes.

    `effort`: lists that an inverted index visits, or efSearch of a graph.
    """

    def __init__(self, index: Any, spec: IndexSpec, effort: int, mapped: Any = None) -> None:
        self._index, self._spec, self._effort = index, spec, effort
        self._mapped = mapped  # the mapping must outlive the index
        if spec.structure is Structure.IVF:
            index.parallel_mode = 1  # distributes the lists of a single query over the cores

    @property
    def memory_bytes(self) -> int:
        """See Codes."""
        index, count = self._index, len(self)
        if self._spec.structure is Structure.HNSW:
            links = index.hnsw.neighbors.size() * 4 + index.hnsw.offsets.size() * 8 + index.hnsw.levels.size() * 4
            return int(count * index.storage.sa_code_size() + links)
        if self._spec.structure is Structure.IVF:
            return int(count * (index.code_size + 8) + index.nlist * self._spec.dimension * 4)
        return int(count * index.code_size)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """See Codes."""
        if not len(self) or not len(queries) or k < 1:
            return nothing_found(len(queries), max(k, 0))
        share = 1.0 if allowed is None else np.count_nonzero(allowed) / len(allowed)
        if share == 0:
            return nothing_found(len(queries), k)
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        is_scanned = self._spec.structure is Structure.HNSW and (share < _EXHAUSTIVE_BELOW or k * 2 > len(self))
        index = faiss.downcast_index(self._index.storage) if is_scanned else self._index
        parameters = faiss.SearchParameters(sel=selector) if is_scanned else self._parameters(selector, share, k)
        scores, positions = index.search(queries, min(k, len(self)), params=parameters)
        return positions, scores

    def with_more(self, vectors: Vectors) -> Self:
        """See Codes."""
        index = self._own_copy()
        index.add(np.ascontiguousarray(vectors))
        return self._like(index)

    def only(self, kept: Positions) -> "FaissCodes":
        """See Codes."""
        if self._spec.structure is Structure.HNSW:
            index = new_faiss_index(self._spec, self._decoded(kept), len(kept))
            index.add(self._decoded(kept))
            return self._like(index)
        if self._spec.structure is Structure.IVF:
            return self._like(_lists_of(self._own_copy(), kept))
        index = self._own_copy()
        gone = np.ones(len(self), bool)
        gone[kept] = False
        index.remove_ids(faiss.IDSelectorBitmap(np.packbits(gone, bitorder="little")))
        return self._like(index)

    def with_effort(self, effort: int) -> Self:
        """See Codes."""
        return type(self)(self._index, self._spec, effort, self._mapped)

    def centroids(self) -> Vectors | None:
        """See Codes."""
        if self._spec.structure is not Structure.IVF:
            return None
        coarse = faiss.downcast_index(self._index.quantizer)
        centroids: Vectors = coarse.reconstruct_n(0, self._index.nlist) / np.float32(_INSIDE)
        return centroids

    def save(self, folder: Path) -> None:
        """See Codes."""
        np.save(folder / _FILE, faiss.serialize_index(self._index))

    @classmethod
    def load(cls, folder: Path, spec: IndexSpec, effort: int) -> Self:
        """Map a file written by `save` without copying it. The caller has verified the file.

        Raises IndexDamagedError for any other content.
        """
        try:
            mapped = np.load(folder / _FILE, mmap_mode="r")
            reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(mapped), mapped.size)
            index = faiss.read_index(reader, faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, EOFError, RuntimeError) as error:
            raise IndexDamagedError(f"the index in {folder} cannot be read: {error}") from error
        expected = type(_untrained(spec, 1))
        if not isinstance(index, expected) or index.d != spec.dimension:
            raise IndexDamagedError(f"the index in {folder} is not {spec}")
        return cls(index, spec, effort, (mapped, reader))

    def _like(self, index: Any) -> Self:
        return type(self)(index, self._spec, self._effort)

    def _own_copy(self) -> Any:
        return faiss.deserialize_index(faiss.serialize_index(self._index))

    def _decoded(self, kept: Positions) -> Vectors:
        storage = faiss.downcast_index(self._index.storage)
        decoded: Vectors = storage.reconstruct_n(0, len(self))[kept]
        return decoded

    def _parameters(self, selector: Any, share: float, k: int) -> Any:
        """Set the parameters of a search; the fewer vectors a filter allows, the more lists and nodes are visited."""
        if self._spec.structure is Structure.RABITQ:
            return faiss.RaBitQSearchParameters(sel=selector, qb=_QUERY_BITS)
        if self._spec.structure is Structure.HNSW:
            ef_search = min(len(self), math.ceil(max(self._effort, k) / share))
            return faiss.SearchParametersHNSW(sel=selector, efSearch=ef_search)
        if self._spec.structure is Structure.IVF:
            probes = self._probes(share, k)
            if self._spec.code is Code.INT8:
                return faiss.SearchParametersIVF(sel=selector, nprobe=probes)
            return faiss.IVFRaBitQSearchParameters(sel=selector, nprobe=probes, qb=_QUERY_BITS)
        return faiss.SearchParameters(sel=selector)

    def _probes(self, share: float, k: int) -> int:
        lists = int(self._index.nlist)
        holding_enough = (
            4 * k * lists / (share * len(self))
        )  # enough lists for four times as many allowed vectors as requested
        return min(lists, math.ceil(max(self._effort / share, holding_enough)))


def _lists_of(index: Any, kept: Positions) -> Any:
    """Copy an inverted index with only the vectors at the kept positions, renumbered."""
    new_positions = np.full(index.ntotal, -1, np.int64)
    new_positions[kept] = np.arange(len(kept))
    old = index.invlists
    lists = faiss.ArrayInvertedLists(index.nlist, index.code_size)
    for number in range(index.nlist):
        size = old.list_size(number)
        if not size:
            continue
        positions = new_positions[faiss.rev_swig_ptr(old.get_ids(number), size)]
        codes = faiss.rev_swig_ptr(old.get_codes(number), size * index.code_size).reshape(size, -1)
        here = np.flatnonzero(positions >= 0)
        if len(here):
            ids, content = np.ascontiguousarray(positions[here]), np.ascontiguousarray(codes[here])
            lists.add_entries(number, len(here), faiss.swig_ptr(ids), faiss.swig_ptr(content))
    index.replace_invlists(lists, True)
    lists.this.disown()
    index.ntotal = len(kept)
    return index


def faiss_builder(
    spec: IndexSpec, sample: Vectors, expected: int, centroids: Vectors | None
) -> tuple[Callable[[Vectors], None], Any]:
    """Return a function that adds batches of vectors, and the FAISS index that receives them."""
    index = new_faiss_index(spec, sample, expected, centroids)
    return (lambda vectors: index.add(np.ascontiguousarray(vectors))), index
