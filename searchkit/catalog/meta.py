"""Small facts about a collection: its model, when it was last brought up to date."""

import sqlite3

MODEL = "model"  # the name of the model whose vectors the collection uses
COVERED = "covered_fingerprint"  # the model of which no vector was missing when the last index run ended
UPDATED = "updated_at"  # local time with offset, when the last index run ended


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """The value of a key, None if it was never set."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Set a key within the caller's transaction."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )
