"""Weights as 8-bit integers: symmetric, round to nearest, one scale a channel."""

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int8]
Scales = npt.NDArray[np.float32]
_LARGEST = 127
_ROWS_AT_A_TIME = 16384


def quantize_columns(weight: npt.NDArray[np.float32]) -> tuple[Codes, Scales]:
    """(in, out) weights as codes of the same shape and (out,) scales: weight ≈ codes · scales."""
    scales = _scales(np.abs(weight).max(axis=0))
    return _codes(weight / scales), scales


def quantize_rows(table: npt.NDArray[Any]) -> tuple[Codes, Scales]:
    """(rows, width) values as codes of the same shape and (rows, 1) scales; a large table in pieces."""
    codes = np.empty(table.shape, np.int8)
    scales = np.empty((table.shape[0], 1), np.float32)
    for start in range(0, table.shape[0], _ROWS_AT_A_TIME):
        piece = slice(start, start + _ROWS_AT_A_TIME)
        rows = np.asarray(table[piece], np.float32)
        scales[piece] = _scales(np.abs(rows).max(axis=1, keepdims=True))
        codes[piece] = _codes(rows / scales[piece])
    return codes, scales


def _scales(largest: npt.NDArray[np.float32]) -> Scales:
    """The step that makes the largest magnitude the largest code; 1 where everything is zero."""
    return np.where(largest == 0, 1, largest / _LARGEST).astype(np.float32)


def _codes(scaled: npt.NDArray[np.float32]) -> Codes:
    return np.clip(np.rint(scaled), -_LARGEST, _LARGEST).astype(np.int8)
