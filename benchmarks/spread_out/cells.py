"""The cells of the study: one model, set, variant, seed, prefix and structure each. A finished one is a line of a JSONL file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.spread_out.geometry import geometry_of
from benchmarks.spread_out.sets import StudySet
from benchmarks.spread_out.structures import STRUCTURES, Found
from benchmarks.spread_out.variants import Transform
from searchkit.evaluate.metrics import ndcg_at
from searchkit_indexes import Ids, Vectors
from searchkit_indexes.base import Positions, unit_prefixes

EXACT = "exact"  # the name of the cell that searches exactly, and has the geometry
K = 10
_DEPTH = 100  # passages of which documents are made in exact search
_AT_ONCE = 256
_DIGITS = "0123456789a"  # how many of the ten nearest were found, a digit a query


@dataclass(frozen=True, slots=True)
class Key:
    """What a cell measures."""

    model: str
    set: str
    variant: str
    seed: int
    prefix: int
    structure: str


@dataclass(frozen=True, slots=True)
class Point:
    """One effort of a structure. `computations`: distances for a query, None if unknown.

    `hits`: a digit for each query, how many of the ten nearest by the prefixes were found without rescoring; `rescored_hits`: how
    many of the ten nearest by the whole vectors, when the candidates are ordered by them. `ndcg`: nDCG@10, likewise.
    """

    effort: int
    computations: float | None
    hits: str
    rescored_hits: str
    ndcg: float
    rescored_ndcg: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A finished cell. For EXACT `ndcg` has each query's nDCG@10 and `geometry` its figures; others have `points`."""

    key: Key
    count: int
    seconds: float
    points: tuple[Point, ...] = ()
    ndcg: tuple[float, ...] = ()
    geometry: Mapping[str, float] | None = None


class Cells:
    """The file of finished cells. A line that an interruption has cut off does not count."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.done: dict[Key, Cell] = {}
        whole = 0
        for line in file.read_bytes().splitlines(keepends=True) if file.is_file() else ():
            if not line.endswith(b"\n"):
                break
            cell = cell_from(json.loads(line))
            self.done[cell.key] = cell
            whole += len(line)
        if file.is_file():
            with file.open("r+b") as kept:
                kept.truncate(whole)

    def put(self, cell: Cell) -> None:
        """Add a cell, on the disk when this returns."""
        self.done[cell.key] = cell
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(cell), separators=(",", ":")) + "\n")


def cell_from(fields: dict[str, Any]) -> Cell:
    """Read a cell from its JSON."""
    points = tuple(Point(**point) for point in fields.pop("points"))
    return Cell(**{**fields, "key": Key(**fields["key"]), "points": points, "ndcg": tuple(fields["ndcg"])})


@dataclass(frozen=True, slots=True)
class Mapped:
    """A set under a variant, whole and cut to a prefix; `nearest`, `whole_nearest`: (queries, 10) by exact search of each."""

    data: StudySet
    passages: Vectors
    queries: Vectors
    whole_passages: Vectors
    whole_queries: Vectors
    nearest: Positions
    whole_nearest: Positions


def mapped(data: StudySet, transform: Transform) -> Mapped:
    """Map a set, uncut."""
    passages, queries = transform(data.passages), transform(data.queries)
    nearest = exact(passages, queries, K)
    return Mapped(data, passages, queries, passages, queries, nearest, nearest)


def cut(whole: Mapped, prefix: int) -> Mapped:
    """Cut to a prefix, at unit length."""
    if prefix == whole.whole_passages.shape[1]:
        return whole
    passages, queries = (unit_prefixes(each, prefix) for each in (whole.whole_passages, whole.whole_queries))
    return replace(whole, passages=passages, queries=queries, nearest=exact(passages, queries, K))


def exact(passages: Vectors, queries: Vectors, k: int) -> Positions:
    """(queries, k) nearest passages, best first, by dot product."""
    k = min(k, len(passages))
    parts = []
    for start in range(0, len(queries), _AT_ONCE):
        scores = queries[start : start + _AT_ONCE] @ passages.T
        chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
        parts.append(np.take_along_axis(chosen, order, axis=1))
    return np.concatenate(parts)


def measure(key: Key, at_prefix: Mapped) -> Cell:
    """Measure a cell. The seed decides the order of insertion.

    Raises ModuleNotFoundError if a structure's library is missing.
    """
    started = monotonic()
    count = len(at_prefix.passages)
    if key.structure == EXACT:
        positions = exact(at_prefix.passages, at_prefix.queries, _DEPTH)
        ndcg = tuple(round(value, 4) for value in ndcg_of(at_prefix.data, positions))
        figures = asdict(geometry_of(at_prefix.passages, at_prefix.queries))
        return Cell(key, count, monotonic() - started, ndcg=ndcg, geometry=figures)
    order = np.random.default_rng(key.seed).permutation(count)
    found = STRUCTURES[key.structure](np.ascontiguousarray(at_prefix.passages[order]), at_prefix.queries)
    points = tuple(_point(at_prefix, _in_order(each, order)) for each in found)
    return Cell(key, count, round(monotonic() - started, 2), points)


def _in_order(found: Found, order: Ids) -> Found:
    """The same with positions in the set instead of in the index."""
    return replace(found, positions=np.where(found.positions < 0, -1, order[found.positions]))


def _point(at_prefix: Mapped, found: Found) -> Point:
    rescored = by_whole_vectors(at_prefix, found.positions)
    data = at_prefix.data
    return Point(
        found.effort,
        None if found.computations is None else round(found.computations, 1),
        hits_of(found.positions, at_prefix.nearest),
        hits_of(rescored, at_prefix.whole_nearest),
        round(float(np.mean(list(ndcg_of(data, found.positions)))), 5),
        round(float(np.mean(list(ndcg_of(data, rescored)))), 5),
    )


def by_whole_vectors(at_prefix: Mapped, positions: Positions) -> Positions:
    """The candidates in the order of their whole vectors' products."""
    ordered = np.full_like(positions, -1)
    for row, (query, candidates) in enumerate(zip(at_prefix.whole_queries, positions, strict=True)):
        known = candidates[candidates >= 0]
        scores = at_prefix.whole_passages[known] @ query
        ordered[row, : len(known)] = known[np.argsort(-scores, kind="stable")]
    return ordered


def hits_of(positions: Positions, nearest: Positions) -> str:
    """How many of the nearest are among the first ten positions, a digit a query."""
    return "".join(_DIGITS[np.isin(true, found[:K]).sum()] for true, found in zip(nearest, positions, strict=True))


def recalls(hits: str) -> npt.NDArray[np.float64]:
    """(queries,) recall@10, from 0 to 1."""
    return np.array([_DIGITS.index(digit) for digit in hits], np.float64) / K


def ndcg_of(data: StudySet, positions: Positions) -> Iterator[float]:
    """nDCG@10 of each query, each document at its best passage."""
    for row, relevance in zip(positions, data.relevance, strict=True):
        documents = dict.fromkeys(str(number) for number in data.document_of[row[row >= 0]].tolist())
        yield ndcg_at(K, list(documents), relevance)


def keys(
    data: StudySet, variants: Sequence[str], seed: int, prefixes: Sequence[int], structures: Sequence[str]
) -> list[Key]:
    """The cells of a set and seed, those of a variant together, and of a prefix in it."""
    return [
        Key(data.model, data.name, variant, seed, prefix, structure)
        for variant in variants
        for prefix in prefixes
        for structure in (EXACT, *structures)
    ]
