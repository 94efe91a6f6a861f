"""Vector indexes: nearest neighbours of vectors under ids. Knows nothing about text."""

from searchkit_indexes.base import (
    ALL_KINDS,
    Code,
    Ids,
    IndexSpec,
    Neighbours,
    SearchableIndex,
    Structure,
    VectorIndex,
    Vectors,
)
from searchkit_indexes.coded_index import CodedIndex, build_index
from searchkit_indexes.flat import ByteCodes
from searchkit_indexes.kinds import DEFAULT_EFFORT, StructureMissingError, is_installed
from searchkit_indexes.manifest import (
    IndexDamagedError,
    Manifest,
    checksum,
    read_manifest,
    verify_files,
    write_manifest,
)
from searchkit_indexes.rescoring import EXACT_TOP_K, FetchVectors, search_rescored

__all__ = [
    "ALL_KINDS",
    "EXACT_TOP_K",
    "ByteCodes",
    "Code",
    "CodedIndex",
    "DEFAULT_EFFORT",
    "FetchVectors",
    "Ids",
    "IndexDamagedError",
    "IndexSpec",
    "Manifest",
    "Neighbours",
    "SearchableIndex",
    "Structure",
    "StructureMissingError",
    "VectorIndex",
    "Vectors",
    "build_index",
    "checksum",
    "is_installed",
    "read_manifest",
    "search_rescored",
    "verify_files",
    "write_manifest",
]
