"""HNSW graphs of hnswlib (extra `[hnsw]`), which is compiled for the machine it is installed on."""

import struct
import tempfile
from pathlib import Path
from typing import Any, Self

import hnswlib
import numpy as np

from searchkit_indexes.base import IndexSpec, Mask, Positions, Vectors, best_positions, nothing_found
from searchkit_indexes.manifest import IndexDamagedError

_FILE = "hnswlib.bin"
_LINKS = 16
_CONSTRUCTION_BREADTH = 100
_EXHAUSTIVE_BELOW = 0.5  # its filter calls Python for every visited node


class HnswlibCodes:
    """Codes in a read-only hnswlib graph. See Codes. `effort`: efSearch."""

    def __init__(self, graph: Any, spec: IndexSpec, effort: int) -> None:
        self._graph, self._spec, self._effort = graph, spec, effort

    @classmethod
    def of(cls, vectors: Vectors, spec: IndexSpec, effort: int) -> Self:
        """Build a graph of (n, dimension) unit vectors."""
        graph = _new_graph(spec)
        graph.init_index(max(len(vectors), 1), ef_construction=_CONSTRUCTION_BREADTH, M=_LINKS, random_seed=100)
        if len(vectors):
            graph.add_items(vectors, np.arange(len(vectors)))
        return cls(graph, spec, effort)

    @property
    def memory_bytes(self) -> int:
        """See Codes."""
        return int(self._graph.index_file_size())

    def __len__(self) -> int:
        return int(self._graph.element_count)

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> tuple[Positions, Vectors]:
        """See Codes."""
        rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        wanted = min(k, len(rows))
        if not wanted or not len(queries):
            return nothing_found(len(queries), max(wanted, 0))
        if len(rows) < _EXHAUSTIVE_BELOW * len(self) or 2 * wanted > len(self):
            return self._scan(queries, wanted, rows)
        ef_search = max(self._effort, wanted) * len(self) // len(rows)
        self._graph.set_ef(min(len(self), ef_search))
        passes = None if allowed is None else lambda position: bool(allowed[position])
        try:
            labels, distances = self._graph.knn_query(queries, wanted, num_threads=1, filter=passes)
        except RuntimeError:  # it reached fewer than requested
            return self._scan(queries, wanted, rows)
        return labels.astype(np.int64), (1 - distances).astype(np.float32)

    def with_more(self, vectors: Vectors) -> Self:
        """See Codes."""
        with tempfile.TemporaryDirectory() as place:
            self.save(Path(place))
            graph = _new_graph(self._spec)
            graph.load_index(str(Path(place) / _FILE), max_elements=len(self) + len(vectors))
        graph.add_items(vectors, np.arange(len(self), len(self) + len(vectors)))
        return type(self)(graph, self._spec, self._effort)

    def only(self, kept: Positions) -> Self:
        """See Codes."""
        return self.of(self._vectors(kept), self._spec, self._effort)

    def with_effort(self, effort: int) -> Self:
        """See Codes."""
        return type(self)(self._graph, self._spec, effort)

    def centroids(self) -> None:
        """See Codes."""

    def save(self, folder: Path) -> None:
        """See Codes."""
        self._graph.save_index(str(folder / _FILE))

    @classmethod
    def load(cls, folder: Path, spec: IndexSpec, effort: int) -> Self:
        """Read a file written by `save` that the caller has verified. Raises IndexDamagedError for any other content."""
        graph = _new_graph(spec)
        if _dimension_of(folder / _FILE) != spec.dimension:  # hnswlib does not check it
            raise IndexDamagedError(f"the index in {folder} is not {spec}")
        try:
            graph.load_index(str(folder / _FILE))
        except RuntimeError as error:
            raise IndexDamagedError(f"the index in {folder} cannot be read: {error}") from error
        return cls(graph, spec, effort)

    def _scan(self, queries: Vectors, wanted: int, rows: Positions) -> tuple[Positions, Vectors]:
        scores = queries @ self._vectors(rows).T
        best = np.stack([best_positions(row, wanted) for row in scores])
        return rows[best], np.take_along_axis(scores, best, axis=1)

    def _vectors(self, rows: Positions) -> Vectors:
        return np.asarray(self._graph.get_items(rows, return_type="numpy"), np.float32).reshape(len(rows), -1)


def _new_graph(spec: IndexSpec) -> Any:
    return hnswlib.Index(space="ip", dim=spec.dimension)


def _dimension_of(path: Path) -> int:
    """Compute the number of float32 components from the offsets of vector and label in hnswlib's header."""
    try:
        with path.open("rb") as file:
            *_, label_offset, vector_offset = struct.unpack("<6Q", file.read(48))
    except (OSError, struct.error) as error:
        raise IndexDamagedError(f"{path} cannot be read: {error}") from error
    return int(label_offset - vector_offset) // 4
