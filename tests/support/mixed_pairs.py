"""Made vectors of two sources of pairs: each agrees in one third of the components, both are loud in the last third.

Run as a program it searches mixtures of them in a folder: `python -m tests.support.mixed_pairs FOLDER TRIALS`.
"""

import sys
from pathlib import Path

import numpy as np

from searchkit.embedding.embedder import normalized
from searchkit.train.adapter.training_data import TrainingData
from searchkit.train.likelihoods import KnownItems
from searchkit.train.mixtures.blends import Validation
from searchkit.train.mixtures.search import TrialFolder, search_mixtures
from searchkit.train.mixtures.sources import Ingredients
from searchkit.train.pairs.pair import PairCounts, Split
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors
from searchkit_indexes import Code, IndexSpec, Structure

DIMENSION = 12
_THIRD = DIMENSION // 3


def mixed(count: int, seed: int, source: int | None = None) -> PairVectors:
    """Pairs that agree in the first third, and in the second for source 0; elsewhere they say nothing. None: in both thirds."""
    rng = np.random.default_rng((seed, 9 if source is None else source))
    meant = rng.standard_normal((count, _THIRD))
    own = rng.standard_normal((count, _THIRD))
    sides = []
    for _ in range(2):
        loud = 1.5 * rng.standard_normal((count, 2 * _THIRD))
        parts = [meant + 0.3 * rng.standard_normal(meant.shape), loud[:, :_THIRD], loud[:, _THIRD:]]
        if source == 0:
            parts[1] = own
        sides.append(normalized(np.concatenate(parts, 1).astype(np.float32)))
    numbers = np.arange(count)
    queries, passages = sides
    return PairVectors(queries, passages, numbers, numbers, np.full(count, -1), np.zeros_like(queries))


def ingredients_of() -> Ingredients:
    """Two sources, of 100 and 50 training pairs, numbered one after the other."""
    first, second = mixed(100, 0, 0), mixed(50, 0, 1)
    numbers = np.arange(150)
    training = PairVectors(
        np.concatenate([first.queries, second.queries]),
        np.concatenate([first.passages, second.passages]),
        numbers,
        numbers,
        np.full(150, -1),
        np.zeros((150, DIMENSION), np.float32),
    )
    source_of = {Split.TRAIN: np.repeat([0, 1], [100, 50])}
    corpus = CorpusVectors(tuple(bytes([n]) for n in range(100)), mixed(100, 5).passages)
    counts = PairCounts({}, {}, 0, 0, {})
    spec = IndexSpec(Structure.FLAT, Code.FLOAT32, DIMENSION)
    data = TrainingData(counts, (), {Split.TRAIN: training}, corpus, None, (), 0, spec)
    return Ingredients(data, ("first", "second"), source_of, "these pairs")


def items_of(seed: int) -> KnownItems:
    """Pairs like those of the second source, each to be found among all."""
    pairs = mixed(80, seed)
    return KnownItems(pairs.queries, pairs.passages, np.arange(len(pairs)), pairs.passages)


def validation_of() -> Validation:
    """What chooses among the matrices."""
    return Validation(items_of(1), (DIMENSION, DIMENSION // 2))


if __name__ == "__main__":
    made = ingredients_of()
    kept = TrialFolder(Path(sys.argv[1]), made.identity)
    search_mixtures(made, validation_of(), kept, int(sys.argv[2]), (DIMENSION, DIMENSION // 2))
