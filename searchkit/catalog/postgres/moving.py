"""Opens a collection's schema to be left, and a new one to be filled, when a collection moves; see catalog/moving.py.

All of a new schema is made in one transaction, so that nobody sees a part of it. It is marked by a comment until the data directory
that it was moved from uses it: one with that mark that nobody has written to is what a killed move has left, and is made anew.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, errors, sql

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import state_of
from searchkit.catalog.copying import KEYS, Source, Target
from searchkit.catalog.moving import already_there
from searchkit.catalog.postgres.connection import (
    connected,
    create_schema,
    drop_schema,
    exists,
    readable_errors_of,
    url_of,
    version_of,
    writing,
)
from searchkit.catalog.postgres.database import PostgresDatabase, lock_key
from searchkit.catalog.postgres.vectors import Halves
from searchkit.errors import Action, CatalogError, CollectionNotFoundError, Remedy
from searchkit.home import CollectionFolder
from searchkit.reports import Work

_ATTEMPTS = 5
_REFUSE = """
    CREATE OR REPLACE FUNCTION has_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the collection has moved'; END $$
    """
_INDEXES = """
    SELECT c.relname::text, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u')) ORDER BY c.relname
    """  # those that are no constraints
_MARK = "searchkit: a move that is not finished, "  # followed by the state of the catalog


class _Schema:
    """A schema that is to be left; see Source."""

    def __init__(self, catalog: CatalogReader, database: PostgresDatabase) -> None:
        self.catalog = catalog
        self._database = database

    def last_id(self, table: str) -> int:
        """See Source: where the sequence of its ids is."""
        name = f"{table}_id_seq"
        row = self.catalog.execute(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}").fetchone()
        return int(row[0])

    def remove(self) -> None:
        """See Source. Who waits to write is refused first: until then, dropping would wait for what they have read."""
        self.catalog.execute(_REFUSE)
        for table in KEYS:
            self.catalog.execute(
                f"CREATE OR REPLACE TRIGGER has_moved BEFORE INSERT OR UPDATE OR DELETE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION has_moved()"
            )
        self.catalog.execute("COMMIT")
        for attempt in range(_ATTEMPTS):
            try:
                drop_schema(self._database.connection, self._database.schema)
                return
            except errors.DeadlockDetected:  # with a search, which has read one table and waits for another
                if attempt == _ATTEMPTS - 1:
                    raise


@contextmanager
def leaving(folder: CollectionFolder) -> Iterator[Source]:
    """See `catalog.moving.leaving`. Raises CatalogError if the schema is another role's, who alone can remove it."""
    if not exists(folder):
        raise CollectionNotFoundError(
            f"{folder.url} has no collection '{folder.name}'.", remedy=Remedy(Action.SEE_COLLECTIONS)
        )
    with writing(folder, None, beside_others=False, work=Work.MOVE) as catalog:
        database = catalog.database
        assert isinstance(database, PostgresDatabase)
        owner = catalog.execute(
            "SELECT nspowner::regrole::text, pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = ?",
            (database.schema,),
        ).fetchone()
        if not owner[1]:
            raise CatalogError(
                f"The collection '{folder.name}' in {folder.url} belongs to {owner[0]}, who alone can move it.",
                remedy="Connect as that role.",
            )
        catalog.execute("BEGIN")
        try:
            catalog.execute(
                f"LOCK TABLE {', '.join(KEYS)} IN EXCLUSIVE MODE"
            )  # searches and `forget` write without a lock
            yield _Schema(catalog, database)
        finally:
            if database.is_open and database.in_transaction:
                catalog.execute("ROLLBACK")


class _NewSchema:
    """A schema that is to be filled; see Target."""

    takes_zeros = False

    def __init__(self, database: PostgresDatabase, *, is_left_over: bool) -> None:
        self.catalog = CatalogWriter(database)
        self._database = database
        self._is_left_over = is_left_over

    @contextmanager
    def filling(self) -> Iterator[None]:
        """See Target. Triggers are not for what is copied, and a file's document may come after what is in it.

        Indexes are made at the end, at once: words that go into one by one take many times as long.
        """
        connection, schema = self._database.connection, self._database.schema
        container = "ALTER TABLE documents ALTER CONSTRAINT documents_container_id_fkey"
        with self.catalog.transaction():
            if self._is_left_over:
                drop_schema(connection, schema)
            create_schema(connection, schema, None)
            connection.execute("ALTER TABLE vectors DISABLE TRIGGER USER")
            connection.execute(f"{container} DEFERRABLE INITIALLY DEFERRED".encode())
            indexes = connection.execute(_INDEXES, (schema,)).fetchall()
            for name, _ in indexes:
                connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            yield
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for _, definition in indexes:
                connection.execute(str(definition).encode())
            connection.execute(f"{container} NOT DEFERRABLE".encode())
            connection.execute("ALTER TABLE vectors ENABLE TRIGGER USER")
            _comment(connection, schema, _MARK + state_of(self.catalog))

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See Target: by COPY, in binary form."""
        connection = self._database.connection
        types = self._types_of(table)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
        halves = columns.index("vector") if "vector" in columns else None
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([types[name] for name in columns])
            for row in rows:
                if halves is not None:
                    vector = row[halves]
                    assert isinstance(vector, bytes)
                    copy.write_row([*row[:halves], Halves(vector), *row[halves + 1 :]])
                else:
                    copy.write_row(row)

    def continue_ids(self, table: str, last: int) -> None:
        """See Target."""
        largest = self.catalog.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        last = max(last, int(largest))
        self.catalog.execute(f"SELECT setval('{table}_id_seq', ?::bigint, ?)", (max(1, last), last > 0))

    def publish(self) -> None:
        """See Target: it has been there since the transaction ended."""
        self.catalog.optimize()

    def settle(self) -> None:
        """See Target."""
        _comment(self._database.connection, self._database.schema, None)

    def _types_of(self, table: str) -> dict[str, int]:
        """The types of a table's columns, by their numbers."""
        rows = self.catalog.execute(
            "SELECT attname::text, atttypid::bigint FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0",
            (table,),
        )
        return dict(rows.fetchall())


@contextmanager
def arriving(folder: CollectionFolder) -> Iterator[Target]:
    """See `catalog.moving.arriving`."""
    with readable_errors_of(url_of(folder)):
        connection, schema = connected(folder)
        with connection:
            database = PostgresDatabase(connection, schema)
            database.lock(lock_key(schema), None, is_shared=False)
            is_there = version_of(connection, schema) is not None
            if is_there and _mark(connection, schema) != _MARK + state_of(CatalogReader(database)):
                raise already_there(folder)
            yield _NewSchema(database, is_left_over=is_there)


def settle(folder: CollectionFolder) -> None:
    """Remove the mark, after a move that was interrupted."""
    with readable_errors_of(url_of(folder)):
        connection, schema = connected(folder)
        with connection:
            if version_of(connection, schema) is not None and _mark(connection, schema).startswith(_MARK):
                _comment(connection, schema, None)


def _mark(connection: Connection[Any], schema: str) -> str:
    row = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone()
    return str(row[0] or "") if row else ""


def _comment(connection: Connection[Any], schema: str, text: str | None) -> None:
    statement = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(text))
    connection.execute(statement)
