"""The catalog's tables, as numbered migrations: never edited once released, only followed by new ones."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

from searchkit.catalog import fulltext
from searchkit.catalog.catalog import CatalogWriter

Migration = Callable[[sqlite3.Connection], None]
_SET = "searchkit"
# The table that the package sqlite-utils makes, with which catalogs have kept their migrations from the first.
_RECORD = (
    'CREATE TABLE "_sqlite_migrations" (\n   "id" INTEGER PRIMARY KEY,\n   "migration_set" TEXT,\n   "name" TEXT,\n'
    '   "applied_at" TEXT\n)',
    'CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"\n'
    '    ON "_sqlite_migrations" ("migration_set", "name")',
)


# `verify` compares these texts with those in the catalog, blanks included.
_INITIAL = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE roots (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE)",
    "CREATE TABLE exclusions (path TEXT PRIMARY KEY) WITHOUT ROWID",
    """
        CREATE TABLE documents (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            root_id INTEGER NOT NULL REFERENCES roots(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            content_hash BLOB,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            ctime_ns INTEGER NOT NULL,
            format TEXT NOT NULL,
            status TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            title TEXT NOT NULL DEFAULT '',
            recipe TEXT NOT NULL,
            UNIQUE (root_id, path)
        )
        """,
    "CREATE INDEX documents_by_content ON documents(content_hash)",
    """
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
            ordinal INTEGER NOT NULL,
            text TEXT NOT NULL,
            title TEXT NOT NULL,
            page INTEGER,
            line INTEGER,
            line_end INTEGER,
            token_count INTEGER NOT NULL,
            content_hash BLOB NOT NULL,
            UNIQUE (document_id, ordinal)
        )
        """,
    "CREATE INDEX chunks_by_content ON chunks(content_hash)",
    """
        CREATE VIRTUAL TABLE fulltext USING fts5(
            name, title, text, content='', tokenize="porter unicode61 remove_diacritics 2"
        )
        """,
    "CREATE VIRTUAL TABLE fulltext_terms USING fts5vocab(fulltext, row)",
    """
        CREATE TABLE vectors (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            content_hash BLOB NOT NULL,
            fingerprint TEXT NOT NULL,
            vector BLOB NOT NULL,
            UNIQUE (content_hash, fingerprint)
        )
        """,
)


def m001_initial(connection: sqlite3.Connection) -> None:
    """The tables of the first release.

    documents.path is relative to its root. chunks.content_hash names what the model sees (title and text), so that
    equal passages share one vector. The full-text table stores no content: rows are removed by the values that
    were indexed, which follow from chunks and documents (see fulltext.py).
    """
    for statement in _INITIAL:
        connection.execute(statement)


def m002_places_and_seals(connection: sqlite3.Connection) -> None:
    """Places and metadata in the formats' own terms, remedies, and checksums that show damage (see checksums.py).

    The checksums (`seal`) stay NULL for what an older searchkit wrote; they come with the next change, or `searchkit rebuild`.
    """
    connection.execute("ALTER TABLE chunks ADD COLUMN place TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE documents ADD COLUMN remedy TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE documents ADD COLUMN scanned_pages INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE documents ADD COLUMN chunk_count INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "UPDATE documents SET chunk_count = (SELECT count(*) FROM chunks WHERE document_id = documents.id)"
    )
    connection.execute("ALTER TABLE documents ADD COLUMN seal BLOB")
    connection.execute("ALTER TABLE vectors ADD COLUMN seal BLOB")
    connection.execute("ALTER TABLE roots ADD COLUMN device INTEGER")
    connection.execute("CREATE INDEX documents_by_size ON documents(size_bytes)")


def m003_removed_vectors(connection: sqlite3.Connection) -> None:
    """Lets an index catch up without reading every vector: vectors by model, and those removed since it was built."""
    connection.execute("CREATE INDEX vectors_by_model ON vectors(fingerprint)")
    connection.execute("CREATE TABLE removed_vectors (id INTEGER PRIMARY KEY)")
    connection.execute(
        """
        CREATE TRIGGER vectors_are_removed AFTER DELETE ON vectors
        BEGIN INSERT OR IGNORE INTO removed_vectors VALUES (old.id); END
        """
    )


def m004_one_spelling(connection: sqlite3.Connection) -> None:
    """Fill the full-text table again: letters that can be written in two ways are now one (see text.py)."""
    fulltext.refill(CatalogWriter(connection))


MIGRATIONS: tuple[Migration, ...] = (m001_initial, m002_places_and_seals, m003_removed_vectors, m004_one_spelling)


def migrate(connection: sqlite3.Connection, *, up_to: Migration = MIGRATIONS[-1]) -> None:
    """Apply the migrations that a catalog lacks, each with its record in one transaction."""
    applied = _applied(connection)
    for migration in MIGRATIONS[: MIGRATIONS.index(up_to) + 1]:
        if migration.__name__ in applied:
            continue
        with CatalogWriter(connection).transaction():
            migration(connection)
            connection.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
                (_SET, migration.__name__, str(datetime.now(UTC))),
            )


def _applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the migrations that have been applied; begin their record in a new file."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        for statement in _RECORD:
            connection.execute(statement)
    found = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,))
    return {name for (name,) in found}
