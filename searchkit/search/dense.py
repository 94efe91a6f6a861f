"""Dense candidates: the passages nearest to a query, and how near others are."""

from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit_indexes import CERTAIN_OF, CodedIndex, Ids, Vectors, search_rescored


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's (dimension,) vector, how many passages are wanted, and of how many of the first one has to be certain.

    `allowed_ids`: of vectors, ascending, the only ones looked at unless None.
    """

    vector: Vectors
    limit: int
    certain_of: int = CERTAIN_OF
    allowed_ids: Ids | None = None


def dense_candidates(catalog: CatalogReader, index: CodedIndex, asked: Asked) -> dict[bytes, float]:
    """Cosine by content hash of the nearest passages, best first; vectors the catalog no longer holds are dropped.

    The index chooses the candidates; their order is that of the catalog's whole vectors.
    """
    hashes: dict[int, bytes] = {}

    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        found, found_hashes, full = vectors.fetch_vectors(catalog, ids, len(asked.vector))
        hashes.update(zip(found.tolist(), found_hashes, strict=True))
        return found, full

    nearest = search_rescored(
        index, asked.vector, asked.limit, fetch, certain_of=asked.certain_of, allowed_ids=asked.allowed_ids
    )
    return {hashes[i]: float(score) for i, score in zip(nearest.ids[0].tolist(), nearest.scores[0], strict=True)}


def exact_similarities(
    catalog: CatalogReader, fingerprint: str, hashes: Sequence[bytes], query_vector: Vectors
) -> dict[bytes, float]:
    """Cosine of passages that the lexical arm alone found; those without a vector are left out."""
    stored = vectors.vectors_of_hashes(catalog, fingerprint, hashes)
    return {content_hash: float(vector @ query_vector) for content_hash, vector in stored.items()}
