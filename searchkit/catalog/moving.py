"""Opens catalogs to be left, and to be filled, when a collection moves: those in files of SQLite here, others in their database.

A new catalog is filled in a file of another name, which takes its place once it is whole. What a move that was killed has left is
recognised by its state (see checksums.state_of): what differs from what was copied is somebody's, and stays.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from searchkit.catalog.catalog import CatalogReader, CatalogWriter, readable_errors
from searchkit.catalog.checksums import state_of
from searchkit.catalog.connection import open_as_it_is, open_for_writing
from searchkit.catalog.copying import Source, Target
from searchkit.catalog.roots import write_recovery_record
from searchkit.catalog.writer import writer_lock
from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.files import sync_file, sync_folder
from searchkit.home import CollectionFolder
from searchkit.reports import Work

_UNFINISHED = "moved.db"

IsLeftOver = Callable[[str], bool]
"""Tells by the state of a catalog whether it is one that a move has left, so that it can be replaced."""


def leaving(folder: CollectionFolder) -> AbstractContextManager[Source]:
    """Open a collection that is to be moved away: nobody writes to it during the block.

    Raises CollectionBusyError if another process does, CollectionNotFoundError, CatalogError.
    """
    if folder.url is None:
        return _leaving_files(folder)
    from searchkit.catalog.postgres import moving

    return moving.leaving(folder)


def arriving(folder: CollectionFolder, is_left_over: IsLeftOver) -> AbstractContextManager[Target]:
    """Open the place for a collection that is to be moved there.

    Raises UsageError if there is one that is not left over, CollectionBusyError, CatalogError.
    """
    if folder.url is None:
        return _arriving_in_files(folder, is_left_over)
    from searchkit.catalog.postgres import moving

    return moving.arriving(folder)


def settle(folder: CollectionFolder) -> None:
    """Take a collection that was moved for finished, after a move that was interrupted."""
    if folder.url is not None:
        from searchkit.catalog.postgres import moving

        moving.settle(folder)


def remove_left_over(folder: CollectionFolder, is_left_over: IsLeftOver) -> bool:
    """Remove what a move has left of the old home; return False, and leave it, if it is not as it was copied.

    Raises CollectionBusyError, CatalogError.
    """
    if folder.url is not None:
        with suppress(CollectionNotFoundError), leaving(folder) as source:
            if not is_left_over(state_of(source.catalog)):
                return False
            source.remove()
        return True
    with readable_errors(folder), writer_lock(folder.path, work=Work.MOVE):
        if folder.catalog.exists() and not _may_be_replaced(folder, is_left_over):
            return False
        _remove_files(folder)
    return True


def already_there(folder: CollectionFolder) -> UsageError:
    """Make the error for a place that has a collection of this name."""
    if folder.url is None:
        return UsageError(
            f"There is another catalog of '{folder.name}' on this machine: {folder.catalog}. Nothing was changed.",
            remedy="Put that file somewhere else first.",
        )
    return UsageError(
        f"There is a collection '{folder.name}' already, in {folder.url}. Nothing was changed.",
        remedy="Index the folder anew under another name to have both, or have the other one removed first.",
    )


class _Files:
    """A catalog in a file; see Source."""

    def __init__(self, folder: CollectionFolder, catalog: CatalogWriter) -> None:
        self.catalog: CatalogReader = catalog
        self._folder = folder

    def last_id(self, table: str) -> int:
        """See Source: the counter that is kept so that no id comes again."""
        row = self.catalog.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(row[0]) if row else 0

    def remove(self) -> None:
        """See Source. What another process has open loses a table without which nothing can be written."""
        self.catalog.execute("DROP TABLE meta")
        self.catalog.execute("COMMIT")
        self.catalog.close()
        _remove_files(self._folder)


@contextmanager
def _leaving_files(folder: CollectionFolder) -> Iterator[Source]:
    with readable_errors(folder), writer_lock(folder.path, work=Work.MOVE), open_for_writing(folder.catalog) as catalog:
        catalog.execute("BEGIN IMMEDIATE")  # searches and `forget` write without the lock; closing it takes all back
        yield _Files(folder, catalog)


class _NewFile:
    """A catalog in a new file; see Target."""

    takes_zeros = True

    def __init__(self, folder: CollectionFolder, catalog: CatalogWriter) -> None:
        self.catalog = catalog
        self._folder = folder

    @contextmanager
    def filling(self) -> Iterator[None]:
        """See Target."""
        with self.catalog.transaction():
            self.catalog.execute("PRAGMA defer_foreign_keys = 1")
            yield

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See Target."""
        marks = ", ".join(self.catalog.dialect.model if column == "model" else "?" for column in columns)
        self.catalog.change_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def continue_ids(self, table: str, last: int) -> None:
        """See Target."""
        if not self.catalog.change(
            "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, table)
        ).rowcount:
            self.catalog.change("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))

    def publish(self) -> None:
        """See Target."""
        self.catalog.optimize()
        write_recovery_record(self._folder, self.catalog)
        self.catalog.close()
        new = self._folder.path / _UNFINISHED
        sync_file(new)
        _remove_files(self._folder)
        new.rename(self._folder.catalog)
        sync_folder(self._folder.path)

    def settle(self) -> None:
        """See Target: it is in its place."""


@contextmanager
def _arriving_in_files(folder: CollectionFolder, is_left_over: IsLeftOver) -> Iterator[Target]:
    with readable_errors(folder):
        folder.create()
        with writer_lock(folder.path, work=Work.MOVE):
            if folder.catalog.exists() and not _may_be_replaced(folder, is_left_over):
                raise already_there(folder)
            new = folder.path / _UNFINISHED
            _remove_unfinished(folder)
            try:
                with open_for_writing(new) as catalog:
                    yield _NewFile(folder, catalog)
            finally:
                _remove_unfinished(folder)


def _may_be_replaced(folder: CollectionFolder, is_left_over: IsLeftOver) -> bool:
    with suppress(sqlite3.DatabaseError), open_as_it_is(folder.catalog) as catalog:
        has_meta = catalog.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        return not has_meta or is_left_over(state_of(catalog))
    return False


def _remove_unfinished(folder: CollectionFolder) -> None:
    for path in folder.path.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _remove_files(folder: CollectionFolder) -> None:
    """Remove the catalog's files and the indexes of its vectors; what evaluation and training have written stays."""
    for index in (folder.index, folder.path / "guesses"):
        shutil.rmtree(index, ignore_errors=True)
    for suffix in ("", "-wal", "-shm", ".new"):  # without the catalog, the others are nothing
        folder.catalog.with_name(f"{folder.catalog.name}{suffix}").unlink(missing_ok=True)
    sync_folder(folder.path)
