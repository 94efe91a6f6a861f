"""Provisional vectors: guesses at a model's vectors of passages, made from their tokens without running the model.

A guess is the sum of a passage's token vectors, scaled to unit length. The vector of a token is its row of the checkpoint's token
table, centred and of unit length, mapped into the model's space by a ridge regression and weighted by the token's rarity. Maps of
the known families come along; each model corrects its own on the judged set, and each collection on its own passages.
`benchmarks/provisional_map.py` learns a map, `benchmarks/early_ranking.py` measures the guesses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import normalized, prefix
from searchkit.embedding.model_folder import CORRECTION_FILE, PROVISIONAL_FILE
from searchkit.types import Passage
from searchkit_indexes import Vectors

if TYPE_CHECKING:
    from searchkit.embedding.graph.weights import Table

DIMENSION = 256  # 128 find less: of the ranking with everything embedded 97.5 % instead of 98.2
_MAPS = Path(__file__).parent / "provisional_maps"
_CENTRE_STEP = 9  # every ninth row makes the centre
_ROWS_AT_A_TIME = 16_384
_RIDGE = 1.0
_FOLDS = 4
INPUT_SCALE = 10.0  # by which unit rows are multiplied before they are mapped, so that the offset is regularized less
_IDF_STEP = 20.0
Tokenize = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class GeneralMap:
    """The map of a family of checkpoints. `weights`: (width + 1, DIMENSION), the last row an offset; `idf`: (vocabulary,)."""

    weights: Vectors
    idf: Vectors

    def save(self, family: str, table: "Table") -> Path:
        """Write the map for checkpoints with token tables like this one; returns the file."""
        codes = np.clip(np.round(self.idf * _IDF_STEP), 0, 255).astype(np.uint8)
        file = _map_file(family, table)
        file.parent.mkdir(exist_ok=True)
        np.savez_compressed(file, weights=self.weights.astype(np.float16), idf=codes)
        return file

    def of(self, numbers: npt.NDArray[np.int64], rows: Vectors) -> Vectors:
        """The (n, DIMENSION) vectors of the tokens with these numbers and centred (n, width) unit rows."""
        mapped: Vectors = INPUT_SCALE * rows @ self.weights[:-1] + self.weights[-1]
        return mapped * self.idf[numbers, None]


def general_map(family: str, table: "Table") -> GeneralMap:
    """Find the map for a family and table; for others, the table's principal components, weighted by the tokens' numbers.

    Frequent tokens come first in vocabularies.
    """
    if (file := _map_file(family, table)).is_file():
        with np.load(file, allow_pickle=False) as stored:
            return GeneralMap(stored["weights"].astype(np.float32), stored["idf"].astype(np.float32) / _IDF_STEP)
    count, width = table.shape
    sample = centred(table, np.arange(0, count, _CENTRE_STEP))
    _, directions = np.linalg.eigh(sample.T @ sample)  # by ascending eigenvalue
    kept = directions[:, ::-1][:, : min(DIMENSION, width)]
    weights = np.concatenate([kept, np.zeros((1, kept.shape[1]))]).astype(np.float32)
    return GeneralMap(weights, np.log(2.0 + np.arange(count)).astype(np.float32))


def centred(table: "Table", numbers: npt.NDArray[np.int64]) -> Vectors:
    """Rows of a table, (n, width), centred and of unit length."""
    return normalized(table.rows(numbers) - _centre(table))


def write_token_vectors(table: "Table", family: str, folder: Path) -> None:
    """Write the vectors of all tokens into a model folder: (vocabulary, dimension + 2) bytes, codes and the scale of the row."""
    mapping, centre = general_map(family, table), _centre(table)
    count, dimension = table.shape[0], mapping.weights.shape[1]
    stored = np.lib.format.open_memmap(
        folder / PROVISIONAL_FILE, mode="w+", dtype=np.uint8, shape=(count, dimension + 2)
    )
    for start in range(0, count, _ROWS_AT_A_TIME):
        numbers = np.arange(start, min(count, start + _ROWS_AT_A_TIME))
        vectors = mapping.of(numbers, normalized(table.rows(numbers) - centre))
        scales = (np.abs(vectors).max(axis=1, keepdims=True) / 127 + 1e-7).astype(np.float16)
        codes = np.clip(np.round(vectors / scales.astype(np.float32)), -127, 127).astype(np.int8)
        stored[numbers] = np.concatenate([codes.view(np.uint8), scales.view(np.uint8)], axis=1)
    stored.flush()


class ProvisionalVectors:
    """Guesses the vectors of passages. `tokenize`: the ids of many bare texts, without special tokens."""

    def __init__(self, folder: Path, tokenize: Tokenize) -> None:
        self._tokens: npt.NDArray[np.uint8] = np.load(folder / PROVISIONAL_FILE, mmap_mode="r", allow_pickle=False)
        self._folder = folder
        self._tokenize = tokenize

    @property
    def dimension(self) -> int:
        """The number of components: the first ones of the model's vectors."""
        return int(self._tokens.shape[1]) - 2

    def of(self, passages: Sequence[Passage], correction: Vectors | None = None) -> Vectors:
        """Guess the vectors of passages: (n, dimension), unit length. `correction`: instead of the model's own.

        A passage without a token has a vector of zeros.
        """
        return corrected(self.uncorrected(passages), self._own_correction if correction is None else correction)

    def uncorrected(self, passages: Sequence[Passage]) -> Vectors:
        """The same before the correction, from which corrections are learned."""
        sums = np.zeros((len(passages), self.dimension), np.float32)
        for row, ids in enumerate(self._tokenize([f"{passage.title}\n{passage.text}" for passage in passages])):
            if ids:
                stored = self._tokens[np.array(ids, np.int64)]
                scales = np.ascontiguousarray(stored[:, -2:]).view(np.float16)[:, 0].astype(np.float32)
                sums[row] = scales @ stored[:, :-2].view(np.int8).astype(np.float32)
        return normalized(sums)

    @cached_property
    def _own_correction(self) -> Vectors:
        correction: Vectors = np.load(self._folder / CORRECTION_FILE, allow_pickle=False)
        return correction


def corrected(vectors: Vectors, correction: Vectors) -> Vectors:
    """Apply a (dimension + 1, dimension) correction to (n, dimension) unit vectors; the last row is an offset."""
    shifted = vectors + vectors @ correction[:-1] + correction[-1]
    return normalized(np.where(vectors.any(axis=1, keepdims=True), shifted, 0))


def learn_correction(guesses: Vectors, true: Vectors) -> Vectors:
    """Learn a correction from n uncorrected guesses and the model's (n, at least dimension) vectors, by ridge regression."""
    wanted = prefix(true, guesses.shape[1])
    inputs = np.concatenate([guesses, np.ones((len(guesses), 1), np.float32)], axis=1).astype(np.float64)
    gram = inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1])
    learned: Vectors = np.linalg.solve(gram, inputs.T @ (wanted - guesses)).astype(np.float32)
    return learned


def fitted_correction(guesses: Vectors, true: Vectors) -> tuple[Vectors, Vectors]:
    """Learn a correction, unless it makes guesses of passages that it has not seen worse: then it is zeros.

    Returns the correction, and the guesses as they are for passages that the correction was not learned from.
    """
    folds = np.arange(len(guesses)) % _FOLDS
    held_out = np.empty_like(guesses)
    for fold in range(_FOLDS):
        correction = learn_correction(guesses[folds != fold], true[folds != fold])
        held_out[folds == fold] = corrected(guesses[folds == fold], correction)
    wanted = prefix(true, guesses.shape[1])
    if float((held_out * wanted).sum()) <= float((guesses * wanted).sum()):
        return np.zeros((guesses.shape[1] + 1, guesses.shape[1]), np.float32), guesses
    return learn_correction(guesses, true), held_out


def _map_file(family: str, table: "Table") -> Path:
    count, width = table.shape
    return _MAPS / f"{family}-{width}-{count}.npz"


def _centre(table: "Table") -> Vectors:
    centre: Vectors = table.rows(np.arange(0, table.shape[0], _CENTRE_STEP)).mean(axis=0)
    return centre
