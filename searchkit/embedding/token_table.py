"""Static vectors of a model's tokens: what a token means by itself, looked up instead of computed.

They are the rows of the checkpoint's token table, about their mean, in the directions in which they differ most: 64 bytes a
token. That is enough to choose among the sentences of a passage, for which a run of the model each would be too slow.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import TensorTable
from searchkit.embedding.embedder import TokenVectors, normalized
from searchkit_indexes import Vectors

STATIC_FILE = "static.npy"
# Of 200 questions, 64 choose the sentence that the model does for .50, 128 for .52, words alone for .47.
_COMPONENTS = 64
_SAMPLE = 30_000  # tokens that the directions are taken from
_ROWS_AT_A_TIME = 16_384


class _Directions(NamedTuple):
    mean: Vectors
    basis: Vectors  # (width, components)

    def codes(self, rows: Vectors) -> npt.NDArray[np.int8]:
        """(n, components) of token vectors; a token that lies at the mean becomes zero."""
        parts = normalized(rows - self.mean) @ self.basis
        largest = np.abs(parts).max(axis=1, keepdims=True)
        return np.round(parts * (127 / np.where(largest == 0, 1, largest))).astype(np.int8)


def write_token_table(table: TensorTable, folder: Path) -> None:
    """Write the static vectors of all tokens into a model folder."""
    count, _ = table.shape
    directions = _directions(table.rows(np.arange(0, count, max(1, count // _SAMPLE))))
    codes = np.lib.format.open_memmap(
        folder / STATIC_FILE, mode="w+", dtype=np.int8, shape=(count, directions.basis.shape[1])
    )
    for start in range(0, count, _ROWS_AT_A_TIME):
        codes[start : start + _ROWS_AT_A_TIME] = directions.codes(
            table.rows(slice(start, min(count, start + _ROWS_AT_A_TIME)))
        )
    codes.flush()


class TokenTable:
    """The static vectors in a model folder, mapped: only those of the tokens that are asked for are read."""

    def __init__(self, folder: Path) -> None:
        self._codes: npt.NDArray[np.int8] = np.load(folder / STATIC_FILE, mmap_mode="r")

    def of(self, ids: list[int]) -> TokenVectors:
        """Of tokens in a text. Their numbers tell how rare they are: vocabularies begin with what is frequent."""
        numbers = np.array(ids, np.int64)
        return TokenVectors(
            normalized(self._codes[numbers].astype(np.float32)), np.log(2.0 + numbers).astype(np.float32)
        )


def _directions(sample: Vectors) -> _Directions:
    """Principal components of the directions of a sample of rows."""
    mean = sample.mean(axis=0)
    units = normalized(sample - mean)
    _, vectors = np.linalg.eigh(units.T @ units)  # by rising eigenvalue
    return _Directions(mean, np.ascontiguousarray(vectors[:, ::-1][:, :_COMPONENTS], np.float32))
