"""The folders that a collection mirrors, and the places below them that the user wants left out."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from searchkit.paths import path_from_text, path_to_text


@dataclass(frozen=True, slots=True)
class Root:
    """An indexed folder, by its absolute path."""

    id: int
    path: Path


def all_roots(connection: sqlite3.Connection) -> list[Root]:
    """Every root, in the order in which they were added."""
    rows = connection.execute("SELECT id, path FROM roots ORDER BY id")
    return [Root(root_id, path_from_text(path)) for root_id, path in rows]


def add_root(connection: sqlite3.Connection, path: Path) -> Root:
    """The root at a path, added if it is new."""
    text = path_to_text(path)
    connection.execute("INSERT INTO roots (path) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    row = connection.execute("SELECT id FROM roots WHERE path = ?", (text,)).fetchone()
    return Root(int(row[0]), path)


def remove_root(connection: sqlite3.Connection, root: Root) -> None:
    """Remove a root whose documents are gone already."""
    connection.execute("DELETE FROM roots WHERE id = ?", (root.id,))


def exclusions(connection: sqlite3.Connection) -> frozenset[Path]:
    """Absolute paths of files and folders that were forgotten and stay so."""
    return frozenset(path_from_text(text) for (text,) in connection.execute("SELECT path FROM exclusions"))


def exclude(connection: sqlite3.Connection, path: Path) -> None:
    """Leave a path out of every later run."""
    connection.execute("INSERT INTO exclusions VALUES (?) ON CONFLICT DO NOTHING", (path_to_text(path),))


def include_again(connection: sqlite3.Connection, path: Path) -> None:
    """Take back the exclusion of a path."""
    connection.execute("DELETE FROM exclusions WHERE path = ?", (path_to_text(path),))
