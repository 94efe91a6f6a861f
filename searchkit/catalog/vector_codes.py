"""The forms in which a catalog keeps unit vectors: 8 bits a component as a rule, halves where that is wished, or 4 bits.

A form is known by its length, so that a collection may have several. Halves are 2 bytes a component. The others are codes, which
say a direction: the vector is that of length 1, so that codes are the same however often they are read and written.

- 8 bits: whole numbers from -127 to 127, the largest component being one of these.
- 4 bits: 16 levels in steps of 1 from -7.5 to 7.5, two components a byte: the low bits are the first half of the vector, the high
  bits the second. Of several ranges the one is taken that loses least: components beyond it are cut.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from searchkit.types import Storage
from searchkit_indexes import Vectors

_SIGN_EXPONENT_FRACTION = np.int32(-0x70002000)  # 0x8fffe000
_BETWEEN_BIASES = np.float32(2.0**112)
_LARGEST_CODE = 127.0
_LARGEST_LEVEL = 7.5
_RANGES = np.linspace(0.4, 1.0, 13, dtype=np.float32)  # of the largest component; most vectors lose least at .6 to .8
_SMALLEST = np.float32(1e-30)

Bytes = npt.NDArray[np.uint8]


def bytes_of(storage: Storage, dimension: int) -> int:
    """The length of a stored vector."""
    return {Storage.EXACT: 2 * dimension, Storage.STANDARD: dimension, Storage.COMPACT: (dimension + 1) // 2}[storage]


def encoded(vectors: Vectors, storage: Storage) -> list[bytes]:
    """Encode (n, dimension) vectors of length 1. As codes, what is no number is 0."""
    if storage is Storage.EXACT:
        return [row.tobytes() for row in vectors.astype(np.float16)]
    vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
    if storage is Storage.STANDARD:
        return [row.tobytes() for row in _whole_numbers(vectors).astype(np.int8)]
    return [row.tobytes() for row in _in_pairs(_levels(vectors))]


def decoded(stored: Sequence[bytes], dimension: int) -> Vectors:
    """Decode vectors of any forms: (n, dimension) float32. Raises ValueError if one has the length of no form."""
    lengths = {len(each) for each in stored}
    if not stored:
        return np.empty((0, dimension), np.float32)
    if len(lengths) == 1:
        return _of_one_form(stored, dimension)
    vectors = np.empty((len(stored), dimension), np.float32)
    sizes = np.array([len(each) for each in stored])
    for length in lengths:
        rows = np.flatnonzero(sizes == length).tolist()
        vectors[rows] = _of_one_form([stored[row] for row in rows], dimension)
    return vectors


def as_stored(vectors: Vectors, storage: Storage) -> Vectors:
    """Round vectors as storing them does, so that a passage ranks the same before and after."""
    return decoded(encoded(vectors, storage), vectors.shape[1])


def widened(halves: npt.NDArray[np.float16]) -> Vectors:
    """Finite half-precision numbers as float32, exactly; NumPy's own conversion takes ten times as long.

    The bits of a half, moved to where a float has its own and the sign kept, are the number times 2**-112: the exponents'
    biases differ by so much. The product is exact for subnormal halves too.
    """
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_EXPONENT_FRACTION
    floats: Vectors = bits.view(np.float32)
    floats *= _BETWEEN_BIASES
    return floats


def _of_one_form(stored: Sequence[bytes], dimension: int) -> Vectors:
    length = len(stored[0])
    codes = np.frombuffer(b"".join(stored), np.uint8).reshape(len(stored), length)
    if length == bytes_of(Storage.EXACT, dimension):
        return widened(codes.view(np.float16))
    if length == bytes_of(Storage.STANDARD, dimension):
        vectors: Vectors = codes.view(np.int8).astype(np.float32)
    elif length == bytes_of(Storage.COMPACT, dimension):
        vectors = _from_pairs(codes, dimension)
    else:
        raise ValueError(f"no vector of {dimension} dimensions takes {length} bytes")
    vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), _SMALLEST)[:, None]
    return vectors


def _whole_numbers(vectors: Vectors) -> Vectors:
    steps = np.abs(vectors).max(axis=1, keepdims=True, initial=0) / _LARGEST_CODE
    whole: Vectors = np.rint(vectors / np.maximum(steps, _SMALLEST))
    return whole


def _levels(vectors: Vectors) -> Vectors:
    """The levels, (n, dimension), of the range at which each vector's direction changes least."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    best, best_cosines = np.empty_like(vectors), np.full(len(vectors), -np.inf, np.float32)
    for share in _RANGES:
        step = np.maximum(largest * (share / np.float32(_LARGEST_LEVEL)), _SMALLEST)
        levels = np.clip(np.floor(vectors / step) + np.float32(0.5), -_LARGEST_LEVEL, _LARGEST_LEVEL)
        cosines = (vectors * levels).sum(axis=1) / np.linalg.norm(levels, axis=1)
        better = cosines > best_cosines
        best[better], best_cosines[better] = levels[better], cosines[better]
    return best


def _in_pairs(levels: Vectors) -> Bytes:
    codes: Bytes = (levels + np.float32(_LARGEST_LEVEL)).astype(np.uint8)
    half = (codes.shape[1] + 1) // 2
    pairs = codes[:, :half].copy()
    pairs[:, : codes.shape[1] - half] |= codes[:, half:] << 4
    return pairs


def _from_pairs(pairs: Bytes, dimension: int) -> Vectors:
    half = pairs.shape[1]
    levels = np.empty((len(pairs), dimension), np.float32)
    levels[:, :half] = pairs & 15
    levels[:, half:] = pairs[:, : dimension - half] >> 4
    levels -= np.float32(_LARGEST_LEVEL)
    return levels
