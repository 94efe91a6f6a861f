"""Chooses a collection's index by measurement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from searchkit.catalog.meta import INDEX, RECALL_GOAL, set_meta
from searchkit.collection import Collection
from searchkit.errors import ExtraMissingError, UsageError
from searchkit.index_store import refresh_index
from searchkit.index_store.build import synthetic_query_texts
from searchkit.index_store.trials import Trial, cheapest, trials_of
from searchkit.reports import Work
from searchkit_indexes import IndexSpec


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """Options of tuning. `recall`: share of the true ten nearest to reach; the limits are a search's median and the memory.

    `queries`: to measure with, by default made from the collection's headings.
    """

    recall: float = 0.99
    max_ms: float | None = None
    max_megabytes: float | None = None
    queries: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TuneReport:
    """The trials, their number of queries, the indexes skipped and why, and the cheapest that fits (None: none does)."""

    trials: tuple[Trial, ...]
    skipped: tuple[tuple[str, ExtraMissingError], ...]
    chosen: Trial | None
    queries: int


def measure_indexes(
    collection: Collection, options: TuneOptions, on_trial: Callable[[Trial], None] = lambda _: None
) -> TuneReport:
    """Measure every index that is worth trying on a collection's own vectors; changes nothing.

    Raises ModelNotFoundError, UsageError for a recall outside 0 to 1 or nothing to measure with.
    """
    if not 0 < options.recall <= 1:
        raise UsageError(f"The recall to reach is a share between 0 and 1, not {options.recall}.")
    _check_is_here(collection)
    embedder = collection.embedder()
    trials: list[Trial] = []
    skipped: list[tuple[str, ExtraMissingError]] = []
    with collection.reading() as catalog:
        texts = list(options.queries) or synthetic_query_texts(catalog)
        if not texts:
            raise UsageError(
                f"Collection '{collection.name}' has no passages to measure with.", remedy="Index some files first."
            )
        vectors = embedder.embed_queries(texts)

        def on_skip(spec: IndexSpec, error: ExtraMissingError) -> None:
            skipped.append((str(spec), error))

        for trial in trials_of(catalog, embedder, vectors, options.recall, on_skip):
            trials.append(trial)
            on_trial(trial)
    chosen = cheapest(trials, options.recall, max_ms=options.max_ms, max_megabytes=options.max_megabytes)
    return TuneReport(tuple(trials), tuple(skipped), chosen, len(texts))


def set_index(
    collection: Collection, spec: IndexSpec | None, *, recall: float = 0.0, queries: Sequence[str] = ()
) -> None:
    """Use an index for the collection from now on, None for the default for its size; it is written at once.

    `recall`: the recall that its searches should reach, 0 for the default; `queries`: to measure it with.
        Raises CollectionBusyError.
    """
    _check_is_here(collection)
    embedder = collection.embedder()
    with collection.writing(work=Work.TUNE) as catalog:
        with catalog.transaction():
            set_meta(catalog, INDEX, str(spec) if spec else "")
            set_meta(catalog, RECALL_GOAL, str(recall) if recall else "")
        vectors = embedder.embed_queries(queries) if queries else None
        refresh_index(collection.folder, catalog, embedder, queries=vectors)
    collection.close()


def _check_is_here(collection: Collection) -> None:
    """Raise UsageError for a collection whose database has an index of its own."""
    if collection.folder.url is not None:
        raise UsageError(
            f"Collection '{collection.name}' lives in PostgreSQL, whose own index is used.",
            remedy="Tune a collection of this machine.",
        )
