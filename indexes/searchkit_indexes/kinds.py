"""Maps specs to implementations. FAISS and hnswlib are imported only when needed."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from searchkit_indexes.base import Codes, IndexSpec, Structure, Vectors
from searchkit_indexes.flat import FloatCodes

DEFAULT_EFFORT = {Structure.IVF: 64, Structure.HNSW: 128, Structure.HNSWLIB: 128}  # nprobe, efSearch, efSearch


class StructureMissingError(Exception):
    """The library of a structure is not installed."""


@dataclass(frozen=True, slots=True)
class CodeBuilder:
    """Accepts vectors in batches with `add`; `finish` returns the codes of all of them, in order."""

    add: Callable[[Vectors], None]
    finish: Callable[[], Codes]


def code_builder(
    spec: IndexSpec, sample: Vectors, expected: int, effort: int, centroids: Vectors | None = None
) -> CodeBuilder:
    """Create a builder for about `expected` vectors, trained on `sample`; `centroids` replace clustering.

    Raises StructureMissingError if a library is not installed.
    """
    if spec.structure is Structure.HNSWLIB or spec.is_uncoded:
        batches: list[Vectors] = []
        return CodeBuilder(batches.append, lambda: _codes_of_all(spec, batches, effort))
    from searchkit_indexes.faiss_codes import FaissCodes, faiss_builder

    add, index = faiss_builder(spec, sample, expected, centroids)
    return CodeBuilder(add, lambda: FaissCodes(index, spec, effort))


def load_codes(folder: Path, spec: IndexSpec, effort: int) -> Codes:
    """Load codes written by `save` with the same spec. Raises IndexDamagedError, StructureMissingError."""
    if spec.is_uncoded:
        return FloatCodes.load(folder, spec.dimension)
    if spec.structure is Structure.HNSWLIB:
        codes: Codes = _hnswlib_codes().load(folder, spec, effort)
        return codes
    from searchkit_indexes.faiss_codes import FaissCodes

    return FaissCodes.load(folder, spec, effort)


def is_installed(structure: Structure) -> bool:
    """Return whether the library of a structure is installed."""
    return structure is not Structure.HNSWLIB or find_spec("hnswlib") is not None


def _codes_of_all(spec: IndexSpec, batches: list[Vectors], effort: int) -> Codes:
    vectors = np.concatenate([np.empty((0, spec.dimension), np.float32), *batches])
    if spec.structure is Structure.FLAT:
        return FloatCodes(vectors)
    codes: Codes = _hnswlib_codes().of(vectors, spec, effort)
    return codes


def _hnswlib_codes() -> Any:
    try:
        from searchkit_indexes.hnswlib_codes import HnswlibCodes
    except ImportError as error:
        raise StructureMissingError("the package hnswlib is not installed") from error
    return HnswlibCodes
