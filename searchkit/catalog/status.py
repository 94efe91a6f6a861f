"""Counts of what a collection contains."""

from collections import Counter
from dataclasses import dataclass

from searchkit.catalog import documents, roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.meta import LAZY, MODEL, UNREAD, UPDATED, embedding_rate, folder_problems, left_out, updated_at
from searchkit.catalog.passages import (
    chunks_as_they_are,
    count_chunks,
    count_passages,
    count_provisional,
    count_vectors,
)
from searchkit.files import folder_size_bytes, path_from_text
from searchkit.home import CollectionFolder
from searchkit.reports import CollectionStatus, Coverage, Problem
from searchkit.types import DocumentStatus


@dataclass(slots=True)
class Counted:
    """What a long count has found, kept until chunks or fingerprint change, or a run ends: the number of distinct passages, and of
    vectors whose passage is gone. A million of each take one and a half seconds.
    """

    of: tuple[object, ...] = ()
    passages: int = 0
    orphans: int = 0


def read_coverage(catalog: CatalogReader, collection: str, fingerprint: str, counted: Counted) -> Coverage:
    """The coverage by the model with a fingerprint ("" for none). `counted`: what is kept between calls."""
    chunks, vectors = chunks_as_they_are(catalog), count_vectors(catalog, fingerprint)
    updated = catalog.meta(UPDATED)
    if counted.of != (of := (chunks, fingerprint, updated)):
        counted.passages, covered = count_passages(catalog, fingerprint)
        counted.of, counted.orphans = of, vectors - covered
    passages, covered = counted.passages, vectors - counted.orphans
    guessed = count_provisional(catalog, fingerprint) if covered < passages else 0
    return Coverage(
        collection,
        catalog.meta(MODEL) or "",
        chunks[0],
        passages,
        covered,
        guessed,
        lazy=catalog.meta(LAZY) == "yes",
        embedding_rate=embedding_rate(catalog),
        newest=chunks[1],
        updated_at=updated or "",
    )


def collection_status(folder: CollectionFolder, catalog: CatalogReader, fingerprint: str) -> CollectionStatus:
    """The status of a collection whose model has the given fingerprint ("" if it is not installed)."""
    counts = documents.count_by_status(catalog)
    paths = {root.id: root.path for root in roots.all_roots(catalog)}
    passages, covered = count_passages(catalog, fingerprint)
    problems = documents.problem_documents(catalog)
    return CollectionStatus(
        collection=folder.name,
        folders=tuple(paths.values()),
        model=catalog.meta(MODEL) or "",
        files=counts[DocumentStatus.INDEXED],
        files_skipped=counts[DocumentStatus.SKIPPED],
        files_unsupported=counts[DocumentStatus.UNSUPPORTED],
        chunks=count_chunks(catalog),
        passages=passages,
        vectors=covered,
        files_to_read=int(catalog.meta(UNREAD) or 0),
        scanned_pages=documents.count_scanned_pages(catalog),
        formats=tuple(documents.count_by_format(catalog)),
        size_bytes=folder_size_bytes(folder.path) + catalog.database.size_bytes(),
        updated_at=updated_at(catalog),
        problems=(
            *folder_problems(catalog),
            *(Problem(paths[r.root_id] / path_from_text(r.file), reason_of(r), r.remedy) for r in problems),
        ),
        unsupported_types=tuple(documents.unsupported_types(catalog)),
        provisional=count_provisional(catalog, fingerprint),
        embedding_rate=embedding_rate(catalog),
        database=str(folder.url or ""),
        lazy=catalog.meta(LAZY) == "yes",
        documents_inside=documents.count_inside(catalog),
        left_out=left_out(catalog),
        left_out_inside=tuple(_left_out_inside(catalog)),
    )


def _left_out_inside(catalog: CatalogReader) -> list[tuple[str, int]]:
    """What readers have left out of documents, and of how many, the most frequent first."""
    return Counter(what for record in documents.incomplete_documents(catalog) for what in record.left_out).most_common()


def reason_of(record: documents.DocumentRecord) -> str:
    """Why a document was not read, with its name where it is inside a file."""
    return f"{record.inside}: {record.reason}" if record.inside else record.reason
