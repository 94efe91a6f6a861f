"""What the model reads when a question needs it: the question, and passages and sentences that no index run has embedded.

Words choose the passages, the model says in which order they come. What was read is kept in the catalog, and here as long as
that cannot be written. Knows nothing of rankings.
"""

import re
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from searchkit.catalog.catalog import CatalogReader, readable_errors
from searchkit.catalog.connection import writing_beside
from searchkit.errors import CatalogError
from searchkit.home import CollectionFolder
from searchkit.types import Passage

if TYPE_CHECKING:  # imports NumPy, which a search by words does not need
    from searchkit.embedding.embedder import Embedder
    from searchkit_indexes import Vectors

QUERY_TOKENS = 512  # of a query that the model reads, or fewer if it takes fewer
READ_ON_DEMAND = (
    40  # of the best passages, as far as the time goes; 20 rank .005 of nDCG@10 lower, on the mean of six sets
)
READING_SECONDS = 1.2  # of a search, all its collections together; a group that was begun is finished
_AT_ONCE = 4  # passages between two looks at the clock, and until another search has its turn
_QUERIES_REMEMBERED = 16
_REMEMBERED = 8192  # vectors of passages and sentences: 24 MB at 768 dimensions


@dataclass(slots=True)
class ReadingTime:
    """The seconds that one search has left for reading; `collections`: in how many, the one being searched included.

    `marking_seconds`: left for reading the sentences of hits.
    """

    seconds: float
    collections: int = 1
    marking_seconds: float = 0.0

    @property
    def share(self) -> float:
        """The seconds for the collection that is being searched."""
        return self.seconds / max(self.collections, 1)


@dataclass(slots=True)
class OnDemandReader:
    """Reads passages for all the searches of a process: one group at a time, and none twice.

    `waiting`: how many other searches wait meanwhile; a search leaves them their share of its time.
    """

    waiting: Callable[[], int] = lambda: 0
    _usual: float = 0.0  # seconds of a group
    _turn: Lock = field(default_factory=Lock)
    _remembered: "OrderedDict[tuple[str, bytes], Vectors]" = field(default_factory=OrderedDict)
    _queries: "OrderedDict[tuple[str, str], Vectors]" = field(default_factory=OrderedDict)

    def query_vector(self, embedder: "Embedder", query: str) -> "Vectors":
        """A query's (dimension,) unit vector: embedded once for all collections of a model, and for the UI, which asks again."""
        key = embedder.info.fingerprint, query
        vector = self._queries.get(key)
        if vector is None:
            vector = self._queries[key] = embedder.embed_queries([query])[0]
            while len(self._queries) > _QUERIES_REMEMBERED:
                with suppress(KeyError):  # another thread was faster
                    self._queries.popitem(last=False)
        return vector

    def read(self, embedder: "Embedder", wanted: Mapping[bytes, Passage], seconds: float) -> "dict[bytes, Vectors]":
        """Embed passages, the first ones first, until the time is over: (dimension,) unit vectors by content hash.

        Other searches may use the model meanwhile; what they have read costs nothing.
        """
        until = time.monotonic() + seconds
        # Seconds of the group before. While nobody waits the first group is begun, however little time there is.
        last = self._usual if self.waiting() else 0.0
        fingerprint = embedder.info.fingerprint
        found: dict[bytes, Vectors] = {}
        keys = list(wanted)
        for start in range(0, len(keys), _AT_ONCE):
            group = keys[start : start + _AT_ONCE]
            if not self._turn.acquire(timeout=max(0.0, until - time.monotonic())):
                break
            try:
                unread = [key for key in group if (fingerprint, key) not in self._remembered]
                if unread and time.monotonic() + last / 2 >= until:  # the time is exceeded as often as missed
                    break
                started = time.monotonic()
                vectors = embedder.embed_documents([wanted[key] for key in unread]) if unread else ()
                if unread:
                    last = self._usual = time.monotonic() - started
                for key, vector in zip(unread, vectors, strict=True):
                    self._remembered[fingerprint, key] = vector
                found.update((key, self._remembered[fingerprint, key]) for key in group)
                while len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)
            finally:
                self._turn.release()
        return found


def beginning_of(query: str, count_tokens: Callable[[str], int], most: int) -> str:
    """As many words of a query as have at most so many tokens: what is pasted whole says by then what it is about."""
    if len(query) <= most or count_tokens(query) <= most:
        return query
    ends = [word.end() for word in re.finditer(r"\S+", query)]
    fitting = bisect_right(ends, most, key=lambda end: count_tokens(query[:end]))
    return query[: ends[fitting - 1]] if fitting else query[:most]


def as_kept(catalog: CatalogReader, found: "Mapping[bytes, Vectors]") -> "dict[bytes, Vectors]":
    """Round vectors as storing them in a catalog does, so that a passage ranks the same before and after."""
    import numpy as np

    from searchkit.catalog.vector_codes import as_stored
    from searchkit.catalog.vectors import storage_of

    return (
        dict(zip(found, as_stored(np.stack(list(found.values())), storage_of(catalog)), strict=True)) if found else {}
    )


def keep(folder: CollectionFolder, fingerprint: str, found: "Mapping[bytes, Vectors]") -> None:
    """Store vectors in a collection's catalog, if it can be written now; it is no loss if it cannot."""
    import numpy as np

    from searchkit.catalog.vectors import keep_vectors

    with suppress(CatalogError), readable_errors(folder), writing_beside(folder) as catalog:
        keep_vectors(catalog, fingerprint, list(found), np.stack(list(found.values())))
