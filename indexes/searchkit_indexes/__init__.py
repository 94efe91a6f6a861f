"""Vectors in, neighbours out. Knows ids and vectors, no text."""

from searchkit_indexes.base import Neighbours, VectorIndex
from searchkit_indexes.flat import FlatIndex
from searchkit_indexes.manifest import (
    IndexDamagedError,
    Manifest,
    checksum,
    read_manifest,
    verify_files,
    write_manifest,
)

__all__ = [
    "FlatIndex",
    "IndexDamagedError",
    "Manifest",
    "Neighbours",
    "VectorIndex",
    "checksum",
    "read_manifest",
    "verify_files",
    "write_manifest",
]
