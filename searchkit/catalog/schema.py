"""The catalog's tables, as numbered migrations: never edited once released, only followed by new ones.

Work that a later one does again, such as filling the full-text table, is left to that one.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database, Migrations

from searchkit.catalog import checksums, fulltext, messages
from searchkit.catalog.catalog import CatalogWriter, SqliteDatabase

migrations = Migrations("searchkit")


OnDone = Callable[[int, int, str], None]
_ROWS_AT_A_TIME = 2000


class _Upgraded(Database):
    """A catalog that is being migrated. `on_done`: called with how many are done, of how many, and what they are."""

    def __init__(self, connection: sqlite3.Connection, on_done: OnDone) -> None:
        super().__init__(connection)
        self.on_done = on_done


def migrate(connection: sqlite3.Connection, on_done: OnDone) -> None:
    """Apply what is missing, each migration whole or not at all. `on_done`: see `_Upgraded`; what takes long calls it."""
    migrations.apply(_Upgraded(connection, on_done))


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


@migrations()
def m001_initial(db: Database) -> None:
    """The tables of the first release.

    documents.path is relative to its root. chunks.content_hash names what the model sees (title and text), so that
    equal passages share one vector. The full-text table stores no content: rows are removed by the values that
    were indexed, which follow from chunks and documents (see fulltext.py).
    """
    for statement in _INITIAL:
        db.execute(statement)


@migrations()
def m002_places_and_seals(db: Database) -> None:
    """Places and metadata in the formats' own terms, remedies, and checksums that show damage (see checksums.py).

    The checksums (`seal`) stay NULL for what an older searchkit wrote; they come with the next change, or `searchkit rebuild`.
    """
    db.execute("ALTER TABLE chunks ADD COLUMN place TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE documents ADD COLUMN remedy TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE documents ADD COLUMN scanned_pages INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE documents ADD COLUMN chunk_count INTEGER NOT NULL DEFAULT 0")
    db.execute("UPDATE documents SET chunk_count = (SELECT count(*) FROM chunks WHERE document_id = documents.id)")
    db.execute("ALTER TABLE documents ADD COLUMN seal BLOB")
    db.execute("ALTER TABLE vectors ADD COLUMN seal BLOB")
    db.execute("ALTER TABLE roots ADD COLUMN device INTEGER")
    db.execute("CREATE INDEX documents_by_size ON documents(size_bytes)")


@migrations()
def m003_removed_vectors(db: Database) -> None:
    """Lets an index catch up without reading every vector: vectors by model, and those removed since it was built."""
    db.execute("CREATE INDEX vectors_by_model ON vectors(fingerprint)")
    db.execute("CREATE TABLE removed_vectors (id INTEGER PRIMARY KEY)")
    db.execute(
        """
        CREATE TRIGGER vectors_are_removed AFTER DELETE ON vectors
        BEGIN INSERT OR IGNORE INTO removed_vectors VALUES (old.id); END
        """
    )


@migrations()
def m004_one_spelling(db: Database) -> None:
    """Filled the full-text table again, as `m013_days_without_years` does: letters with two spellings are one."""


@migrations()
def m005_provisional_vectors(db: Database) -> None:
    """Guesses at vectors that the model has not computed yet (see provisional.py); they go when passages go or are read."""
    db.execute(
        "CREATE TABLE provisional (id INTEGER PRIMARY KEY AUTOINCREMENT, content_hash BLOB NOT NULL UNIQUE, code BLOB NOT NULL)"
    )
    db.execute("CREATE TABLE provisional_correction (matrix BLOB NOT NULL)")
    db.execute(
        """
        CREATE TRIGGER provisional_is_replaced AFTER INSERT ON vectors
        BEGIN DELETE FROM provisional WHERE content_hash = new.content_hash; END
        """
    )
    db.execute(
        """
        CREATE TRIGGER provisional_is_removed AFTER DELETE ON chunks
        BEGIN DELETE FROM provisional WHERE content_hash = old.content_hash
            AND NOT EXISTS (SELECT 1 FROM chunks WHERE content_hash = old.content_hash); END
        """
    )


@migrations()
def m006_documents_in_documents(db: Database) -> None:
    """Documents inside a file, such as attachments of a mail: the file's document, and the name in it, with which the path ends."""
    db.execute("ALTER TABLE documents ADD COLUMN container_id INTEGER REFERENCES documents(id) ON DELETE CASCADE")
    db.execute("ALTER TABLE documents ADD COLUMN inside TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX documents_by_container ON documents(container_id) WHERE container_id IS NOT NULL")


@migrations()
def m007_folded_by_unicode(db: Database) -> None:
    """Made the full-text table anew, as `m013_days_without_years` does: folded by Unicode's rules, numbers and dates named."""


@migrations()
def m008_asked_documents(db: Database) -> None:
    """Documents that questions were about while they were not embedded: the next to be."""
    db.execute("CREATE TABLE asked (document_id INTEGER PRIMARY KEY REFERENCES documents(id) ON DELETE CASCADE)")


@migrations()
def m009_messages(db: Database) -> None:
    """People, subjects and attachments of mail, from the passages. What they do not say (Bcc) comes when a mail is read again."""
    catalog = CatalogWriter(SqliteDatabase(db.conn, fulltext.FTS5))
    messages.create(catalog)
    messages.refill(catalog)


@migrations()
def m010_left_out_inside(db: Database) -> None:
    """What readers leave out of documents, as JSON: how many things of each kind."""
    db.execute("ALTER TABLE documents ADD COLUMN left_out TEXT NOT NULL DEFAULT ''")


@migrations()
def m011_hebrew_and_han(db: Database) -> None:
    """Made the full-text table anew, which `m013_days_without_years` does: Hebrew words lose their prefixes, and Han
    characters are simplified ones.
    """


@migrations()
def m012_lines_and_abbreviations(db: Database) -> None:
    """The lines of a passage's parts, which come when a file is read again (see types.py). Made the full-text table anew, which
    `m013_days_without_years` does: Hebrew abbreviations are one word.
    """
    db.execute("ALTER TABLE chunks ADD COLUMN lines TEXT NOT NULL DEFAULT ''")


@migrations()
def m013_days_without_years(db: Database) -> None:
    """Makes the full-text table anew: days have names without their years."""
    db.execute("DROP TABLE fulltext")
    catalog = CatalogWriter(SqliteDatabase(db.conn, fulltext.FTS5))
    fulltext.create(catalog)
    fulltext.refill(catalog, lambda done, total: _tell(db, done, total, "documents"))


@migrations()
def m014_no_statistics(db: Database) -> None:
    """Drops SQLite's statistics, which are not kept any more: see `SqliteDatabase.optimize`."""
    db.execute("DROP TABLE IF EXISTS sqlite_stat1")
    db.execute("DROP TABLE IF EXISTS sqlite_stat4")


@migrations()
def m015_vectors_in_bytes(db: Database) -> None:
    """Stores vectors in 8 bits a component (see vector_codes.py), and a number for their model, so that a page of 4096 bytes has
    five of 768 dimensions. A damaged one stays as it is, since its checksum tells so.
    """
    db.execute(
        "CREATE TABLE models"
        " (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, seal BLOB NOT NULL)"
    )
    for fingerprint, dimension in db.execute(
        "SELECT fingerprint, max(length(vector)) / 2 FROM vectors GROUP BY fingerprint"
    ).fetchall():
        seal = checksums.model_checksum(fingerprint, dimension)
        db.execute("INSERT INTO models (fingerprint, dimension, seal) VALUES (?, ?, ?)", (fingerprint, dimension, seal))
    for statement in (
        "DROP TRIGGER vectors_are_removed",
        "DROP TRIGGER provisional_is_replaced",
        "DROP INDEX vectors_by_model",
        "ALTER TABLE vectors RENAME TO vectors_in_halves",
        """
        CREATE TABLE vectors (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            content_hash BLOB NOT NULL,
            model INTEGER NOT NULL REFERENCES models(id),
            vector BLOB NOT NULL,
            seal BLOB,
            UNIQUE (content_hash, model)
        )
        """,
    ):
        db.execute(statement)
    _copy_in_bytes(db)
    for statement in (
        "DELETE FROM sqlite_sequence WHERE name = 'vectors'",
        "INSERT INTO sqlite_sequence SELECT 'vectors', seq FROM sqlite_sequence WHERE name = 'vectors_in_halves'",
        "DROP TABLE vectors_in_halves",
        "CREATE INDEX vectors_by_model ON vectors(model)",
        """
        CREATE TRIGGER vectors_are_removed AFTER DELETE ON vectors
        BEGIN INSERT OR IGNORE INTO removed_vectors VALUES (old.id); END
        """,
        """
        CREATE TRIGGER provisional_is_replaced AFTER INSERT ON vectors
        BEGIN DELETE FROM provisional WHERE content_hash = new.content_hash; END
        """,
    ):
        db.execute(statement)


def _copy_in_bytes(db: Database) -> None:
    total, done = db.execute("SELECT count(*) FROM vectors_in_halves").fetchone()[0], 0
    rows = db.execute(
        "SELECT v.id, content_hash, v.fingerprint, m.id, m.dimension, vector, v.seal"
        " FROM vectors_in_halves v JOIN models m ON m.fingerprint = v.fingerprint ORDER BY v.id"
    )
    while batch := rows.fetchmany(_ROWS_AT_A_TIME):
        db.conn.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?, ?)", map(_in_bytes, batch))
        done += len(batch)
        _tell(db, done, total, "vectors")


def _in_bytes(row: tuple[Any, ...]) -> tuple[object, ...]:
    from searchkit.catalog.vector_codes import decoded, encoded
    from searchkit.types import Storage

    vector_id, content_hash, fingerprint, model, dimension, vector, seal = row
    if len(vector) == 2 * dimension and seal in (None, checksums.vector_checksum(content_hash, fingerprint, vector)):
        (vector,) = encoded(decoded([vector], dimension), Storage.STANDARD)
        seal = seal and checksums.vector_checksum(content_hash, fingerprint, vector)
    return vector_id, content_hash, model, vector, seal


def _tell(db: Database, done: int, total: int, unit: str) -> None:
    if isinstance(db, _Upgraded):
        db.on_done(done, total, unit)
