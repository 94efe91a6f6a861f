"""An open catalog: for reading, or for writing too. The SQL is in the other modules here, which alone call `execute` and
`change`; all others pass the catalog on to them.

That SQL is of the kind that every `Database` understands; the few words in which they differ are in its `Dialect`.
"""

import shutil
import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from searchkit.errors import Action, CatalogError, ExtraMissingError, Remedy
from searchkit.home import CollectionFolder

_BATCH = 500  # SQLite takes 999 parameters everywhere

_NEEDED_BYTES = 1 << 18  # for SQLite's journal and its index
FREE_SPACE = Remedy(sentence="The disk is full: free some space, then try again. Nothing is lost")
_ANOTHER_PLACE = Remedy(sentence="Make that possible, or choose another data directory (SEARCHKIT_HOME)")
UNTOUCHED = "Your files are untouched."


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words in which databases differ, as pieces of SQL, each with one parameter unless it says otherwise.

    `listed`: the rows of a list of integers, given as JSON. `is_allowed`: true if `{id}` is in a set of chunks, given as one byte
    per id from 0 on, 1 for members. `contains`: true if `{text}` contains a string as it is. `like`: the operator LIKE for which
    the case of Latin letters does not matter; no parameter. `first`: joins a table to one that is to be read before; no parameter.
    """

    listed: str
    is_allowed: str
    contains: str
    like: str
    first: str


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

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on, as far as this is in its hands."""
        ...

    def copy_to(self, path: Path) -> None:
        """Copy the whole catalog to a new file of SQLite."""
        ...

    def stored_vector(self, halves: bytes) -> object:
        """A vector in half precision, as a statement takes it; it is read as bytes again."""
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


class CatalogReader:
    """A catalog that can be read. Each query sees the latest state; within `one_state` all see the same."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._counts: dict[str, int] = {}
        self._counted_version: Hashable = None

    @property
    def dialect(self) -> Dialect:
        """The words of its database."""
        return self.database.dialect

    @property
    def fulltext(self) -> FullText:
        """The full-text table."""
        return self.database.fulltext

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        """Run a query."""
        return self.database.execute(query, values)

    def each(self, query: str, values: Sequence[object] = ()) -> Iterator[Any]:
        """Run a query that may have millions of rows, and yield them; others may be run meanwhile."""
        return self.database.each(query, values)

    def execute_among(self, query: str, items: Sequence[object], *values: object) -> Iterator[Any]:
        """Run a query in which `{items}` is replaced by any number of items, some hundreds at a time; `{rows}` by rows of one each.

        `values`: of the placeholders before them.
        """
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            listed = query.replace("{items}", ",".join("?" * len(batch))).replace(
                "{rows}", ",".join(["(?)"] * len(batch))
            )
            yield from self.execute(listed, (*values, *batch))

    def meta(self, key: str) -> str | None:
        """The value of one of the small facts that `searchkit.catalog.meta` names, None if it was never set."""
        row = self.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def count_rows(self, table: str) -> int:
        """Count the rows of a table, again only after another connection has written: a million rows take 10 ms."""
        if (version := self.data_version) != self._counted_version:
            self._counts, self._counted_version = {}, version
        if table not in self._counts:
            self._counts[table] = self.database.count(table)
        return self._counts[table]

    @property
    def data_version(self) -> Hashable:
        """A value that changes when another connection writes."""
        return self.database.version

    def one_state(self) -> AbstractContextManager[None]:
        """Read one state of the catalog throughout the block, even if it is written meanwhile."""
        return self.database.snapshot()

    def copy_to(self, path: Path) -> None:
        """Copy the whole catalog to a new file."""
        self.database.copy_to(path)

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CatalogWriter(CatalogReader):
    """A catalog that can also be changed, in transactions. Its owner has the collection's lock."""

    def count_rows(self, table: str) -> int:
        """Count the rows of a table, which this connection itself may have changed."""
        self._counted_version = None
        return super().count_rows(table)

    def transaction(self) -> AbstractContextManager[None]:
        """Apply all of the block's changes or none."""
        return self.database.transaction()

    def change(self, statement: str, values: Sequence[object] = ()) -> Rows:
        """Run a statement that changes rows, in the open transaction."""
        assert self.database.in_transaction, "rows are changed in a transaction"
        return self.database.execute(statement, values)

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row of values, in the open transaction; return the number of rows changed."""
        assert self.database.in_transaction, "rows are changed in a transaction"
        return self.database.execute_many(statement, rows)

    def optimize(self) -> None:
        """Update what planning and counting queries goes by, where much has changed."""
        self.database.optimize()

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on."""
        self.database.erase_what_is_removed()


_DIALECT = Dialect(
    listed="(SELECT value FROM json_each(?))",
    is_allowed="substr(?, {id} + 1, 1) = x'01'",
    contains="instr({text}, ?)",
    like="LIKE",
    first="CROSS JOIN",
)


class SqliteDatabase:
    """A connection to a catalog in a file of SQLite; see Database."""

    dialect = _DIALECT
    vectors = None
    is_remote = False
    is_open = True

    def __init__(self, connection: sqlite3.Connection, fulltext: FullText) -> None:
        self.fulltext = fulltext
        self._connection = connection
        self.execute: Callable[[str, Sequence[object]], Rows] = connection.execute

    @property
    def version(self) -> int:
        """See Database."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    @property
    def in_transaction(self) -> bool:
        """See Database."""
        return self._connection.in_transaction

    def each(self, query: str, values: Sequence[object]) -> Iterator[Any]:
        """See Database."""
        return self._connection.execute(query, values)

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """See Database."""
        return self._connection.executemany(statement, rows).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Database."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See Database."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def count(self, table: str) -> int:
        """See Database."""
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def size_bytes(self) -> int:
        """See Database: its file is in the folder."""
        return 0

    def optimize(self) -> None:
        """Update the query planner's statistics where they have changed."""
        self._connection.execute("PRAGMA optimize")

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on."""
        self._connection.execute("PRAGMA secure_delete = ON")

    def copy_to(self, path: Path) -> None:
        """See Database."""
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    def stored_vector(self, halves: bytes) -> bytes:
        """See Database."""
        return halves

    def take_turns(self, what: str) -> None:
        """See Database: there is one writer."""

    def locked(
        self,
        names: Sequence[str],  # noqa: ARG002
        on_wait: Callable[[str], None] | None,  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """See Database: there is one writer."""
        return nullcontext()

    def claim(self, name: str) -> bool:  # noqa: ARG002
        """See Database: there is one writer."""
        return True

    def release(self) -> None:
        """See Database: there is one writer."""

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def readable_errors(folder: CollectionFolder) -> Iterator[None]:
    """Turn errors of the database and of the file system into a CatalogError that names the catalog and says what to do."""
    if folder.url is not None:
        require_postgres()
        from searchkit.catalog.postgres.connection import readable_errors_of

        with readable_errors_of(folder.url):
            yield
        return
    path = folder.catalog
    try:
        yield
    except sqlite3.DatabaseError as error:
        remedy = FREE_SPACE if "full" in str(error) or is_disk_full(path.parent) else remedy_of(path)
        message = f"The catalog in {path.parent} cannot be used: {error}. {UNTOUCHED}"
        raise CatalogError(message, remedy=remedy) from error
    except OSError as error:
        where = error.filename or path.parent
        remedy = FREE_SPACE if is_disk_full(path.parent) else _ANOTHER_PLACE
        raise CatalogError(f"{where}: {error.strerror or error}.", remedy=remedy) from error


def require_postgres() -> None:
    """Raise ExtraMissingError if what connects to PostgreSQL is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        remedy = Remedy(Action.INSTALL_EXTRA, extra="postgres")
        raise ExtraMissingError(f"Collections in PostgreSQL need psycopg: {error}.", remedy=remedy) from error


def is_disk_full(folder: Path) -> bool:
    """True if there is no room for the little that SQLite needs to read."""
    try:
        return shutil.disk_usage(folder).free < _NEEDED_BYTES
    except OSError:
        return False


def remedy_of(path: Path) -> Remedy:
    """The remedies for a catalog that cannot be read."""
    name = path.parent.name
    return Remedy(Action.VERIFY, collection=name) | Remedy(Action.REBUILD, collection=name)
