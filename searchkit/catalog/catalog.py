"""An open catalog: for reading, or for writing too. The SQL is in the other modules here, which alone call `execute` and
`change`; all others pass the catalog on to them.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from searchkit.errors import Action, CatalogError, Remedy

_BATCH = 500  # SQLite takes 999 parameters everywhere

_NEEDED_BYTES = 1 << 18  # for SQLite's journal and its index
FREE_SPACE = Remedy(sentence="The disk is full: free some space, then try again. Nothing is lost")
_ANOTHER_PLACE = Remedy(sentence="Make that possible, or choose another data directory (SEARCHKIT_HOME)")
UNTOUCHED = "Your files are untouched."


class CatalogReader:
    """A catalog that can be read. Each query sees the latest state; within `one_state` all see the same."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._counts: dict[str, int] = {}
        self._counted_version = -1

    def execute(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a query."""
        return self._connection.execute(query, values)

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
            self._counts[table] = int(self.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return self._counts[table]

    @property
    def data_version(self) -> int:
        """A number that changes when another connection writes."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Read one state of the catalog throughout the block, even if it is written meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def copy_to(self, path: Path) -> None:
        """Copy the whole catalog to a new file."""
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

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
        self._counted_version = -1
        return super().count_rows(table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Apply all of the block's changes or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def change(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a statement that changes rows, in the open transaction."""
        assert self._connection.in_transaction, "rows are changed in a transaction"
        return self._connection.execute(statement, values)

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement once for each row of values, in the open transaction; return the number of rows changed."""
        assert self._connection.in_transaction, "rows are changed in a transaction"
        return self._connection.executemany(statement, rows).rowcount

    def optimize(self) -> None:
        """Update the query planner's statistics where they have changed."""
        self._connection.execute("PRAGMA optimize")

    def erase_what_is_removed(self) -> None:
        """Overwrite on the disk whatever is removed from now on."""
        self._connection.execute("PRAGMA secure_delete = ON")


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into a CatalogError that names the catalog and says what to do."""
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
