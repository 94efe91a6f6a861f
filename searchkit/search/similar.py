"""The vector of a file, or of the passage at one of its lines, from those that the catalog holds."""

from collections.abc import Sequence

import numpy as np

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.stored_documents import PassageLines, lines_of_passages
from searchkit.catalog.vectors import vectors_of_hashes
from searchkit.embedding.embedder import normalized
from searchkit.errors import UsageError
from searchkit_indexes import Vectors


def vector_of_document(catalog: CatalogReader, fingerprint: str, document_id: int, line: int | None) -> Vectors | None:
    """(dimension,) float32, unit length: of the passage at a line, or the mean of all passages if that is None.

    In formats with pages and no lines, `line` is the page. None if the model has not embedded it yet. Raises UsageError
    if the document has neither lines nor pages, or none so far down.
    """
    passages = lines_of_passages(catalog, document_id)
    hashes = [passage.content_hash for passage in passages] if line is None else [_at(passages, line)]
    stored = vectors_of_hashes(catalog, fingerprint, list(dict.fromkeys(hashes)))
    if not stored:
        return None
    vectors: Vectors = np.stack(list(stored.values()))
    mean: Vectors = normalized(vectors.mean(axis=0, keepdims=True))[0]
    return mean


def _at(passages: Sequence[PassageLines], line: int) -> bytes:
    """The passage that holds a line, the smallest of several; for a line between passages, such as a heading, the next."""
    placed = [(each.first, each.last or each.first, each.content_hash) for each in passages if each.first is not None]
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
