"""Taking folders and files out of a collection, at once and for good. The files themselves are not touched."""

import sqlite3
from pathlib import Path

from searchkit.catalog import documents, roots, vectors
from searchkit.catalog.connection import transaction
from searchkit.catalog.roots import Root
from searchkit.files import path_to_text


def forget_path(connection: sqlite3.Connection, target: Path) -> int | None:
    """Remove roots at or below `target`, or the documents at or below it, which later runs then leave out.

    Returns the number of documents removed, None if the collection has nothing to do with the path. Vectors that no
    other document needs go as well, and the file's pages that held the text are overwritten.
    """
    connection.execute("PRAGMA secure_delete = ON")
    removed: int | None = None
    with transaction(connection):
        for root in roots.all_roots(connection):
            if root.path.is_relative_to(target):
                removed = (removed or 0) + _remove_below(connection, root, "")
                roots.remove_root(connection, root)
            elif target.is_relative_to(root.path):
                count = _remove_below(connection, root, path_to_text(target.relative_to(root.path)))
                if count:
                    roots.exclude(connection, target)
                    removed = (removed or 0) + count
    return removed


def _remove_below(connection: sqlite3.Connection, root: Root, path: str) -> int:
    ids = documents.ids_below(connection, root.id, path)
    hashes = documents.hashes_of_documents(connection, ids)
    for document_id in ids:
        documents.remove_document(connection, document_id)
    vectors.remove_unused(connection, hashes)
    return len(ids)
