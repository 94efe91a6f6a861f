"""What a catalog needs of the database that it lives in: SQLite's in a file, or PostgreSQL's.

The SQL of the other modules is of the kind that every `Database` understands; the few words in which they differ are in its
`Dialect`.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from searchkit.catalog.catalog import CatalogReader, CatalogWriter


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words in which databases differ, as pieces of SQL, each with one parameter unless it says otherwise.

    `listed`: the rows of a list of integers, given as JSON. `is_allowed`: true if `{id}` is in a set of chunks, given as one byte
    per id from 0 on, 1 for members. `contains`: true if `{text}` contains a string as it is. `like`: the operator LIKE for which
    the case of Latin letters does not matter; no parameter. `first`: joins a table to one that is to be read before; no parameter.
    `model`: what stands in `vectors.model` for a fingerprint; `fingerprint`: the fingerprint of a `{model}` that stands there.
    `new_model`: stores a model's fingerprint, dimension and checksum before its first vector; "" if there is no need to.
    """

    listed: str
    is_allowed: str
    contains: str
    like: str
    first: str
    model: str
    fingerprint: str
    new_model: str

    @property
    def has_vector(self) -> str:
        """True if the passage of a chunk `c` has a vector of the model with a fingerprint, which is the parameter."""
        return f"EXISTS (SELECT 1 FROM vectors v WHERE v.content_hash = c.content_hash AND v.model = {self.model})"


class Rows(Protocol):
    """The result of a statement: rows as tuples, each read once. A cursor of Python's DB-API."""

    @property
    def description(self) -> Any:
        """Describe the columns; each description begins with the column's name."""
        ...

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement has changed."""
        ...

    def fetchone(self) -> Any:
        """Read the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Read the remaining rows."""
        ...

    def close(self) -> None:
        """Leave the remaining rows unread."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class FullText(Protocol):
    """The full-text table of a database. Expressions are those of SQLite's FTS5; fulltext.py says how texts are prepared."""

    def insert(self, catalog: "CatalogWriter", rows: Iterable[tuple[int, str, str, str]]) -> None:
        """Index chunks: id, name, title and text of each, prepared."""
        ...

    def remove(self, catalog: "CatalogWriter", rows: Iterable[tuple[int, str, str, str]]) -> None:
        """Remove chunks, with the same values as when they were indexed."""
        ...

    def clear(self, catalog: "CatalogWriter") -> None:
        """Remove all chunks."""
        ...

    def is_sound(self, catalog: "CatalogReader", rows: Iterator[tuple[int, str, str, str]]) -> bool:
        """Return whether the table has these chunks and no others, in the order of their ids."""
        ...

    def matching(self, catalog: "CatalogReader", match: str, limit: int, allowed: bytes | None) -> list[int]:
        """See `fulltext.chunks_matching`."""
        ...

    def best(
        self,
        catalog: "CatalogReader",
        match: str,
        weights: tuple[float, float, float],
        limit: int,
        allowed: bytes | None,
    ) -> dict[int, float]:
        """See `fulltext.best_matching`."""
        ...

    def counts(self, catalog: "CatalogReader", terms: Collection[str]) -> dict[str, int]:
        """See `fulltext.term_counts`."""
        ...

    def beginning(
        self, catalog: "CatalogReader", beginnings: Sequence[str], limit: int, lengths: tuple[int, int]
    ) -> dict[str, int]:
        """See `fulltext.terms_beginning`."""
        ...


class VectorSearch(Protocol):
    """The search for the nearest vectors in a database that has one."""

    def nearest(
        self,
        catalog: "CatalogReader",
        fingerprint: str,
        halves: bytes,
        k: int,
        allowed: Sequence[int] | None,
    ) -> list[tuple[int, float]]:
        """The k nearest vectors of a model, (id, estimate of the cosine), best first. `allowed`: ids of those that count."""
        ...

    def refresh(self, catalog: "CatalogWriter", fingerprint: str, dimension: int) -> None:
        """Build what searches need for so many vectors, and remove what none needs."""
        ...

    def graph_bytes(self, catalog: "CatalogReader", fingerprint: str) -> int | None:
        """The size of what was built for a model; None where all its vectors are compared."""
        ...


class Database(Protocol):
    """A connection to the database that a catalog lives in. Parameters are `?`, or numbered from `?1` on."""

    @property
    def dialect(self) -> Dialect:
        """Its own words."""
        ...

    @property
    def fulltext(self) -> FullText:
        """Its full-text table."""
        ...

    @property
    def vectors(self) -> VectorSearch | None:
        """Its own search for the nearest vectors; None where that is an index's, which is kept beside it (see index_store)."""
        ...

    @property
    def is_remote(self) -> bool:
        """True where every query may be a journey over a network, so that one for much is better than many."""
        ...

    @property
    def is_open(self) -> bool:
        """True until it is closed, or breaks off."""
        ...

    @property
    def version(self) -> Hashable:
        """A value that changes when another connection writes."""
        ...

    @property
    def in_transaction(self) -> bool:
        """True between the beginning and the end of a transaction."""
        ...

    def execute(self, statement: str, values: Sequence[object]) -> Rows:
        """Run a statement."""
        ...

    def each(self, query: str, values: Sequence[object]) -> Iterator[Any]:
        """Run a query that may have millions of rows, and yield them; others may be run meanwhile."""
        ...

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row of values; return the number of rows changed."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Apply all of a block's changes or none."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Show one state throughout a block, even if it is written meanwhile."""
        ...

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        ...

    def size_bytes(self) -> int:
        """The size of what it keeps elsewhere than in the collection's folder."""
        ...

    def optimize(self) -> None:
        """Update what planning and counting queries goes by, where much has changed."""
        ...

    def shrink(self) -> None:
        """Give back to the disk what is empty in the files, as far as it is in its hands and can be done now."""
        ...

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on, as far as this is in its hands."""
        ...

    def copy_to(self, path: Path) -> None:
        """Copy the whole catalog to a new file of SQLite."""
        ...

    def stored_vector(self, vector: bytes) -> object:
        """A vector in one of the forms that it stores, as a statement takes it; it is read as bytes again."""
        ...

    def take_turns(self, what: str) -> None:
        """Wait in the open transaction until no other writer has said the same in one of its own."""
        ...

    def locked(self, names: Sequence[str], on_wait: Callable[[str], None] | None) -> AbstractContextManager[None]:
        """Keep other writers from doing something to the same things during a block.

        `on_wait`: called with who does, before waiting for them; without it CollectionBusyError is raised.
        """
        ...

    def claim(self, name: str) -> bool:
        """Take a piece of work, unless another writer has it; until `release`, or until the connection ends."""
        ...

    def release(self) -> None:
        """Let go of all that was claimed."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
