"""A connection to a collection's schema in PostgreSQL; see `Database`.

Statements come in the SQL that all catalogs share; here their parameters are numbered as PostgreSQL wants them. Vectors go to and
from `halfvec` in the binary form of pgvector, so that no number is ever printed and read again.
"""

import re
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, RawCursor, RawServerCursor
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format, TransactionStatus
from psycopg.types.string import StrDumperUnknown

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.database import Dialect, Rows
from searchkit.catalog.postgres.fulltext import Sight, TsVectors, merge_counts
from searchkit.catalog.postgres.vectors import Halves, ServerVectors
from searchkit.errors import UsageError
from searchkit.reports import Work, Writer

_DIALECT = Dialect(
    listed="(SELECT value::bigint FROM json_array_elements_text(?::json))",
    is_allowed=r"substr(?, ({id} + 1)::int, 1) = '\x01'::bytea",
    contains="strpos({text}, ?) > 0",
    like="ILIKE",
    first="JOIN",
    model="?",
    fingerprint="{model}",
    new_model="",
)
_PARAMETER = re.compile(r"\?(\d*)")
_ROWS_AT_A_TIME = 2000
_NUMBERS = count()  # of cursors
_NO_ZERO = "\ufffd"  # PostgreSQL's texts have no character 0


@lru_cache(maxsize=4096)
def _numbered(statement: str) -> str:
    """A statement with PostgreSQL's own parameters: $1 and so on."""
    numbers = count(1)
    return _PARAMETER.sub(lambda found: f"${found[1] or next(numbers)}", statement)


class _HalvesDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Halves) -> Buffer:
        """Make pgvector's binary form: the dimension, nothing, and the components, largest byte first."""
        components = array("H", obj)
        components.byteswap()
        return struct.pack(">HH", len(components), 0) + components.tobytes()


class _HalvesLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        """Read pgvector's binary form."""
        components = array("H", bytes(data)[4:])
        components.byteswap()
        return components.tobytes()


class _TextDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        """Make the text, with another sign for each character 0."""
        return super().dump(obj.replace("\0", _NO_ZERO) if "\0" in obj else obj)


def adapt(connection: Connection[Any], halfvec: int) -> None:
    """Have a connection take texts and vectors as catalogs do. `halfvec`: the number of that type in the database."""
    dumper = type("HalvesDumper", (_HalvesDumper,), {"oid": halfvec})
    context: AdaptContext = connection
    context.adapters.register_dumper(Halves, dumper)
    context.adapters.register_dumper(str, _TextDumper)
    context.adapters.register_loader(halfvec, _HalvesLoader)


class PostgresDatabase:
    """A connection whose first schema is a collection's; see Database."""

    dialect = _DIALECT
    is_remote = True

    def __init__(self, connection: Connection[Any], schema: str, sight: Sight = Sight.ALL) -> None:
        self.fulltext = TsVectors(sight)
        self.vectors = ServerVectors(schema, sight)
        self._sees_all = sight is not Sight.SOME_ROOTS
        self.schema = schema
        self._claims: list[int] = []  # keys of locks
        self._has_locked = False
        self.connection = connection

    @property
    def version(self) -> str:
        """See Database. Any transaction in the server changes it."""
        return str(self.execute("SELECT pg_current_snapshot()::text", ()).fetchone()[0])

    @property
    def in_transaction(self) -> bool:
        """See Database."""
        return self.connection.info.transaction_status is not TransactionStatus.IDLE

    @property
    def is_open(self) -> bool:
        """See Database. Once the server has gone, a new connection is needed."""
        return not (self.connection.closed or self.connection.broken)

    def execute(self, statement: str, values: Sequence[object]) -> Rows:
        """See Database."""
        cursor: RawCursor[Any] = RawCursor(self.connection)
        return cursor.execute(_numbered(statement).encode(), values, binary=True)

    def each(self, query: str, values: Sequence[object]) -> Iterator[Any]:
        """See Database: by a cursor in the server."""
        hold = not self.in_transaction
        with RawServerCursor(self.connection, f"rows_{next(_NUMBERS)}", withhold=hold) as cursor:
            cursor.itersize = _ROWS_AT_A_TIME
            yield from cursor.execute(_numbered(query).encode(), values, binary=True)

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """See Database."""
        cursor: RawCursor[Any] = RawCursor(self.connection)
        cursor.executemany(_numbered(statement).encode(), list(rows))
        return max(cursor.rowcount, 0)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Database."""
        with self.connection.transaction():
            yield
        self.fulltext.merge_new(CatalogReader(self))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See Database."""
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            with suppress(psycopg.Error):  # the server may have gone
                self.connection.rollback()

    def count(self, table: str) -> int:
        """See Database. Chunks are counted as they come and go: there may be a hundred million."""
        if table == "chunks" and self._sees_all:
            row = self.execute("SELECT coalesce(sum(amount), 0) FROM totals WHERE name = 'chunks'", ()).fetchone()
        else:
            row = self.execute(f"SELECT count(*) FROM {table}", ()).fetchone()
        return int(row[0])

    def size_bytes(self) -> int:
        """See Database: tables and their indexes; 0 for whoever sees a part of them."""
        if not self._sees_all:
            return 0
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'"
        )
        return int(self.execute(query, (self.schema,)).fetchone()[0])

    def shrink(self) -> None:
        """See Database: the server does so."""

    def stored_vector(self, vector: bytes) -> Halves:
        """See Database: in half precision."""
        return Halves(vector)

    def take_turns(self, what: str) -> None:
        """See Database: the others wait until this transaction ends."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (lock_key(self.schema, what),))

    @contextmanager
    def locked(self, names: Sequence[str], on_wait: Callable[[str], None] | None) -> Iterator[None]:
        """See Database."""
        keys = sorted(lock_key(self.schema, name) for name in names)
        held: list[int] = []
        try:
            for key in keys:
                self.lock(key, on_wait, is_shared=False)
                held.append(key)
            yield
        finally:
            with suppress(psycopg.Error):  # then the server has let go of them
                for key in held:
                    self.execute("SELECT pg_advisory_unlock(?)", (key,))

    def claim(self, name: str) -> bool:
        """See Database: a lock of the session, as queues in PostgreSQL have them; it goes with whoever is killed."""
        key = lock_key(self.schema, "work", name)
        taken = bool(self.execute("SELECT pg_try_advisory_lock(?)", (key,)).fetchone()[0])
        self._claims += [key] if taken else []
        return taken

    def release(self) -> None:
        """See Database."""
        with suppress(psycopg.Error):  # then the server has let go of them
            for key in self._claims:
                self.execute("SELECT pg_advisory_unlock(?)", (key,))
        self._claims = []

    def lock(self, key: int, on_wait: Callable[[str], None] | None, *, is_shared: bool) -> None:
        """Lock a key until the connection is closed. Raises CollectionBusyError if another has it, unless `on_wait` is given."""
        kind, writer = "_shared" if is_shared else "", None
        self._has_locked = True
        for _ in range(_TRIES):
            if self.execute(f"SELECT pg_try_advisory_lock{kind}(?)", (key,)).fetchone()[0]:
                return
            if writer := self.writer(key):
                break
        from searchkit.catalog.writer import busy, who

        writer = writer or Writer()
        if on_wait is None:
            raise busy(self.schema.removeprefix(PREFIX), writer)
        on_wait(who(writer))
        self.execute(f"SELECT pg_advisory_lock{kind}(?)", (key,))

    def writer(self, key: int) -> Writer | None:
        """Who has a lock on a key, whether or not beside others; None if nobody has."""
        row = self.execute(
            "SELECT a.application_name::text, a.usename::text, a.backend_start FROM pg_locks l"
            " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()"
            " AND l.classid = (?1::bigint >> 32 & 4294967295)::oid AND l.objid = (?1::bigint & 4294967295)::oid LIMIT 1",
            (key,),
        ).fetchone()
        if not row:
            return None
        name, _, process = row[0].partition(", ")
        work = name.removeprefix(f"{APPLICATION} ")
        since = row[2].astimezone().isoformat(timespec="seconds") if row[2] else ""
        return Writer(Work(work) if work in list(Work) else Work.WRITE, f"{process or name} ({row[1]})", since)

    def optimize(self) -> None:
        """Merge the counts of the vocabulary, and have the server look at what has changed."""
        merge_counts(CatalogReader(self))
        with suppress(psycopg.errors.InsufficientPrivilege):
            for table in ("documents", "chunks", "fulltext", "vectors", "terms", "messages"):
                self.execute(f"ANALYZE {table}", ())

    def erase_what_is_removed(self) -> None:
        """See Database: the server's own vacuum does, and its write-ahead log is its owner's."""

    def copy_to(self, path: Path) -> None:
        """Refuse: see Database."""
        raise UsageError(
            f"A collection in PostgreSQL cannot be copied to {path.name}.",
            remedy="Evaluate a collection of this machine.",
        )

    def close(self) -> None:
        """See Database. Locks are let go before: the server does so only when it notices that the connection is gone."""
        if self._has_locked and not self.connection.closed:
            with suppress(psycopg.Error):
                self.connection.execute("SELECT pg_advisory_unlock_all()")
        self.connection.close()


_TRIES = 5  # to get a lock that nobody is seen to have: whoever had it has just gone
PREFIX = "searchkit_"  # of schemas
APPLICATION = "searchkit"  # as connections name themselves, with what they do and a comma before the process


def lock_key(*names: str) -> int:
    """The number by which the server knows a lock of ours."""
    from hashlib import blake2b

    return int.from_bytes(
        blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True
    )
