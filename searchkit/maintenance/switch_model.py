"""Embeds a collection with another model while the one in use goes on answering, then switches in one step.

Vectors are kept by passage and model, so those of the new model lie beside the old ones until all are there. A run that is
stopped, or killed, goes on where it was; until the last vector is there nothing has changed for who searches.
"""

from collections.abc import Callable

from searchkit.catalog.collection_folder import existing_collection, neighbours
from searchkit.catalog.meta import MODEL, get_meta
from searchkit.catalog.session import reading, writing
from searchkit.ingest.embed_pending import Filled, fill_vectors, tokens_to_embed
from searchkit.ingest.reuse_vectors import borrow_vectors
from searchkit.library import Library
from searchkit.types import Progress, ProgressListener, never


def switch_when_embedded(
    library: Library,
    collection: str,
    model: str,
    on_progress: ProgressListener,
    is_interrupted: Callable[[], bool] = never,
) -> bool:
    """Embed what lacks a vector of the model, then make it the collection's; False if interrupted, and nothing is switched.

    What only has to be mapped, from a model of the same root, is switched at once.

    Raises ModelNotFoundError, CollectionNotFoundError, CollectionBusyError if another process writes to the collection.
    """
    folder = existing_collection(library.home, collection)
    library.models.require(model)
    if _is_of_family(library, collection, model) and not library.use_model(model, collection=collection):
        return True
    embedder = library.embedder_for(folder, model)
    with writing(folder) as connection:
        borrow_vectors(connection, embedder.info.fingerprint, neighbours(folder))
        missing = tokens_to_embed(connection, embedder.info.fingerprint)

        def on_done(done: Filled) -> None:
            on_progress(
                Progress(
                    f"Embedding {collection}", done.passages, missing.passages, "passages", done.tokens, missing.tokens
                )
            )

        fill_vectors(connection, embedder, on_done, is_interrupted)
        if tokens_to_embed(connection, embedder.info.fingerprint).passages:
            return False
    library.use_model(model, collection=collection)
    return True


def _is_of_family(library: Library, collection: str, model: str) -> bool:
    """Whether the collection's model and this one are two of one root, of which each can be had from the other's vectors."""
    with reading(existing_collection(library.home, collection)) as connection:
        old, new = (library.models.card(name) for name in (get_meta(connection, MODEL) or "", model))
    return old is not None and new is not None and old.root_fingerprint == new.root_fingerprint and old.name != new.name
