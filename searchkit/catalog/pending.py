"""Passages that have no vector of a model yet, and which of them are embedded next."""

from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class PendingPassage:
    """A passage that has no vector of a model yet."""

    content_hash: bytes
    passage: Passage
    token_count: int


def pending_pages(catalog: CatalogReader, fingerprint: str, size: int) -> Generator[list[PendingPassage]]:
    """Distinct passages without a vector, about `size` at a time: of documents that searches asked for, then the last changed.

    The vectors of a page must be stored before the next one is asked for. Documents whose passages another writer is embedding
    are left to it.
    """
    page: dict[bytes, PendingPassage] = {}
    try:
        for document_id in _pending_documents(catalog, fingerprint):
            if not catalog.database.claim(f"embed {document_id}"):
                continue
            for found in _pending_of(catalog, fingerprint, document_id, size):
                page.update((item.content_hash, item) for item in found)
                if len(page) >= size:
                    yield list(page.values())
                    page = {}
            if not page:
                catalog.database.release()
        if page:
            yield list(page.values())
    finally:
        catalog.database.release()


def _pending_documents(catalog: CatalogReader, fingerprint: str) -> Iterator[int]:
    """Ids of documents, the most recently changed first; before each one those that searches have asked for meanwhile."""
    query = "SELECT id FROM documents d WHERE chunk_count > 0"
    values: tuple[str, ...] = ()
    if catalog.database.is_remote:  # else those without are passed over faster than they are found
        query += f" AND EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = d.id AND NOT {catalog.dialect.has_vector})"
        values = (fingerprint,)
    rows = catalog.execute(f"{query} ORDER BY mtime_ns DESC, id", values)
    done: set[int] = set()
    for document_id in array("q", (row[0] for row in rows)):
        asked = [row[0] for row in catalog.execute("SELECT document_id FROM asked ORDER BY document_id")]
        for each in (*asked, document_id):
            if each not in done:
                done.add(each)
                yield each


def _pending_of(
    catalog: CatalogReader, fingerprint: str, document_id: int, size: int
) -> Iterator[list[PendingPassage]]:
    """Yield the passages of one document without a vector, in its order."""
    last = -1
    while True:
        rows = catalog.execute(
            f"""
            SELECT ordinal, content_hash, title, text, token_count FROM chunks c
            WHERE document_id = ? AND ordinal > ? AND NOT {catalog.dialect.has_vector}
            ORDER BY ordinal LIMIT ?
            """,
            (document_id, last, fingerprint, size),
        ).fetchall()
        yield [PendingPassage(h, Passage(title, text), tokens) for _, h, title, text, tokens in rows]
        if len(rows) < size:
            return
        last = rows[-1][0]


def without_vector(catalog: CatalogReader, fingerprint: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Find the passages among some that have no vector of a model yet."""
    query = f"SELECT content_hash FROM vectors WHERE model = {catalog.dialect.model} AND content_hash IN ({{items}})"
    return set(hashes) - {content_hash for (content_hash,) in catalog.execute_among(query, hashes, fingerprint)}


def pending_tokens(catalog: CatalogReader, fingerprint: str) -> tuple[int, int]:
    """(number of passages without a vector, sum of their tokens)."""
    row = catalog.execute(
        "SELECT count(*), coalesce(sum(tokens), 0) FROM (SELECT max(token_count) AS tokens FROM chunks c"
        f" WHERE NOT {catalog.dialect.has_vector} GROUP BY content_hash) AS each",
        (fingerprint,),
    ).fetchone()
    return int(row[0]), int(row[1])


def is_pending(catalog: CatalogReader, fingerprint: str) -> bool:
    """True if any passage has no vector."""
    row = catalog.execute(
        f"SELECT 1 FROM chunks c WHERE NOT {catalog.dialect.has_vector} LIMIT 1", (fingerprint,)
    ).fetchone()
    return row is not None


def pending_hashes(catalog: CatalogReader, fingerprint: str, above: bytes, limit: int) -> list[bytes]:
    """The first content hashes after `above` of passages without a vector, ascending."""
    rows = catalog.execute(
        f"SELECT DISTINCT content_hash FROM chunks c WHERE content_hash > ? AND NOT {catalog.dialect.has_vector}"
        " ORDER BY content_hash LIMIT ?",
        (above, fingerprint, limit),
    )
    return [content_hash for (content_hash,) in rows]


def forget_asked(catalog: CatalogWriter) -> None:
    """Forget which documents searches have asked for: all are embedded."""
    catalog.change("DELETE FROM asked")
