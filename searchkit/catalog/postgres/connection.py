"""Opens a collection in PostgreSQL: for reading, or for writing, which creates and migrates its schema first."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.postgres.database import APPLICATION, PREFIX, PostgresDatabase, adapt, lock_key
from searchkit.catalog.postgres.fulltext import Sight
from searchkit.catalog.postgres.schema import MIGRATIONS, migrate
from searchkit.errors import Action, CatalogError, CollectionNotFoundError, Remedy, UsageError
from searchkit.home import CollectionFolder, DatabaseUrl
from searchkit.reports import Work, Writer

_LEAST_SERVER, _LEAST_VECTOR = 150_000, (0, 7)
_CONNECT_SECONDS = 5
_LEFT_ALONE_SECONDS = 5.0  # a server that was not there: many collections may be in it, and somebody types
_FAILED: dict[str, tuple[float, psycopg.OperationalError]] = {}  # when each address failed last, and how
_LONGEST_NAME = 63  # bytes of a schema's
_CHECK = "Check the user, the database and the password, in the address or in ~/.pgpass."
_ASK_OWNER = "Ask the database's administrator for it."
# `search_path` leads to the collection's tables, and to the types of pgvector. Compiling queries would take longer than running
# them; plans are made for the values that are asked for. The graph is followed until enough of what a filter allows is found.
_SETTINGS = {
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "hnsw.ef_search": "1000",
    "hnsw.iterative_scan": "relaxed_order",
}


def schema_of(name: str) -> str:
    """The schema of a collection."""
    schema = PREFIX + name
    if len(schema.encode()) <= _LONGEST_NAME:
        return schema
    return f"{schema.encode()[:46].decode('utf-8', 'ignore')}_{lock_key(name) & 0xFFFFFFFFFFFFFFFF:016x}"


@contextmanager
def readable_errors_of(url: DatabaseUrl) -> Iterator[None]:
    """Turn errors of PostgreSQL into a CatalogError that names the database, without its password, and says what to do."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise CatalogError(f"{url} does not allow that: {_said(error, url)}.", remedy=_ASK_OWNER) from None
    except psycopg.errors.DiskFull as error:
        message = f"The disk of {url} is full: {_said(error, url)}. Nothing is lost."
        raise CatalogError(message, remedy="Free some space there, then try again.") from None
    except psycopg.OperationalError as error:
        raise _unreachable(error, url) from None
    except psycopg.Error as error:
        raise CatalogError(f"{url} cannot be used: {_said(error, url)}.") from error


def _unreachable(error: psycopg.OperationalError, url: DatabaseUrl) -> CatalogError:
    """What became of a connection: refused to this user, not made at all, or broken off."""
    if (attempt := error.pgconn) is None:
        message = f"{url} has broken off: {_said(error, url)}. What was committed is kept."
    elif attempt.used_password or attempt.needs_password:  # asked for by a server that is there
        return CatalogError(f"{url} refuses the connection: {_said(error, url)}.", remedy=_CHECK)
    else:
        message = f"{url} cannot be reached: {_said(error, url)}."
    return CatalogError(message, remedy="Try again once it is there.")


def _said(error: psycopg.Error, url: DatabaseUrl) -> str:
    """The first line of what the server or the library says, without anything of the address that is secret."""
    lines = (error.diag.message_primary or str(error)).strip().splitlines()
    said = lines[0].removeprefix("connection failed: ") if lines else type(error).__name__
    return url.without_secrets(said).rstrip(".")


@contextmanager
def reading(folder: CollectionFolder) -> Iterator[CatalogReader]:
    """Open a collection for reading, for the duration of a block."""
    with readable_errors_of(url_of(folder)), open_for_reading(folder) as catalog:
        yield catalog


def open_for_reading(folder: CollectionFolder) -> CatalogReader:
    """Open a collection that cannot be changed. Raises CollectionNotFoundError if the database has none of that name."""
    connection, schema = connected(folder)
    try:
        version = version_of(connection, schema)
        if version is None:
            raise CollectionNotFoundError(
                f"{url_of(folder)} has no collection '{folder.name}' yet.",
                remedy=Remedy(Action.INDEX_FOLDER, collection=folder.name),
            )
        if version < len(MIGRATIONS):
            create_schema(connection, schema, version)
        connection.execute("SET default_transaction_read_only = on")
        is_held_back = _is_held_back(connection, folder)
    except BaseException:
        connection.close()
        raise
    sight = Sight.ALL if not is_held_back else Sight.READER if folder.roots is None else Sight.SOME_ROOTS
    return CatalogReader(PostgresDatabase(connection, schema, sight))


def _is_held_back(connection: psycopg.Connection[Any], folder: CollectionFolder) -> bool:
    """True if the database decides row by row what this connection sees.

    Raises CatalogError if it is to see some roots alone, and the database does not keep the others from its user.
    """
    (is_active,) = connection.execute("SELECT row_security_active('documents')").fetchone() or (False,)
    if folder.roots is not None and not is_active:
        raise CatalogError(
            f"{url_of(folder)} keeps nothing from that user, who owns the collection '{folder.name}' or the server.",
            remedy="Name a user there who may only read: whoever owns the tables sees all of them.",
        )
    return bool(is_active)


@contextmanager
def writing(
    folder: CollectionFolder,
    on_wait: Callable[[str], None] | None,
    *,
    beside_others: bool,
    work: Work = Work.WRITE,
) -> Iterator[CatalogWriter]:
    """Open a collection for writing, created if it does not exist. `work`: what others are told of it.

    `beside_others`: others may write too, and what must not be done twice at a time is locked by itself; else nobody. `on_wait`:
    called with who has it, before waiting for them; without it CollectionBusyError is raised.
    """
    with readable_errors_of(url_of(folder)), open_for_writing(folder) as catalog:
        database = catalog.database
        assert isinstance(database, PostgresDatabase)
        name = f"{APPLICATION} {work}, {_process()}"[:_LONGEST_NAME]
        database.execute("SELECT set_config('application_name', ?, false)", (name,))
        database.lock(lock_key(database.schema), on_wait, is_shared=beside_others)
        yield catalog


def writer_in(catalog: CatalogReader) -> Writer | None:
    """See `catalog.writer.writer_of`."""
    database = catalog.database
    assert isinstance(database, PostgresDatabase)
    return database.writer(lock_key(database.schema))


def _process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def open_for_writing(folder: CollectionFolder) -> CatalogWriter:
    """Open a collection for writing, created or migrated as needed, without a lock."""
    _check_may_write(folder)
    connection, schema = connected(folder)
    try:
        version = version_of(connection, schema)
        if version is None or version < len(MIGRATIONS):
            create_schema(connection, schema, version)
    except BaseException:
        connection.close()
        raise
    return CatalogWriter(PostgresDatabase(connection, schema))


def open_beside(folder: CollectionFolder, wait_seconds: float) -> CatalogWriter:
    """Open a collection for a change that can be left undone: it waits for others so long at most, and never creates a schema."""
    _check_may_write(folder)
    connection, schema = connected(folder)
    try:
        if version_of(connection, schema) != len(MIGRATIONS):
            raise CatalogError(f"{url_of(folder)} has no collection '{folder.name}' of this searchkit.")
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{round(wait_seconds * 1000)}ms",))
    except BaseException:
        connection.close()
        raise
    return CatalogWriter(PostgresDatabase(connection, schema))


def exists(folder: CollectionFolder) -> bool:
    """True if the database has the collection."""
    with readable_errors_of(url_of(folder)):
        connection, schema = connected(folder)
        with connection:
            return version_of(connection, schema) is not None


def delete(folder: CollectionFolder) -> None:
    """Remove a collection's schema with all that is in it."""
    _check_may_write(folder)
    with readable_errors_of(url_of(folder)):
        connection, schema = connected(folder)
        with connection:
            drop_schema(connection, schema)


def _check_may_write(folder: CollectionFolder) -> None:
    """Raise CatalogError for whoever sees a part of the collection alone."""
    if folder.roots is not None:
        raise CatalogError(f"The collection '{folder.name}' cannot be changed by whoever sees a part of it.")


def drop_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Drop a schema with all that is in it, if it is there."""
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def url_of(folder: CollectionFolder) -> DatabaseUrl:
    """The address of the database that a collection lives in."""
    assert folder.url is not None, "the collection lives in PostgreSQL"
    return folder.url


def connected(folder: CollectionFolder) -> tuple[psycopg.Connection[Any], str]:
    """Connect, with the collection's schema first in the search path, whether or not it exists."""
    url = url_of(folder)
    schema = schema_of(url.collection or folder.name)
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url.full)
    except psycopg.Error:
        raise UsageError(f"{url} is not an address of PostgreSQL.", remedy=_ADDRESS) from None
    failed, error = _FAILED.get(url.full, (0.0, psycopg.OperationalError()))
    if time.monotonic() - failed < _LEFT_ALONE_SECONDS:
        raise error
    parts.setdefault("connect_timeout", _CONNECT_SECONDS)
    parts.setdefault("application_name", f"{APPLICATION}, {_process()}"[:_LONGEST_NAME])
    parts["client_encoding"] = "UTF8"
    try:
        connection = psycopg.connect(**parts, autocommit=True)  # type: ignore[arg-type]  # of libpq's own options
    except psycopg.OperationalError as error:
        _FAILED[url.full] = time.monotonic(), error
        raise
    try:
        halfvec, home = _pgvector(connection, url)
        path = sql.SQL(", ").join([sql.Identifier(schema), sql.Identifier(home), sql.SQL("pg_catalog")])
        connection.execute(sql.SQL("SET search_path = {}").format(path))
        for name, value in _SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        _set_time_zone(connection)
        if folder.roots is not None:
            connection.execute("SELECT set_config('searchkit.roots', %s, false)", (json.dumps(folder.roots),))
        adapt(connection, halfvec)
    except BaseException:
        connection.close()
        raise
    return connection, schema


_ADDRESS = "Write it as postgresql://USER@HOST/DATABASE; a password is better kept in ~/.pgpass."


def _pgvector(connection: psycopg.Connection[Any], url: DatabaseUrl) -> tuple[int, str]:
    """The number of the type `halfvec`, and the schema that has it. Raises CatalogError if the server is too old or lacks it."""
    if connection.info.server_version < _LEAST_SERVER:
        raise CatalogError(f"{url} is PostgreSQL {connection.info.server_version // 10_000}; it takes 15 or newer.")
    if connection.execute("SHOW server_encoding").fetchone() != ("UTF8",):
        raise CatalogError(f"{url} does not keep its texts in UTF-8.", remedy="Create a database that does.")
    query = (
        "SELECT t.oid, n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " LEFT JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = 'halfvec' WHERE e.extname = 'vector'"
    )
    found = connection.execute(query).fetchone()
    if found is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise CatalogError(
                f"{url} has no pgvector, and it cannot be added: {_said(error, url)}.",
                remedy="Have the server's administrator install pgvector, and run CREATE EXTENSION vector in that database.",
            ) from None
        found = connection.execute(query).fetchone()
    if found is None or found[0] is None or tuple(int(part) for part in found[2].split(".")[:2]) < _LEAST_VECTOR:
        version = found[2] if found else "missing"
        raise CatalogError(
            f"pgvector in {url} is {version}; it takes 0.7 or newer.",
            remedy="Have the server's administrator upgrade it, and run ALTER EXTENSION vector UPDATE.",
        )
    return int(found[0]), str(found[1])


def _set_time_zone(connection: psycopg.Connection[Any]) -> None:
    """Have the server tell times as this machine does: a file's day is the day here."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        connection.execute("SELECT set_config('timezone', %s, false)", (name or "UTC",))
    except psycopg.DataError:  # it knows no zone of that name, and keeps its own
        return


def version_of(connection: psycopg.Connection[Any], schema: str) -> int | None:
    """Count the migrations that have been applied; None if the schema is not there, or is nobody's of ours.

    Raises CatalogError if it is of a newer searchkit.
    """
    # Looked up as rows: what `to_regclass` has once not found, it may not find within a transaction that has waited for it either.
    there = (
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = 'migrations')"
    )
    if connection.execute(there, (schema,)).fetchone() != (True,):
        return None
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, "migrations"))
    (version,) = connection.execute(count).fetchone() or (0,)
    if version > len(MIGRATIONS):
        message = f"The collection in the schema {schema} was written by a newer searchkit."
        raise CatalogError(message, remedy=Remedy(Action.UPGRADE))
    return int(version)


def create_schema(connection: psycopg.Connection[Any], schema: str, version: int | None) -> None:
    """Create the schema or what it lacks, in one transaction; whoever does the same meanwhile waits."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(schema, "migrate"),))
        version = version_of(connection, schema)  # now that nobody else migrates
        if version is None:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            connection.execute("CREATE TABLE migrations (number integer PRIMARY KEY)")
        migrate(lambda statement: connection.execute(statement.encode()), version or 0)
