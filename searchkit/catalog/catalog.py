"""An open catalog: for reading, or for writing too. The SQL is in the other modules here, which alone call `execute` and
`change`; all others pass the catalog on to them. What it lives in is a `Database` (see database.py); SQLite's is here.
"""

import shutil
import sqlite3
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from searchkit.catalog.database import Database, Dialect, FullText, Rows
from searchkit.errors import Action, CatalogError, Remedy
from searchkit.home import CollectionFolder

_BATCH = 500  # SQLite takes 999 parameters everywhere

_NEEDED_BYTES = 1 << 18  # for SQLite's journal and its index
FREE_SPACE = Remedy(sentence="The disk is full: free some space, then try again. Nothing is lost")
_ANOTHER_PLACE = Remedy(sentence="Make that possible, or choose another data directory (SEARCHKIT_HOME)")
UNTOUCHED = "Your files are untouched."


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
        """Run a query in which `{items}` is replaced by any number of items, some hundreds at a time.

        `values`: of the placeholders before `{items}`.
        """
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            yield from self.execute(query.replace("{items}", ",".join("?" * len(batch))), (*values, *batch))

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
    model="(SELECT id FROM models WHERE fingerprint = ?)",
    fingerprint="(SELECT fingerprint FROM models WHERE id = {model})",
    new_model="INSERT INTO models (fingerprint, dimension, seal) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
)


class SqliteDatabase:
    """A connection to a catalog in a file of SQLite; see Database."""

    dialect = _DIALECT
    vectors = None
    is_remote = False

    def __init__(
        self, connection: sqlite3.Connection, fulltext: FullText, is_open: Callable[[], bool] = lambda: True
    ) -> None:
        self.fulltext = fulltext
        self._is_open = is_open
        self._connection = connection
        self.execute: Callable[[str, Sequence[object]], Rows] = connection.execute

    @property
    def is_open(self) -> bool:
        """See Database; false too where it was opened without writing, and could now be opened as usual."""
        return self._is_open()

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
        """See Database. SQLite keeps no statistics: those of the last run mislead. Where there were few vectors then, a search
        read all that have come since, instead of looking up the few that it wants.
        """

    def shrink(self) -> None:
        """See Database. Needs as much room again; where there is none, or somebody reads, empty pages are used later."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("VACUUM")

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on."""
        self._connection.execute("PRAGMA secure_delete = ON")

    def copy_to(self, path: Path) -> None:
        """See Database."""
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    def stored_vector(self, vector: bytes) -> bytes:
        """See Database."""
        return vector

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
