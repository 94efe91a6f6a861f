"""Embeds a collection with another model while the one in use goes on answering, then switches in one step.

Vectors are kept by passage and model, so those of the new model lie beside the old ones until all are there. A run that is
stopped, or killed, goes on where it was; until the last vector is there nothing has changed for who searches.
"""

from collections.abc import Callable

from searchkit.catalog.access import writing
from searchkit.catalog.collection_folder import existing_collection, neighbours
from searchkit.ingest.borrow import borrow_vectors
from searchkit.ingest.fill import Filled, fill_vectors, tokens_to_embed
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

    Raises ModelNotFoundError, CollectionNotFoundError, CollectionBusyError if another process writes to the collection.
    """
    folder = existing_collection(library.home, collection)
    library.models.require(model)
    embedder = library.embedder_for(folder, model)
    with writing(folder) as connection:
        borrow_vectors(connection, embedder.fingerprint, neighbours(folder))
        missing = tokens_to_embed(connection, embedder.fingerprint)

        def on_done(done: Filled) -> None:
            on_progress(
                Progress(
                    f"Embedding {collection}", done.passages, missing.passages, "passages", done.tokens, missing.tokens
                )
            )

        fill_vectors(connection, embedder, on_done, is_interrupted)
        if tokens_to_embed(connection, embedder.fingerprint).passages:
            return False
    library.use_model(model, collection=collection)
    return True
