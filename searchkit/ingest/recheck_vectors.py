"""Embeds a few stored passages again: vectors that a damaged model made are found by it, although all their checksums are right."""

from dataclasses import dataclass

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.meta import COVERED, VECTORS_CHECKED, set_meta
from searchkit.embedding.embedder import Embedder, normalized

# The least cosine of a stored vector to one made now: another processor's may be .01 away, and those of a model in which one
# exponent is wrong hardly resemble the true ones.
_SAME = 0.97
_COMPARED = 12  # from the first to the last; a model that was damaged for a while made thousands


@dataclass(frozen=True, slots=True)
class Recheck:
    """The numbers of stored vectors that were compared, and that are not the model's. `above`: the id above which none is believed,
    None if all are.
    """

    compared: int
    different: int
    above: int | None


def recheck_vectors(catalog: CatalogReader, embedder: Embedder) -> Recheck:
    """Compare some vectors of a model, spread over all, with what it makes of their passages now."""
    stored = vectors.sample_vectors(catalog, embedder.info.fingerprint, embedder.info.dimension, _COMPARED)
    if not stored:
        return Recheck(0, 0, None)
    made = embedder.embed_documents([each.passage for each in stored])
    cosines = (made * normalized(np.stack([each.vector for each in stored]))).sum(axis=1)
    is_same = cosines >= _SAME  # false for what is no number
    if is_same.all():
        return Recheck(len(stored), 0, None)
    first = int(np.argmin(is_same))
    return Recheck(len(stored), int((~is_same).sum()), stored[first - 1].vector_id if first else 0)


def remove_unbelievable(catalog: CatalogWriter, embedder: Embedder, state: str) -> int:
    """Remove vectors that the model did not make when it was sound; return how many. The run that has begun makes them again.

    `state`: of the model's files (see embedding/model_folder.py). While it stays the same, nothing is compared again.
    """
    known = catalog.meta(VECTORS_CHECKED)
    if known == state or (known and catalog.database.is_remote):  # there each machine has files of its own
        return 0
    found = recheck_vectors(catalog, embedder)
    with catalog.transaction():
        removed = 0
        if found.above is not None:
            removed = vectors.remove_vectors(catalog, embedder.info.fingerprint, above=found.above)
            set_meta(catalog, COVERED, "")
        set_meta(catalog, VECTORS_CHECKED, state)
    return removed
