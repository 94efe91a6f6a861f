"""The vector of a file, or of the passage at one of its lines, from those that the catalog holds."""

from pathlib import Path

import numpy as np

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.vectors import vectors_of_hashes
from searchkit.embedding.embedder import normalized
from searchkit.errors import UsageError
from searchkit.files import path_to_text
from searchkit_indexes import Vectors


def documents_at(catalog: CatalogReader, path: Path) -> list[int]:
    """Ids of the indexed documents at an absolute path; more than one where a root lies inside another."""
    found = []
    for root in roots.all_roots(catalog):
        if path.is_relative_to(root.path):
            rows = catalog.execute(
                "SELECT id FROM documents WHERE root_id = ? AND path = ? AND chunk_count > 0",
                (root.id, path_to_text(path.relative_to(root.path))),
            )
            found += [int(row[0]) for row in rows]
    return found


def vector_of_document(catalog: CatalogReader, fingerprint: str, document_id: int, line: int | None) -> Vectors | None:
    """(dimension,) float32, unit length: of the passage at a line, or the mean of all passages if that is None.

    In formats with pages and no lines, `line` is the page. None if the model has not embedded it yet. Raises UsageError
    if the document has neither lines nor pages, or none so far down.
    """
    rows = catalog.execute(
        "SELECT content_hash, coalesce(line, page), coalesce(line_end, line, page) FROM chunks WHERE document_id = ?"
        " ORDER BY ordinal",
        (document_id,),
    ).fetchall()
    hashes = [row[0] for row in rows] if line is None else [_at(rows, line)]
    stored = vectors_of_hashes(catalog, fingerprint, list(dict.fromkeys(hashes)))
    if not stored:
        return None
    vectors: Vectors = np.stack(list(stored.values()))
    mean: Vectors = normalized(vectors.mean(axis=0, keepdims=True))[0]
    return mean


def _at(rows: list[tuple[bytes, int | None, int | None]], line: int) -> bytes:
    """The passage that holds a line, the smallest of several; for a line between passages, such as a heading, the next."""
    placed = [(start, end or start, content_hash) for content_hash, start, end in rows if start is not None]
    if not placed:
        raise UsageError(
            "The file has neither lines nor pages in the index. Leave the number off: searchkit similar PATH"
        )
    last = max(end for _, end, _ in placed)
    if not 1 <= line <= last:
        raise UsageError(f"The file's last indexed line or page is {last}, not {line}.")
    holding = [(end - start, -start, content_hash) for start, end, content_hash in placed if start <= line <= end]
    if holding:
        return min(holding)[2]
    return min((start, end, content_hash) for start, end, content_hash in placed if start > line)[2]
