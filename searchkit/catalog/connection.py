"""Opens a catalog: for reading, which never waits for a writer, or for writing, one process at a time, which migrates it first."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

from searchkit.catalog.catalog import (
    FREE_SPACE,
    UNTOUCHED,
    CatalogReader,
    CatalogWriter,
    SqliteDatabase,
    is_disk_full,
    readable_errors,
    remedy_of,
)
from searchkit.catalog.fulltext import FTS5
from searchkit.catalog.roots import write_recovery_record
from searchkit.errors import Action, CatalogError, Remedy
from searchkit.files import PRIVATE_FILE_MODE, sync_file
from searchkit.home import CollectionFolder
from searchkit.reports import Work

_OWN = "json_extract(nullif(d.metadata, ''), '$.date')"
# A document's moment, in ISO 8601: its own date, as far as it has one (perhaps only the year), else the time of its file's last
# change, in local time.
_MOMENT = (
    f"CASE WHEN {_OWN} GLOB '[0-9][0-9][0-9][0-9]' OR {_OWN} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]*' THEN {_OWN}"
    " ELSE strftime('%Y-%m-%dT%H:%M:%S', d.mtime_ns / 1000000000, 'unixepoch', 'localtime') END"
)
# The same for a chunk: in a mailbox, each message has its own day, and a chunk may contain several.
_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_IN_MAILBOX = f"f.format = 'mailbox' AND c.place GLOB '*, {_DAY}*'"
_FIRST_MOMENT = f"CASE WHEN {_IN_MAILBOX} THEN substr(c.place, instr(c.place, ', ') + 2, 10) ELSE f.moment END"
# Who sent a chunk's mail, or the mail that its file came with.
_SENDER = (
    "coalesce((SELECT m.sender FROM messages m WHERE m.document_id = c.document_id AND c.ordinal BETWEEN m.first AND m.last),"
    " '')"
)
_LAST_MOMENT = (
    f"CASE WHEN {_IN_MAILBOX} AND c.place GLOB '*, {_DAY}' THEN substr(c.place, -10) ELSE {_FIRST_MOMENT} END"
)

# The path of the file on the disk: what is in it has its name in the file behind that.
_FILE = "CASE d.inside WHEN '' THEN d.path ELSE substr(d.path, 1, length(d.path) - length(d.inside) - 1) END"

# Documents with their folder and date, and chunks with all of their document's columns. They are made for each connection and
# never stored, so that a catalog on a read-only disk has them too, and a change to them needs no migration. SQLite merges a
# view into the query that uses it: columns that are not selected cost nothing.
VIEWS = (
    f"""
    CREATE TEMP VIEW files AS
    SELECT d.id, r.path AS root, {_FILE} AS name, d.path AS own_name, d.content_hash,
        d.format, d.status, d.reason, d.title, d.metadata, d.chunk_count,
        {_MOMENT} AS moment
    FROM documents d JOIN roots r ON r.id = d.root_id
    """,
    f"""
    CREATE TEMP VIEW passages AS
    SELECT c.id, c.document_id, c.ordinal, c.content_hash, f.root, f.name, c.title, c.text, c.page, c.line, c.line_end,
        c.place, f.format, CASE c.ordinal WHEN 0 THEN f.metadata ELSE '' END AS metadata,
        {_FIRST_MOMENT} AS first_moment, {_LAST_MOMENT} AS moment, {_SENDER} AS sender, c.lines
    FROM chunks c JOIN files f ON f.id = c.document_id
    """,
)

LATEST_VERSION = 15  # migrations in schema.py, which is not imported to read
_WAIT_SECONDS = 30.0
_COPIED_BYTES = 1 << 29  # of a catalog that is read from memory where it could only be read under a lock
_MOMENT_SECONDS = 0.2  # for what can be left undone: see `writing_beside`


def open_collection(folder: CollectionFolder) -> CatalogReader:
    """Open a collection's catalog for reading, until it is closed.

    Raises what `open_for_reading` raises, and CollectionNotFoundError if a database does not have it yet.
    """
    if folder.url is not None:
        from searchkit.catalog.postgres import connection

        return connection.open_for_reading(folder)
    return open_for_reading(folder.catalog)


def open_for_reading(path: Path) -> CatalogReader:
    """Open a catalog that cannot be changed. A catalog of an older searchkit is migrated first.

    Raises CollectionBusyError if another process writes to that meanwhile, CatalogError if the catalog is damaged or
    from a newer searchkit.
    """
    is_usual = _can_be_written(path)
    connection = _connect(path) if is_usual else _connect_without_writing(path)
    version = _version(connection, path)
    if version == 0:
        raise CatalogError(f"{path} is not a catalog of searchkit. {UNTOUCHED}", remedy=remedy_of(path))
    if version < LATEST_VERSION:
        from searchkit.catalog.writer import writer_lock

        with writer_lock(path.parent):
            open_for_writing(path).close()
    _create_views(connection)
    connection.execute("PRAGMA query_only = 1")
    if is_usual:
        return CatalogReader(SqliteDatabase(connection, FTS5))
    return CatalogReader(SqliteDatabase(connection, FTS5, lambda: not _can_be_written(path)))


def _can_be_written(path: Path) -> bool:
    """True if SQLite can keep its journal and its index beside a catalog."""
    return os.access(path.parent, os.W_OK) and not is_disk_full(path.parent)


def open_for_writing(path: Path) -> CatalogWriter:
    """Open a catalog, created or migrated as needed. The caller has the collection's lock.

    Raises CatalogError as `open_for_reading` does.
    """
    if not path.exists():
        _create(path)
    connection = _connect(path)
    database = SqliteDatabase(connection, FTS5)
    if _version(connection, path) < LATEST_VERSION:
        _migrate(connection, path.parent.name)
        database.shrink()
    connection.execute("PRAGMA foreign_keys = 1")
    _create_views(connection)
    return CatalogWriter(database)


def open_as_it_is(path: Path) -> CatalogReader:
    """Open a catalog to look at its damage: nothing is migrated or checked. Raises sqlite3.DatabaseError if it cannot be read."""
    connection, ways = None, ["mode=ro"] if _can_be_written(path) else [*_ways_without_writing(path)]
    for how in ways[:-1]:
        with suppress(sqlite3.OperationalError):
            connection = connection or _connected(path, how)
    connection = connection or _connected(path, ways[-1])
    _create_views(connection)
    return CatalogReader(SqliteDatabase(connection, FTS5))


def memory_catalog() -> CatalogWriter:
    """Make an empty catalog in memory, to compare tables with."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _migrate(connection)
    _create_views(connection)
    return CatalogWriter(SqliteDatabase(connection, FTS5))


def _connect(path: Path) -> sqlite3.Connection:
    """Connect in autocommit mode, so that transactions begin where the code says so; never creates a file."""
    location = f"{path.absolute().as_uri()}?mode=rw"
    try:
        connection = sqlite3.connect(
            location, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False, uri=True
        )
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        remedy = FREE_SPACE if is_disk_full(path.parent) else remedy_of(path)
        raise CatalogError(f"The catalog {path} cannot be opened: {error}. {UNTOUCHED}", remedy=remedy) from error
    connection.execute(
        "PRAGMA synchronous = NORMAL"
    )  # in WAL mode: a power cut loses the last commits, damages nothing
    return connection


def _connect_without_writing(path: Path) -> sqlite3.Connection:
    """Open a catalog where nothing can be written, or the disk is full: with what is in its journal, and beside a live writer.

    Raises CatalogError if there is no way.
    """
    errors = []
    for how in _ways_without_writing(path):
        try:
            return _connected(path, how)
        except sqlite3.OperationalError as error:
            errors.append(str(error))
        except sqlite3.DatabaseError as error:
            raise CatalogError(f"The catalog {path} cannot be opened: {error}.", remedy=remedy_of(path)) from error
    remedy = FREE_SPACE if is_disk_full(path.parent) else Remedy(sentence="Get the permission to write there")
    raise CatalogError(
        f"The catalog {path} cannot be opened where nothing can be written: {errors[-1]}. {UNTOUCHED}", remedy=remedy
    )


def _ways_without_writing(path: Path) -> Iterator[str]:
    """How SQLite may be able to read a catalog beside which it can create no file, the best way first.

    A process that has it open has made the index of its journal, which others only map; `unix-none` and `unix-excl` keep an index
    of their own in memory, the latter with a lock. Without a journal the file is all there is.
    """
    if not os.access(path.parent, os.W_OK):
        if path.with_name(f"{path.name}-shm").exists():
            yield "mode=ro"
        yield "mode=ro&vfs=unix-none" if _journal_bytes(path) else "immutable=1"
        return
    yield "mode=rw"
    if _journal_bytes(path):
        _empty_journal(path)
    yield "mode=rw&vfs=unix-excl" if _journal_bytes(path) else "immutable=1"


def _empty_journal(path: Path) -> None:
    """Put what a killed process left in its journal into the catalog, as far as that needs no space; it is kept where it does."""
    with suppress(sqlite3.OperationalError), closing(_connected(path, "mode=rw&vfs=unix-excl")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connected(path: Path, how: str) -> sqlite3.Connection:
    """Connect, and read a first page. Raises sqlite3.OperationalError if that cannot be, DatabaseError for what is no catalog."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        if "unix-none" in how:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps the journal's index in memory
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if "unix-excl" not in how or path.stat().st_size + _journal_bytes(path) > _COPIED_BYTES:
            return connection
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.backup(copy)
    except BaseException:
        connection.close()
        raise
    connection.close()  # no other process waits for its lock
    return copy


def _journal_bytes(path: Path) -> int:
    """The size of what has been written to a catalog and is still in its journal."""
    journal = path.with_name(f"{path.name}-wal")
    return journal.stat().st_size if journal.exists() else 0


def _create(path: Path) -> None:
    """Create the tables in a file of another name first, so that a catalog never exists without them."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        _migrate(connection)
    unfinished.chmod(PRIVATE_FILE_MODE)
    sync_file(unfinished)
    unfinished.rename(path)


def _migrate(connection: sqlite3.Connection, collection: str = "") -> None:
    from searchkit.catalog.schema import migrate
    from searchkit.reports import Progress, tell_of_upgrade

    stage = f"Upgrading collection '{collection}' to this searchkit, once"
    migrate(connection, lambda done, total, unit: tell_of_upgrade(Progress(stage, done, total, unit)))


def _create_views(connection: sqlite3.Connection) -> None:
    for view in VIEWS:
        connection.execute(view)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Count the migrations that have been applied, without loading them."""
    try:
        version = int(connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    if version > LATEST_VERSION:
        raise CatalogError(f"The catalog {path} was written by a newer searchkit.", remedy=Remedy(Action.UPGRADE))
    return version


@contextmanager
def writing(
    folder: CollectionFolder,
    on_wait: Callable[[str], None] | None = None,
    *,
    beside_others: bool = False,
    work: Work = Work.WRITE,
) -> Iterator[CatalogWriter]:
    """Open the catalog for writing, created if it does not exist. `on_wait`, `work`: see `writer_lock`.

    `beside_others`: where the database can, others may write too, to other roots (see `Database.locked`).
    """
    if folder.url is not None:
        from searchkit.catalog.postgres import connection as server

        with server.writing(folder, on_wait, beside_others=beside_others, work=work) as catalog:
            folder.create()
            yield catalog
            write_recovery_record(folder, catalog)
        return
    from searchkit.catalog.writer import writer_lock  # searches need none

    with readable_errors(folder):
        folder.create()
        with writer_lock(folder.path, on_wait, work), open_for_writing(folder.catalog) as catalog:
            yield catalog
            write_recovery_record(folder, catalog)


@contextmanager
def held(folder: CollectionFolder) -> Iterator[None]:
    """Keep all others from writing to a collection that is renamed: nothing is written to its catalog.

    Raises CollectionBusyError if another process writes, CatalogError.
    """
    if folder.url is not None:
        from searchkit.catalog.postgres import connection as server

        with (
            server.writing(folder, None, beside_others=False, work=Work.RENAME)
            if server.exists(folder)
            else nullcontext()
        ):
            yield
        return
    from searchkit.catalog.writer import writer_lock

    with readable_errors(folder), writer_lock(folder.path, work=Work.RENAME):
        yield


def drop(folder: CollectionFolder) -> None:
    """Remove a collection from its database."""
    from searchkit.catalog.postgres import connection

    connection.delete(folder)


@contextmanager
def writing_meanwhile(folder: CollectionFolder) -> Iterator[CatalogWriter]:
    """Open the catalog for writing without the collection's lock, while an index run has it and expects that."""
    with readable_errors(folder), _opened_for_writing(folder) as catalog:
        yield catalog
        write_recovery_record(folder, catalog)


def _opened_for_writing(folder: CollectionFolder) -> CatalogWriter:
    if folder.url is None:
        return open_for_writing(folder.catalog)
    from searchkit.catalog.postgres import connection

    return connection.open_for_writing(folder)


@contextmanager
def writing_beside(folder: CollectionFolder) -> Iterator[CatalogWriter]:
    """Open a catalog for one short change, without the collection's lock: beside an index run, and never in its way.

    Raises an error of the database or OSError if the catalog is away, cannot be written, or is being written for longer than
    a moment.
    """
    if folder.url is not None:
        from searchkit.catalog.postgres import connection as server

        with server.open_beside(folder, _MOMENT_SECONDS) as catalog:
            yield catalog
        return
    path = folder.catalog
    if not os.access(path.parent, os.W_OK) or is_disk_full(path.parent):
        raise PermissionError(f"{path.parent} cannot be written.")
    location = f"{path.absolute().as_uri()}?mode=rw"  # never creates one
    connection = sqlite3.connect(location, timeout=_MOMENT_SECONDS, isolation_level=None, uri=True)
    with closing(connection):
        connection.execute("PRAGMA synchronous = NORMAL")
        yield CatalogWriter(SqliteDatabase(connection, FTS5))


@contextmanager
def reading(folder: CollectionFolder) -> Iterator[CatalogReader]:
    """Open the catalog for reading."""
    with readable_errors(folder), open_collection(folder) as catalog:
        yield catalog
