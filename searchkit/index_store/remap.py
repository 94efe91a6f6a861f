"""Switches a collection between a model and those adapted from it: by a matrix product instead of embedding everything again.

The root model's vectors stay in the catalog while an adapted model is in use, so that switching back restores them exactly.
Passages embedded meanwhile by the adapted model alone are converted with the inverse matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.meta import COVERED, MODEL, set_meta
from searchkit.catalog.passages import count_passages
from searchkit.embedding.adapted_model import mapped
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.store import ModelStore
from searchkit.home import CollectionFolder
from searchkit.index_store import PreviousModel, refresh_index
from searchkit.index_store.build import synthetic_query_texts
from searchkit_indexes import Vectors


@dataclass(frozen=True, slots=True)
class Switched:
    """The result of a switch. `missing`: passages without a vector. `previous`: the model before, if of the same family."""

    missing: int
    previous: PreviousModel | None


def switch_model(catalog: CatalogWriter, models: ModelStore, name: str) -> Switched:
    """Assign a model to a collection and convert vectors as far as possible without embedding, in one transaction.

    Among the adapted models of a family, only the current one keeps its vectors.
    """
    new, old = models.card(name), models.card(catalog.meta(MODEL) or "")
    previous = None
    with catalog.transaction():
        set_meta(catalog, MODEL, name)
        if new is None:  # the small model's package, not converted yet, so it has no vectors
            set_meta(catalog, COVERED, "")
            return Switched(count_passages(catalog, "")[0], None)
        if old is None or old.fingerprint != new.fingerprint:
            previous = _previous_model(models, old, new)
            _map(catalog, models, previous, new)
        passages, covered = count_passages(catalog, new.fingerprint)
        set_meta(catalog, COVERED, new.fingerprint if passages == covered else "")
    return Switched(passages - covered, previous)


def renew_index(
    folder: CollectionFolder, catalog: CatalogWriter, embedder: Embedder, previous: PreviousModel | None
) -> None:
    """Rebuild the index, and measure it with a quarter of the usual queries, which would take half of the time."""
    texts = synthetic_query_texts(catalog)[::4]
    refresh_index(folder, catalog, embedder, queries=embedder.embed_queries(texts), previous=previous)


def _previous_model(models: ModelStore, old: ModelCard | None, new: ModelCard) -> PreviousModel | None:
    if old is None or old.root_fingerprint != new.root_fingerprint:
        return None
    to_old, to_new = models.adapter(old.name), models.adapter(new.name)
    target = np.eye(new.dimension) if to_new is None else to_new.astype(np.float64)
    total = target if to_old is None else np.linalg.solve(to_old.astype(np.float64), target)
    return PreviousModel(old.fingerprint, partial(mapped, matrix=total.astype(np.float32)))


def _map(catalog: CatalogWriter, models: ModelStore, previous: PreviousModel | None, new: ModelCard) -> None:
    """Compute the new model's vectors from the root's, which are rounded only once, else from the previous model's."""
    to_new = models.adapter(new.name)
    sources: list[tuple[str, int, Callable[[Vectors], Vectors]]] = []
    if to_new is not None:
        sources.append((new.root_fingerprint, new.dimension, partial(mapped, matrix=to_new)))
    is_adapted = previous is not None and previous.fingerprint != new.root_fingerprint
    if previous is not None and is_adapted:
        sources.append((previous.fingerprint, new.dimension, previous.make))
    vectors.map_vectors(catalog, sources, new.fingerprint)
    if previous is not None and is_adapted:
        vectors.remove_vectors(catalog, previous.fingerprint)
