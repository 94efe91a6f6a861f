"""Choosing a collection's index by measurement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from searchkit.catalog.collection_folder import existing_collection
from searchkit.catalog.meta import INDEX, RECALL_GOAL, set_meta
from searchkit.catalog.session import reading, writing
from searchkit.errors import UsageError
from searchkit.index_store import refresh_index
from searchkit.index_store.sample_queries import made_query_texts
from searchkit.index_store.trials import Trial, cheapest, trials_of
from searchkit.library import Library
from searchkit_indexes import IndexSpec


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """`recall`: share of the true ten nearest to reach; the limits are of a search's median and of the index's memory.

    `queries`: to measure with, by default made from the collection's headings.
    """

    recall: float = 0.99
    max_ms: float | None = None
    max_megabytes: float | None = None
    queries: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What was measured on how many queries, what could not be, and the cheapest that fits (None: none does)."""

    trials: tuple[Trial, ...]
    skipped: tuple[tuple[str, str], ...]
    chosen: Trial | None
    queries: int


def measure_indexes(
    library: Library, name: str, options: TuneOptions, on_trial: Callable[[Trial], None] = lambda _: None
) -> TuneReport:
    """Measure every index that is worth trying on a collection's own vectors; changes nothing.

    Raises CollectionNotFoundError, ModelNotFoundError, UsageError for a recall outside 0 to 1 or nothing to measure with.
    """
    if not 0 < options.recall <= 1:
        raise UsageError(f"The recall to reach is a share between 0 and 1, not {options.recall}.")
    folder = existing_collection(library.home, name)
    embedder = library.embedder_for(folder, "")
    trials: list[Trial] = []
    skipped: list[tuple[str, str]] = []
    with reading(folder) as connection:
        texts = list(options.queries) or made_query_texts(connection)
        if not texts:
            raise UsageError(f"Collection '{name}' has no passages to measure with. Index some files first.")
        vectors = embedder.embed_queries(texts)

        def on_skip(spec: IndexSpec, error: Exception) -> None:
            skipped.append((str(spec), str(error)))

        for trial in trials_of(connection, embedder, vectors, options.recall, on_skip):
            trials.append(trial)
            on_trial(trial)
    chosen = cheapest(trials, options.recall, max_ms=options.max_ms, max_megabytes=options.max_megabytes)
    return TuneReport(tuple(trials), tuple(skipped), chosen, len(texts))


def set_index(
    library: Library, name: str, spec: IndexSpec | None, *, recall: float = 0.0, queries: Sequence[str] = ()
) -> None:
    """Make an index the collection's from now on, None: what suits its size; it is written at once.

    `recall`: what its searches are to reach, 0 for what searchkit aims at; `queries`: to measure that with.
    Raises CollectionNotFoundError, CollectionBusyError.
    """
    folder = existing_collection(library.home, name)
    embedder = library.embedder_for(folder, "")
    with writing(folder) as connection:
        with connection.transaction():
            set_meta(connection, INDEX, str(spec) if spec else "")
            set_meta(connection, RECALL_GOAL, str(recall) if recall else "")
        vectors = embedder.embed_queries(queries) if queries else None
        refresh_index(folder, connection, embedder, queries=vectors)
    library.let_go(name)
