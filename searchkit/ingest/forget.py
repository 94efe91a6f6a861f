"""Taking folders and files out of a collection, at once and for good. The files themselves are not touched."""

import sqlite3
from pathlib import Path

from searchkit.catalog import documents, roots, vectors
from searchkit.catalog.connection import transaction
from searchkit.paths import path_to_text


def forget_path(connection: sqlite3.Connection, target: Path) -> int | None:
    """Remove roots at or below `target`, or the documents at or below it, which later runs then leave out.

    Returns the number of documents removed, None if the collection has nothing to do with the path. Vectors that no
    other document needs go as well.
    """
    removed: int | None = None
    with transaction(connection):
        for root in roots.all_roots(connection):
            if root.path.is_relative_to(target):
                removed = (removed or 0) + documents.remove_below(connection, root.id, "")
                roots.remove_root(connection, root)
            elif target.is_relative_to(root.path):
                below = path_to_text(target.relative_to(root.path))
                count = documents.remove_below(connection, root.id, below)
                if count:
                    roots.exclude(connection, target)
                    removed = (removed or 0) + count
        if removed is not None:
            vectors.remove_orphans(connection)
    return removed
