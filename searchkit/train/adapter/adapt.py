"""Adapts a collection's model and switches the collection to the result, only if that helps: when asked to, or after index runs."""

from dataclasses import dataclass, replace

from searchkit.catalog.connection import reading, writing
from searchkit.catalog.meta import set_meta
from searchkit.collection import waiting
from searchkit.display import command, error_text
from searchkit.errors import TrainingError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.maintenance.switch_model import switch_model
from searchkit.reports import ProgressListener, RunOptions
from searchkit.train.options import AdapterOptions, require_torch

_TRIED = "adapter_tried_at"  # passages that the collection had when an adapter was last trained
_GROWTH = 1.5  # times as many passages, after which another try is worth it


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of adapting. `line`: a sentence for people, "" if nothing was done. `model`: the new one, "" if none."""

    line: str
    model: str = ""


def adapt_collection(
    library: Library, collection: str, on_progress: ProgressListener, options: AdapterOptions | None = None
) -> Outcome:
    """Wait for an index run of another process to end, adapt the collection's model, and switch to the new one if it helps.

    It is learned from the stored vectors. The outcome says why nothing was done. Raises ExtraMissingError without the extra, and
    CollectionNotFoundError.
    """
    require_torch()
    with library.collection(collection).writing(waiting(on_progress, RunOptions(wait=True))):
        pass
    if not library.collection(collection).is_covered():
        rest = command("index", "-c", collection)
        return Outcome(f"Not adapted: some passages have no vector yet. They are embedded by {rest}")
    return _adapt(library, collection, on_progress, options or AdapterOptions(), says_why_not=True)


def adapt_after_index(library: Library, collection: str, on_progress: ProgressListener, *, is_asked: bool) -> Outcome:
    """Adapt the collection's model if that helps, and switch the collection to it.

    `is_asked`: True if the user asked for it in this run, and so wants to know why it was not done; otherwise nothing is tried
    until the collection has grown by half. Raises ExtraMissingError without the extra.
    """
    require_torch()
    if not library.collection(collection).is_covered():
        return Outcome("Not adapted: some passages have no vector yet." if is_asked else "")
    if not is_asked and library.collection(collection).coverage().passages < _GROWTH * _tried_at(library, collection):
        return Outcome("")
    return _adapt(library, collection, on_progress, AdapterOptions(), says_why_not=is_asked)


def _adapt(
    library: Library, collection: str, on_progress: ProgressListener, options: AdapterOptions, *, says_why_not: bool
) -> Outcome:
    from searchkit.train.adapter.run import train_adapter

    before = library.collection(collection).embedder().info.name
    try:
        adapted = train_adapter(library, collection, replace(options, is_quick=True), on_progress)
    except TrainingError as error:
        _remember_try(library, collection)
        return Outcome(f"Not adapted: {error_text(error)}" if says_why_not else "")
    _remember_try(library, collection)
    if not adapted.model:
        reason = adapted.report.verdict.reason
        return Outcome(f"Not adapted, {before} stays: {reason}.")
    switch_model(library.collection(collection), adapted.model)
    undo = command("models", "use", before, "-c", collection)
    return Outcome(f"Adapted to {collection}, {adapted.report.verdict.reason}. Undo: {undo}", adapted.model)


def _tried_at(library: Library, collection: str) -> int:
    with reading(existing_collection(library.home, collection)) as catalog:
        return int(catalog.meta(_TRIED) or 0)


def _remember_try(library: Library, collection: str) -> None:
    passages = library.collection(collection).coverage().passages
    with writing(existing_collection(library.home, collection)) as catalog, catalog.transaction():
        set_meta(catalog, _TRIED, str(passages))
