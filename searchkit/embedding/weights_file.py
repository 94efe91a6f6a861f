"""Reads tensors from a safetensors file: a header in JSON with their types, shapes and places, and the bytes behind it.

https://huggingface.co/docs/safetensors describes the format. Nothing in such a file is executed, and what the header says
is checked before it is believed.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_LENGTH_BYTES = 8  # of the header's length, in front of it
_LONGEST_HEADER = 100_000_000
_METADATA = "__metadata__"
_BFLOAT16 = "BF16"  # which NumPy does not have: the upper half of a float32
_STORED_AS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}

Floats = npt.NDArray[np.float32]


class DamagedWeightsError(ValueError):
    """The file is not what its header says, or has none."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a file: its type by the format's name for it, its shape, and the offset of its bytes in the file."""

    kind: str
    shape: tuple[int, ...]
    offset: int


def read_header(file: Path) -> dict[str, Tensor]:
    """List the tensors of a file by name. Raises DamagedWeightsError."""
    size_bytes = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        start = _LENGTH_BYTES + length
        if not 0 < length <= _LONGEST_HEADER or start > size_bytes:
            raise DamagedWeightsError("its header is not all there")
        content = opened.read(length)
    try:
        entries = json.loads(content)
        places = {name: _place(entry) for name, entry in entries.items() if name != _METADATA}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedWeightsError("its header is not readable") from error
    end = 0
    for name, (kind, shape, begin, stop) in sorted(places.items(), key=lambda item: item[1][2:]):
        item_bytes = np.dtype(_STORED_AS[kind]).itemsize if kind in _STORED_AS else None
        if begin != end or (item_bytes is not None and stop - begin != item_bytes * math.prod(shape)):
            raise DamagedWeightsError(f"the place of {name} does not fit")
        end = stop
    if start + end != size_bytes:
        raise DamagedWeightsError(f"it has {size_bytes:,} bytes in place of {start + end:,}")
    return {name: Tensor(kind, shape, start + begin) for name, (kind, shape, begin, _) in places.items()}


def read_floats(file: Path, tensor: Tensor, wanted: slice | npt.NDArray[np.int64] | None = None) -> Floats:
    """Read a tensor, or some of its rows (a slice, or those with the given numbers), as float32.

    Raises DamagedWeightsError for a type of number that is not known.
    """
    if tensor.kind not in _STORED_AS:
        raise DamagedWeightsError(f"numbers of the type {tensor.kind} cannot be read")
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, np.float32)[slice(None) if wanted is None else wanted]
    stored: npt.NDArray[Any] = np.memmap(file, _STORED_AS[tensor.kind], "r", tensor.offset, tensor.shape or (1,))
    part = np.array(stored.reshape(tensor.shape) if wanted is None else stored[wanted])
    if tensor.kind == _BFLOAT16:
        return (part.astype(np.uint32) << 16).view(np.float32)
    return part.astype(np.float32, copy=False)


def _place(entry: dict[str, Any]) -> tuple[str, tuple[int, ...], int, int]:
    """Read an entry of the header. Raises ValueError, TypeError, KeyError or AttributeError if it is none."""
    begin, stop = entry["data_offsets"]
    numbers = (*entry["shape"], begin, stop)
    if not isinstance(entry["dtype"], str) or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("not a place of a tensor")
    if begin > stop:
        raise ValueError("a tensor ends before it begins")
    return entry["dtype"], tuple(entry["shape"]), begin, stop
