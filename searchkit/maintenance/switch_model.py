"""Switches a collection to another model, at once or after embedding it, and maps vectors that need no embedding.

Between a model and those adapted from it, vectors are mapped by one product instead of being embedded again (see
`index_store.remap`). Vectors are kept by passage and model: those of the new model are stored beside the old ones until all
exist, and an embedding run that is stopped, or killed, resumes where it was.
"""

from collections.abc import Callable

from searchkit.catalog.meta import MODEL
from searchkit.collection import Collection
from searchkit.embedding.store import ModelStore
from searchkit.home import neighbours
from searchkit.index_store import remap
from searchkit.ingest.embed_pending import EmbeddingProgress, embed_pending, reuse_vectors, tokens_to_embed
from searchkit.reports import Progress, ProgressListener, Work, never


def switch_model(collection: Collection, model: str) -> int:
    """Switch the collection to a model at once; return the number of passages without its vector, which the next run embeds.

    Raises ModelNotFoundError if it is not installed, CollectionBusyError if another process writes to the collection.
    """
    store = collection.models.store
    store.require(model)
    collection.models.prepare(model)
    with collection.writing(work=Work.SWITCH) as catalog:
        switched = remap.switch_model(catalog, store, model)
        if not switched.missing:
            remap.renew_index(collection.folder, catalog, collection.models.open(model), switched.previous)
    collection.close()
    return switched.missing


def embed_and_switch(
    collection: Collection,
    model: str,
    on_progress: ProgressListener,
    is_interrupted: Callable[[], bool] = never,
) -> bool:
    """Embed passages without a vector of the model while the current one keeps answering, then switch.

    Returns False if interrupted: then nothing is switched. A model whose vectors are only mapped is switched to at once.
        Raises what `switch_model` raises, and ModelError if the model is damaged.
    """
    collection.models.store.require(model)
    if _is_of_family(collection, model) and not switch_model(collection, model):
        return True
    embedder = collection.embedder(model)
    collection.models.check(model)
    with collection.writing(work=Work.SWITCH) as catalog:
        reuse_vectors(catalog, embedder.info.fingerprint, neighbours(collection.folder))
        missing = tokens_to_embed(catalog, embedder.info.fingerprint)

        def on_done(done: EmbeddingProgress) -> None:
            stage = f"Embedding {collection.name}"
            on_progress(Progress(stage, done.passages, missing.passages, "passages", done.tokens, missing.tokens))

        embed_pending(catalog, embedder, on_done, is_interrupted)
        if tokens_to_embed(catalog, embedder.info.fingerprint).passages:
            return False
    switch_model(collection, model)
    return True


def _is_of_family(collection: Collection, model: str) -> bool:
    """True if the collection's model and this one are two of one root, whose vectors are mapped onto each other."""
    store: ModelStore = collection.models.store
    with collection.reading() as catalog:
        old, new = (store.card(name) for name in (catalog.meta(MODEL) or "", model))
    return old is not None and new is not None and old.root_fingerprint == new.root_fingerprint and old.name != new.name
