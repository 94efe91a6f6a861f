"""The common part of the retrievers for frameworks, which call them from any thread, or from many at once."""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from searchkit.answer.prompt import source_name
from searchkit.errors import PoolClosedError, UsageError
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.serve.pool import LibraryPool
from searchkit.serve.references import references_of
from searchkit.types import Hit, SearchMode

_WORKERS = 2
_EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class RetrieverOptions:
    """Options of a search: at most `k` passages with a score of at least `min_score`; of all collections, if none is named."""

    k: int
    collections: Sequence[str] = ()
    mode: str = SearchMode.HYBRID
    filters: Filters | None = None
    min_score: float = 0.0

    def __post_init__(self) -> None:
        """Raise UsageError for impossible values at once, rather than in the first search."""
        if isinstance(self.collections, str):
            raise UsageError(f"collections is a list of names: collections=[{self.collections!r}]")
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise UsageError(f"k is the number of passages to retrieve, 1 or more, not {self.k!r}.")
        if self.mode not in list(SearchMode):
            raise UsageError(f"mode is one of {', '.join(SearchMode)}, not {self.mode!r}.")
        if not isinstance(self.min_score, int | float) or not 0 <= self.min_score <= 1:
            raise UsageError(f"min_score is a score from 0 to 1, not {self.min_score!r}.")


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A passage with the metadata that frameworks keep: plain values by name; those that are not known are left out."""

    id: str
    text: str
    score: float
    metadata: Mapping[str, str | int | float | bool]


class PassageRetriever:
    """Retrieves passages for callers in any number of threads. Closing is automatic once nobody refers to it.

    `library`: stays the caller's; None for one over `home`, by default the user's own data directory.
    """

    def __init__(self, library: Library | None = None, home: str | Path | None = None) -> None:
        self._pool = LibraryPool(library or Library(home), _WORKERS)
        self.close = weakref.finalize(self, self._pool.close, 0.0)

    def search(self, query: str, options: RetrieverOptions) -> list[RetrievedPassage]:
        """Retrieve passages, best first. Raises what `Library.search` raises, and UsageError once it is closed."""
        with _closed_as_usage_error():
            return self._pool.submit(partial(_search, query, options)).result()

    async def asearch(self, query: str, options: RetrieverOptions) -> list[RetrievedPassage]:
        """Do the same without blocking the event loop."""
        with _closed_as_usage_error():
            return await self._pool.run(partial(_search, query, options))


@contextmanager
def _closed_as_usage_error() -> Iterator[None]:
    try:
        yield
    except PoolClosedError as error:
        raise UsageError("The retriever has been closed.", remedy="Make a new one.") from error


def _search(query: str, options: RetrieverOptions, library: Library) -> list[RetrievedPassage]:
    if not isinstance(query, str):
        raise UsageError(f"A query is a text, not {type(query).__name__}.")
    if not query.strip():
        raise UsageError("The query is empty.", remedy="Give the retriever a few words, or a question.")
    hits = library.search(
        query, k=options.k, collections=options.collections, mode=options.mode, filters=options.filters or _EVERYTHING
    )
    hits = [hit for hit in hits if hit.score >= options.min_score]
    named = references_of(library, hits)
    return [_found(hit, each.passage, each.document) for hit, each in zip(hits, named, strict=True)]


def _found(hit: Hit, passage: str, document: str) -> RetrievedPassage:
    """Describe a hit in metadata; the path is the `source`, as in LangChain's own loaders."""
    metadata: dict[str, str | int | float | bool | None] = {
        "source": str(hit.path),
        "title": source_name(hit),
        "heading": hit.heading,
        "page": hit.page,
        "line": hit.line,
        "place": hit.place,
        "date": hit.date,
        "sender": hit.sender,
        "collection": hit.collection,
        "score": round(hit.score, 4),
        "weak": hit.weak,
        "id": passage,
        "document_id": document,
    }
    return RetrievedPassage(
        passage, hit.text, hit.score, {name: value for name, value in metadata.items() if value not in (None, "")}
    )
