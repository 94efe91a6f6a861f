"""The passages behind candidates: which text a hit shows, and where it stands."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.fulltext import said_of_itself
from searchkit.paths import path_from_text


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage where it first stands; `copies` counts its further places.

    `name`: the path below the root, and with a document's first passage what it says of itself: words found besides the text.
    """

    path: Path
    name: str
    title: str
    text: str
    page: int | None
    line: int | None
    line_end: int | None
    place: str
    copies: int


def hashes_of_chunks(connection: sqlite3.Connection, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """Content hash by chunk id."""
    marks = ",".join("?" * len(chunk_ids))
    return dict(connection.execute(f"SELECT id, content_hash FROM chunks WHERE id IN ({marks})", chunk_ids).fetchall())


def read_passage(connection: sqlite3.Connection, content_hash: bytes) -> StoredPassage | None:
    """The passage of a content hash, None if the last document that held it is gone."""
    rows = connection.execute(
        """
        SELECT r.path, d.path, c.title, c.text, c.page, c.line, c.line_end, c.place,
            CASE c.ordinal WHEN 0 THEN d.metadata ELSE '' END
        FROM chunks c JOIN documents d ON d.id = c.document_id JOIN roots r ON r.id = d.root_id
        WHERE c.content_hash = ? ORDER BY r.path, d.path, c.ordinal
        """,
        (content_hash,),
    ).fetchall()
    if not rows:
        return None
    root, name, title, text, page, line, line_end, place, metadata = rows[0]
    path = path_from_text(root) / path_from_text(name)
    words = f"{name} {said_of_itself(metadata)}".rstrip()
    return StoredPassage(path, words, title, text, page, line, line_end, place, copies=len(rows) - 1)
