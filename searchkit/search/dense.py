"""The dense arm: the passages nearest to a query or to another passage, and how near others are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.provisional import (
    Version,
    dimension_of,
    fetch_provisional,
    provisional_batches,
    provisional_of_hashes,
    version_of,
)
from searchkit.catalog.stored_documents import PassageLines, lines_of_passages
from searchkit.catalog.vectors import vectors_of_hashes
from searchkit.embedding.embedder import normalized
from searchkit.errors import UsageError
from searchkit.home import CollectionFolder
from searchkit.index_store import open_guess_index
from searchkit_indexes import EXACT_TOP_K, Ids, SearchableIndex, Vectors, search_rescored

_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class DenseQuery:
    """A query's (dimension,) vector, the number of passages wanted, and how many of the first ones must be exact.

    `allowed_ids`: ids of vectors, ascending, to which the search is limited; None for all.
    """

    vector: Vectors
    limit: int
    exact_top_k: int = EXACT_TOP_K
    allowed_ids: Ids | None = None


def dense_candidates(catalog: CatalogReader, index: SearchableIndex, asked: DenseQuery) -> dict[bytes, float]:
    """Find the nearest passages: cosine by content hash, best first. Vectors that the catalog no longer has are dropped.

    The index chooses the candidates; the catalog's full vectors decide their order.
    """
    hashes: dict[int, bytes] = {}

    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        found, found_hashes, full = vectors.fetch_vectors(catalog, ids, len(asked.vector))
        hashes.update(zip(found.tolist(), found_hashes, strict=True))
        return found, full

    nearest = search_rescored(
        index, asked.vector, asked.limit, fetch, exact_top_k=asked.exact_top_k, allowed_ids=asked.allowed_ids
    )
    return {hashes[i]: float(score) for i, score in zip(nearest.ids[0].tolist(), nearest.scores[0], strict=True)}


class ProvisionalIndex:
    """The provisional vectors of one version: those that were added since the last search are read at the next."""

    def __init__(self, folder: CollectionFolder, catalog: CatalogReader, version: Version) -> None:
        self.version = version
        self._dimension = dimension_of(catalog)
        opened = open_guess_index(folder, catalog, version)
        self._index, self._last = opened.index, opened.last_id

    def guesses(self, catalog: CatalogReader, asked: DenseQuery, others: Sequence[bytes]) -> dict[bytes, float]:
        """Guess how near passages that the model has not read are to a query, by content hash: the nearest ones, and `others`.

        From 0 to 1: the nearest one counts as 1, the last of those that were asked for as 0.
        """
        query = normalized(asked.vector[None, : self._dimension])[0]
        nearest = self._nearest(catalog, query, asked)
        stored = provisional_of_hashes(
            catalog, [key for key in dict.fromkeys(others) if key not in nearest], self._dimension
        )
        cosines = {**nearest, **{key: float(each @ query) for key, each in stored.items()}}
        low, high = min(nearest.values(), default=0.0), max(nearest.values(), default=0.0)
        return {key: max(0.0, (cosine - low) / max(high - low, _NOTHING)) for key, cosine in cosines.items()}

    def _nearest(self, catalog: CatalogReader, query: Vectors, asked: DenseQuery) -> dict[bytes, float]:
        """Find the passages with the nearest provisional vectors: cosine by content hash, best first."""
        for ids, added in self._new(catalog):
            self._index.add(ids, added)
        hashes: dict[int, bytes] = {}

        def fetch(ids: Ids) -> tuple[Ids, Vectors]:
            found, found_hashes, full = fetch_provisional(catalog, ids, self._dimension)
            hashes.update(zip(found.tolist(), found_hashes, strict=True))
            return found, full

        nearest = search_rescored(self._index, query, asked.limit, fetch, allowed_ids=asked.allowed_ids)
        return {hashes[i]: float(score) for i, score in zip(nearest.ids[0].tolist(), nearest.scores[0], strict=True)}

    def _new(self, catalog: CatalogReader) -> Iterator[tuple[Ids, Vectors]]:
        """Read those that were added since the last time."""
        for ids, batch in provisional_batches(catalog, self._dimension, above=self._last):
            self._last = int(ids[-1])
            yield ids, batch


def provisional_index(
    folder: CollectionFolder, catalog: CatalogReader, fingerprint: str, opened: ProvisionalIndex | None
) -> ProvisionalIndex | None:
    """Open the provisional vectors of a collection for a model; `opened`, if it is still of the same version. None without any."""
    version = version_of(catalog)
    if version is None or version.fingerprint != fingerprint:
        return None
    if opened is not None and opened.version == version:
        return opened
    return ProvisionalIndex(folder, catalog, version) if dimension_of(catalog) else None


def exact_similarities(
    catalog: CatalogReader, fingerprint: str, hashes: Sequence[bytes], query_vector: Vectors
) -> dict[bytes, float]:
    """Compute the cosines of passages that only the lexical arm found; those without a vector are left out."""
    stored = vectors.vectors_of_hashes(catalog, fingerprint, hashes, len(query_vector))
    return {content_hash: float(vector @ query_vector) for content_hash, vector in stored.items()}


def vector_of_document(catalog: CatalogReader, fingerprint: str, document_id: int, line: int | None) -> Vectors | None:
    """The vector of the passage at a line, or the mean of all passages if `line` is None: (dimension,) float32, unit length.

    In formats with pages and no lines, `line` is the page. None if the model has not embedded it yet. Raises UsageError
    if the document has neither lines nor pages, or ends before that.
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
    """The passage that contains a line, the smallest of several; for a line between passages, such as a heading, the next one."""
    placed = [(each.first, each.last or each.first, each.content_hash) for each in passages if each.first is not None]
    if not placed:
        raise UsageError("The file has neither lines nor pages in the index.", remedy="Leave the number off.")
    last = max(end for _, end, _ in placed)
    if not 1 <= line <= last:
        raise UsageError(f"The file's last indexed line or page is {last}, not {line}.")
    holding = [(end - start, -start, content_hash) for start, end, content_hash in placed if start <= line <= end]
    if holding:
        return min(holding)[2]
    return min((start, end, content_hash) for start, end, content_hash in placed if start > line)[2]
