"""Makes the sets of vectors: real ones from catalogs, and as many synthetic ones as wanted, distributed like real ones.

A synthetic vector:          normalise(x_i + u (t (x_j - x_i) + s r_i (x_p - x_q) / |x_p - x_q|))

x_i is a real vector and x_j one of its ten nearest; (x_p, x_q) is another such pair from anywhere, so that what is added has
the spectrum of real local differences and not that of white noise; r_i is the distance from x_i to its tenth neighbour, so
that dense places stay dense; u is at most 1 and distributed like distances from the centre of a ball in a number of dimensions,
so that some are near duplicates, as real ones are. tuning.py chooses s and the dimensions.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import unit
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import open_as_it_is
from searchkit.catalog.vector_codes import decoded
from searchkit.catalog.vectors import known_models
from searchkit_indexes import Ids, Vectors

NEIGHBOURS = 10
_BLOCK = 10_000
_NEARLY_THE_SAME = 0.97


@dataclass(frozen=True, slots=True)
class Recipe:
    """How far to go towards a neighbour (t), how far off the line (s), and in how many dimensions distances spread (u)."""

    towards: float
    aside: float
    dimensions: float
    seed: int = 0


class Enlarger:
    """Makes synthetic vectors from real ones: the same for the same recipe and block."""

    def __init__(self, real: Vectors) -> None:
        self._real = real

    @cached_property
    def _surroundings(self) -> tuple[Ids, Vectors]:
        """(rows of the ten nearest of each, distance to the last of them); half a minute for 30,000."""
        near, similarities = nearest(self._real, self._real, NEIGHBOURS + 1)
        return near[:, 1:], np.sqrt(
            np.maximum(2 - 2 * similarities[:, -1:], 0)
        )  # the first is itself, or its duplicate

    @property
    def real_count(self) -> int:
        """The number of real vectors."""
        return len(self._real)

    def real_blocks(self, count: int) -> int:
        """The number of blocks with real vectors in a set of `count`; the others are synthetic."""
        return math.ceil(min(count, len(self._real)) / _BLOCK)

    def blocks(self, recipe: Recipe, count: int) -> Iterator[Vectors]:
        """Yield `count` rows in all: real ones first, as far as wanted, then synthetic ones."""
        real = self._real[:count]
        yield from (real[start : start + _BLOCK] for start in range(0, len(real), _BLOCK))
        for number, start in enumerate(range(len(self._real), count, _BLOCK)):
            yield self._made(recipe, number, min(_BLOCK, count - start))

    def _made(self, recipe: Recipe, number: int, count: int) -> Vectors:
        near, reach = self._surroundings
        rng = np.random.default_rng([recipe.seed, number])
        origin, elsewhere = rng.integers(len(self._real), size=(2, count))
        column = rng.integers(NEIGHBOURS, size=(2, count))
        far = rng.random((count, 1), np.float32) ** np.float32(1 / recipe.dimensions)
        towards = far * np.float32(recipe.towards)
        made = (1 - towards) * self._real[origin] + towards * self._real[near[origin, column[0]]]
        aside = unit(self._real[elsewhere] - self._real[near[elsewhere, column[1]]])
        aside *= far * np.float32(recipe.aside) * reach[origin]
        made += aside
        return unit(made)


def nearest(queries: Vectors, vectors: Vectors, k: int) -> tuple[Ids, Vectors]:
    """(rows, dot products) of the k best for each query, best first; exact, in pieces."""
    parts = [_best(queries[start : start + 1000] @ vectors.T, k) for start in range(0, len(queries), 1000)]
    return np.concatenate([ids for ids, _ in parts]), np.concatenate([scores for _, scores in parts])


def _best(scores: Vectors, k: int) -> tuple[Ids, Vectors]:
    k = min(k, scores.shape[1])
    chosen = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    found = np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)


def read_real(catalogs: Sequence[Path], fingerprint: str) -> Vectors:
    """Read all vectors of one model in these catalogs, in random order.

    Near duplicates in two collections are taken only from the first: they may have files in common, which says nothing
    about how a single collection grows. Near duplicates inside a collection stay.
    """
    kept = _distinct(catalogs[0], fingerprint)
    for catalog in catalogs[1:]:
        more = _distinct(catalog, fingerprint)
        _, similarity = nearest(more, kept, 1)
        kept = np.concatenate([kept, more[similarity[:, 0] < _NEARLY_THE_SAME]])
    return kept[np.random.default_rng(0).permutation(len(kept))]


def _distinct(catalog: Path, fingerprint: str) -> Vectors:
    with open_catalog(catalog) as connection:
        query = f"SELECT DISTINCT vector FROM vectors WHERE model = {connection.dialect.model}"
        rows = [row[0] for row in connection.execute(query, (fingerprint,))]
        if not rows:
            raise SystemExit(f"No vectors of the model {fingerprint} in {catalog}")
        return unit(decoded(rows, known_models(connection)[fingerprint]))


def open_catalog(catalog: Path) -> CatalogReader:
    """Open for reading only: someone may be writing to it."""
    return open_as_it_is(catalog.absolute())


def write_set(path: Path, blocks: Iterator[Vectors], count: int, about: dict[str, object]) -> None:
    """Write `count` rows of float16, and a description of them beside; completely or not at all."""
    beside = path.with_suffix(".part")
    rows: np.memmap[Any, np.dtype[np.float16]] | None = None
    start = 0
    for block in blocks:
        if rows is None:
            rows = np.lib.format.open_memmap(beside, "w+", np.float16, (count, block.shape[1]))
        stop = min(start + len(block), count)
        rows[start:stop] = block[: stop - start]
        start = stop
    assert rows is not None
    assert start == count
    rows.flush()
    path.with_suffix(".json").write_text(json.dumps(about, indent=1), "utf-8")
    beside.replace(path)
