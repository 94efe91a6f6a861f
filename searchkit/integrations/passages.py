"""Passages for frameworks that ask from any thread, or many at once: what is common to their retrievers."""

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
class Wish:
    """What to retrieve: at most `k` passages of the collections (none named: all), of a score of at least `min_score`."""

    k: int
    collections: Sequence[str] = ()
    mode: str = SearchMode.HYBRID
    filters: Filters | None = None
    min_score: float = 0.0

    def __post_init__(self) -> None:
        """Raise UsageError for what cannot be meant, when it is said rather than when it is searched for."""
        if isinstance(self.collections, str):
            raise UsageError(f"collections is a list of names: collections=[{self.collections!r}]")
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise UsageError(f"k is how many passages to retrieve, a whole number from 1, not {self.k!r}.")
        if self.mode not in list(SearchMode):
            raise UsageError(f"mode is one of {', '.join(SearchMode)}, not {self.mode!r}.")
        if not isinstance(self.min_score, int | float) or not 0 <= self.min_score <= 1:
            raise UsageError(f"min_score is a score from 0 to 1, not {self.min_score!r}.")


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, and what frameworks keep beside its text: plain values by name, none where there is nothing to say."""

    id: str
    text: str
    score: float
    metadata: Mapping[str, str | int | float | bool]


class Passages:
    """A library that bears callers in any number of threads. It lets go of everything when it is closed, or not needed any more.

    `library`: stays the caller's; None for one over `home`, the user's own data directory unless given.
    """

    def __init__(self, library: Library | None = None, home: str | Path | None = None) -> None:
        self._pool = LibraryPool(library or Library(home), _WORKERS)
        self.close = weakref.finalize(self, self._pool.close, 0.0)

    def search(self, query: str, wish: Wish) -> list[Found]:
        """Best first. Raises what `Library.search` does, and UsageError once it is closed."""
        with _said_plainly():
            return self._pool.submit(partial(_search, query, wish)).result()

    async def search_later(self, query: str, wish: Wish) -> list[Found]:
        """The same for an event loop, which goes on meanwhile."""
        with _said_plainly():
            return await self._pool.run(partial(_search, query, wish))


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except PoolClosedError as error:
        raise UsageError("The retriever has been closed. Make a new one.") from error


def _search(query: str, wish: Wish, library: Library) -> list[Found]:
    if not isinstance(query, str):
        raise UsageError(f"A query is a text, not {type(query).__name__}.")
    if not query.strip():
        raise UsageError("The query is empty. Give the retriever a few words, or a question.")
    hits = library.search(
        query, k=wish.k, collections=wish.collections, mode=wish.mode, filters=wish.filters or _EVERYTHING
    )
    hits = [hit for hit in hits if hit.score >= wish.min_score]
    named = references_of(library, hits)
    return [_found(hit, each.passage, each.document) for hit, each in zip(hits, named, strict=True)]


def _found(hit: Hit, passage: str, document: str) -> Found:
    """`source` is where LangChain's own loaders put the path."""
    metadata: dict[str, str | int | float | bool | None] = {
        "source": str(hit.path),
        "title": source_name(hit),
        "heading": hit.title,
        "page": hit.page,
        "line": hit.line,
        "place": hit.place,
        "date": hit.date,
        "collection": hit.collection,
        "score": round(hit.score, 4),
        "weak": hit.is_weak,
        "id": passage,
        "document_id": document,
    }
    return Found(
        passage, hit.text, hit.score, {name: value for name, value in metadata.items() if value not in (None, "")}
    )
