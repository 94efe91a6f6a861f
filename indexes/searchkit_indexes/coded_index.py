"""An index over any codes: adds ids, additions and removals, filters, tie-breaking, and files.

Codes are immutable. Later additions are kept as pending float vectors, removals are marked, and both are merged into the codes
once there are enough of them. Each change creates a new state and swaps it in, so searches in other threads continue with the
state that they started with.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from searchkit_indexes.base import Codes, Ids, IndexSpec, Mask, Neighbours, Positions, Structure, Vectors, unit_prefixes
from searchkit_indexes.flat import FloatCodes
from searchkit_indexes.kinds import DEFAULT_EFFORT, code_builder, load_codes
from searchkit_indexes.manifest import IndexDamagedError

_MAX_CANDIDATES = (
    1600  # candidates from scanned codes; among 1,000,000 one-bit codes almost no true neighbour ranks lower
)
_TIES = 32  # additional candidates, since codes may return any of those with equal scores
_PENDING_LIMIT = 4096  # pending float vectors, or a fiftieth of the codes, before they are coded
_LARGEST_TABLE = 1 << 26  # largest id for which a filter is a table of bytes indexed by id
_GONE_SHARE = 0.2  # of removed codes, before they are deleted


@dataclass(frozen=True, slots=True)
class _State:
    """An immutable state. `ids`: ids by position in the codes, in any order; `alive`: False where removed, None if nothing is."""

    ids: Ids
    codes: Codes
    alive: Mask | None
    pending_ids: Ids
    pending: Vectors

    @property
    def coded(self) -> int:
        return len(self.ids) if self.alive is None else int(np.count_nonzero(self.alive))

    def positions_of(self, ids: Ids) -> Positions:
        """Find the positions of these ids in the codes; missing and removed ones are left out."""
        return np.flatnonzero(self.among(ids))

    def among(self, ids: Ids) -> Mask:
        """Mark the codes that have one of these ids and are not removed."""
        if not len(self.ids) or not len(ids):
            return np.zeros(len(self.ids), bool)
        largest = int(ids.max())
        if ids.min() >= 0 and largest < _LARGEST_TABLE:  # faster than np.isin, which determines the range of both first
            table = np.zeros(largest + 2, bool)
            table[ids] = True
            held = table[np.minimum(self.ids, largest + 1)]
        else:
            held = np.isin(self.ids, ids)
        return held if self.alive is None else held & self.alive


class CodedIndex:
    """See VectorIndex. Threads may search while another one adds and removes."""

    def __init__(self, spec: IndexSpec, ids: Ids, codes: Codes) -> None:
        empty = np.empty((0, spec.dimension), np.float32)
        self._spec = spec
        self._effort = _effort(spec, None)
        self._state = _State(ids, codes, None, np.empty(0, np.int64), empty)
        self._changing = threading.Lock()

    @property
    def spec(self) -> IndexSpec:
        """See VectorIndex."""
        return self._spec

    @property
    def max_candidates(self) -> int:
        """See VectorIndex."""
        return self._effort if self._spec.structure in {Structure.HNSW, Structure.HNSWLIB} else _MAX_CANDIDATES

    @property
    def memory_bytes(self) -> int:
        """See VectorIndex."""
        state = self._state
        marks = 0 if state.alive is None else state.alive.nbytes
        return state.codes.memory_bytes + state.ids.nbytes + marks + state.pending.nbytes + state.pending_ids.nbytes

    def ids(self) -> Ids:
        """Return all ids, in no particular order."""
        state = self._state
        coded = state.ids if state.alive is None else state.ids[state.alive]
        return np.concatenate([coded.astype(np.int64), state.pending_ids])

    def set_effort(self, effort: int) -> None:
        """Set the number of lists or nodes that searches visit."""
        with self._changing:
            self._effort = effort
            self._state = replace(self._state, codes=self._state.codes.with_effort(effort))

    def centroids(self) -> Vectors | None:
        """Return (lists, dimension) unit vectors of the inverted lists, None without lists. They can be reused for an index of
        similar vectors.
        """
        return self._state.codes.centroids()

    def compact(self) -> None:
        """Merge all additions and removals into the codes, for example before saving."""
        with self._changing:
            state = _without_gone(self._state)
            self._state = self._with_pending_coded(state) if len(state.pending_ids) else state

    def __len__(self) -> int:
        state = self._state
        return state.coded + len(state.pending_ids)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """See VectorIndex."""
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        if not len(ids):
            return
        prefixes = unit_prefixes(vectors, self._spec.dimension)
        with self._changing:
            state = self._state
            known = np.concatenate([state.pending_ids, ids])
            if len(np.unique(known)) != len(known) or len(state.positions_of(ids)):
                raise ValueError("an id is given twice, or is in the index already")
            self._settle(replace(state, pending_ids=known, pending=np.concatenate([state.pending, prefixes])))

    def remove(self, ids: Ids) -> int:
        """See VectorIndex."""
        with self._changing:
            state = self._state
            gone = state.positions_of(ids)
            kept = ~np.isin(state.pending_ids, ids)
            removed = len(gone) + len(kept) - int(np.count_nonzero(kept))
            if removed:
                alive = state.alive
                if len(gone):
                    alive = np.ones(len(state.ids), bool) if alive is None else alive.copy()
                    alive[gone] = False
                pending_ids, pending = state.pending_ids[kept], state.pending[kept]
                self._settle(replace(state, alive=alive, pending_ids=pending_ids, pending=pending))
            return removed

    def search(self, queries: Vectors, k: int, allowed_ids: Ids | None = None) -> Neighbours:
        """See VectorIndex."""
        state = self._state
        prefixes = unit_prefixes(queries, self._spec.dimension)
        mask, pending_mask = state.alive, None
        coded, pending = state.coded, len(state.pending_ids)
        if allowed_ids is not None:
            mask = state.among(allowed_ids)
            pending_mask = np.isin(state.pending_ids, allowed_ids)
            coded, pending = int(np.count_nonzero(mask)), int(np.count_nonzero(pending_mask))
        wanted = max(0, min(k, coded + pending))
        positions, scores = state.codes.search(prefixes, min(coded, wanted + _TIES), mask)
        fresh, fresh_scores = FloatCodes(state.pending).search(prefixes, min(pending, wanted), pending_mask)
        ids = np.concatenate([_ids_at(state.ids, positions), _ids_at(state.pending_ids, fresh)], axis=1)
        all_scores = np.concatenate([np.where(positions < 0, -np.inf, scores), fresh_scores], axis=1)
        return _best(ids, all_scores, wanted, positions.shape[1])

    def save(self, folder: Path) -> None:
        """See VectorIndex."""
        state = self._state
        if len(state.codes):
            state.codes.save(folder)
        fits = state.ids.max(initial=0) < 2**32 and state.ids.min(initial=0) >= 0
        np.save(folder / "ids.npy", state.ids.astype(np.uint32 if fits else np.int64))
        if state.alive is not None:
            np.save(folder / "alive.npy", state.alive)
        if len(state.pending_ids):
            np.save(folder / "recent_ids.npy", state.pending_ids)
            np.save(folder / "recent.npy", state.pending)

    @classmethod
    def load(cls, folder: Path, spec: IndexSpec, effort: int | None = None) -> Self:
        """Open an index written by `save` with the same spec; codes are memory-mapped if their kind allows it.

        `effort`: lists or nodes that a search visits, None for the default. FAISS trusts the bytes that it reads: verify the
        files first. Raises IndexDamagedError if they are inconsistent, StructureMissingError.
        """
        ids = _array(folder / "ids.npy", (np.int64, np.uint32), 1)
        nothing = FloatCodes(np.empty((0, spec.dimension), np.float32))
        codes = load_codes(folder, spec, _effort(spec, effort)) if len(ids) else nothing
        index = cls(spec, ids, codes)
        index._effort = _effort(spec, effort)
        state = index._state
        if (folder / "alive.npy").exists():
            state = replace(state, alive=_array(folder / "alive.npy", (np.bool_,), 1))
        if (folder / "recent.npy").exists():
            pending_ids = _array(folder / "recent_ids.npy", (np.int64,), 1)
            state = replace(state, pending_ids=pending_ids, pending=_array(folder / "recent.npy", (np.float32,), 2))
        marks = len(ids) if state.alive is None else len(state.alive)
        fits = len(codes) == len(ids) == marks and state.pending.shape == (len(state.pending_ids), spec.dimension)
        if not fits:
            raise IndexDamagedError(f"the index in {folder} has arrays that do not fit together")
        index._state = state
        return index

    def _settle(self, state: _State) -> None:
        """Make a state current, after merging additions and removals into the codes if there are enough."""
        gone = len(state.ids) - state.coded
        if gone > max(_PENDING_LIMIT // 4, _GONE_SHARE * len(state.ids)):
            state = _without_gone(state)
        if len(state.pending_ids) > max(_PENDING_LIMIT, len(state.ids) // 50):
            state = self._with_pending_coded(state)
        self._state = state

    def _with_pending_coded(self, state: _State) -> _State:
        if len(state.ids):
            codes = state.codes.with_more(state.pending)
        else:
            builder = code_builder(self._spec, state.pending, len(state.pending), self._effort)
            builder.add(state.pending)
            codes = builder.finish()
        return _State(
            ids=np.concatenate([state.ids, state.pending_ids]),
            codes=codes,
            alive=None if state.alive is None else np.concatenate([state.alive, np.ones(len(state.pending_ids), bool)]),
            pending_ids=state.pending_ids[:0],
            pending=state.pending[:0],
        )


def _without_gone(state: _State) -> _State:
    if state.alive is None:
        return state
    kept = np.flatnonzero(state.alive)
    codes = state.codes.only(kept) if len(kept) else FloatCodes(state.pending[:0])  # the next additions train new codes
    return replace(state, ids=state.ids[kept], codes=codes, alive=None)


def build_index(
    spec: IndexSpec,
    batches: Iterable[tuple[Ids, Vectors]],
    *,
    sample: Vectors | None = None,
    expected: int = 0,
    effort: int | None = None,
    centroids: Vectors | None = None,
) -> CodedIndex:
    """Build an index of (ids, vectors) batches; in addition to the codes, one batch is in memory at a time.

    `sample`: representative vectors to train codes on (default: the first batch). `expected`: number of vectors to come
    (default: as many as the sample). `centroids`: reused from an index of similar vectors.
    Raises ValueError as `add` does, StructureMissingError.
    """
    remaining = iter(batches)
    held = []
    if sample is None:
        held = [next(remaining, (np.empty(0, np.int64), np.empty((0, spec.dimension), np.float32)))]
        sample = held[0][1]
    if not len(sample):
        return CodedIndex(spec, np.empty(0, np.int64), FloatCodes(np.empty((0, spec.dimension), np.float32)))
    prefixes = unit_prefixes(sample, spec.dimension)
    builder = code_builder(spec, prefixes, expected or len(sample), _effort(spec, effort), centroids)
    all_ids: list[Ids] = [np.empty(0, np.int64)]
    for batch in (held, remaining):
        for ids, vectors in batch:
            if len(ids) != len(vectors):
                raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
            builder.add(unit_prefixes(vectors, spec.dimension))
            all_ids.append(ids)
    ids = np.concatenate(all_ids)
    if len(np.unique(ids)) != len(ids):
        raise ValueError("an id is given twice")
    return CodedIndex(spec, ids, builder.finish())


def _effort(spec: IndexSpec, effort: int | None) -> int:
    return DEFAULT_EFFORT.get(spec.structure, 0) if effort is None else effort


def _ids_at(ids: Ids, positions: Positions) -> Ids:
    """Return the ids at positions, -1 where a position is -1."""
    if not len(ids):
        return np.full(positions.shape, -1, np.int64)
    found: Ids = np.where(positions < 0, -1, ids[positions].astype(np.int64))
    return found


def _best(ids: Ids, scores: Vectors, wanted: int, coded: int) -> Neighbours:
    """Select the best `wanted` of each row by score, then id; the first `coded` columns come from codes."""
    order = np.lexsort((ids, -scores), axis=1)[:, :wanted]
    best = np.take_along_axis(scores, order, axis=1).astype(np.float32)
    return Neighbours(np.take_along_axis(ids, order, axis=1), best, order < coded)


def _array(path: Path, kinds: tuple[type, ...], dimensions: int) -> Any:
    """Memory-map an array of one of these types. Raises IndexDamagedError for anything else."""
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise IndexDamagedError(f"{path} cannot be read: {error}") from error
    if array.dtype not in kinds or array.ndim != dimensions:
        raise IndexDamagedError(f"{path} has an array of another type than was written")
    return array
