"""What a collection holds, counted from its catalog."""

import sqlite3

from searchkit.catalog import documents, roots, vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.meta import MODEL, UNREAD, UPDATED, folder_problems, get_meta
from searchkit.files import folder_size_bytes, path_from_text
from searchkit.types import CollectionStatus, DocumentStatus, Problem


def collection_status(folder: CollectionFolder, connection: sqlite3.Connection, fingerprint: str) -> CollectionStatus:
    """The status of a collection whose model has the given fingerprint ("" if that is not installed)."""
    counts = documents.count_by_status(connection)
    paths = {root.id: root.path for root in roots.all_roots(connection)}
    passages, covered = vectors.count_passages(connection, fingerprint)
    problems = documents.problem_documents(connection)
    return CollectionStatus(
        name=folder.name,
        roots=tuple(paths.values()),
        model=get_meta(connection, MODEL) or "",
        indexed=counts[DocumentStatus.INDEXED],
        skipped=counts[DocumentStatus.SKIPPED],
        unsupported=counts[DocumentStatus.UNSUPPORTED],
        chunks=documents.count_chunks(connection),
        passages=passages,
        vectors=covered,
        unread=int(get_meta(connection, UNREAD) or 0),
        scanned_pages=documents.count_scanned_pages(connection),
        formats=tuple(documents.count_by_format(connection)),
        size_bytes=folder_size_bytes(folder.path),
        updated_at=get_meta(connection, UPDATED),
        problems=(
            *folder_problems(connection),
            *(Problem(paths[r.root_id] / path_from_text(r.path), r.reason, r.remedy) for r in problems),
        ),
        unsupported_types=tuple(documents.unsupported_types(connection)),
    )
