"""A document as its passages: what stands before and behind a hit, from the catalog alone, whatever became of the file."""

from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.documents import chunks_of_document, content_hash
from searchkit.catalog.stored_documents import documents_at
from searchkit.types import Chunk, Hit


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Consecutive passages of a document, one of them a hit's.

    `at`: which of the passages that is. `above`, `below`: passages that the document has before and behind these.
    `format`: how the document was read, such as markdown, pdf or python; "" if it is not in the catalog any more.
    """

    passages: tuple[Chunk, ...]
    at: int
    above: int = 0
    below: int = 0
    format: str = ""


def view_document(catalog: CatalogReader, hit: Hit, *, before: int, after: int) -> DocumentView:
    """A hit's passage with so many of its document's before and behind it; alone, if the document has changed since."""
    for document in documents_at(catalog, hit.path):
        ordinal = _ordinal(catalog, document.id, hit)
        if ordinal is None:
            continue
        first = max(0, ordinal - before)
        passages = tuple(chunks_of_document(catalog, document.id, first, ordinal + after))
        below = max(0, document.chunk_count - first - len(passages))
        return DocumentView(passages, ordinal - first, first, below, document.format)
    return DocumentView((_chunk(hit),), 0)


def _ordinal(catalog: CatalogReader, document_id: int, hit: Hit) -> int | None:
    """Where the hit's passage stands in a document: of equal ones, that at its line and page."""
    row = catalog.execute(
        "SELECT ordinal FROM chunks WHERE document_id = ? AND content_hash = ?"
        " ORDER BY line IS NOT ?, page IS NOT ?, ordinal LIMIT 1",
        (document_id, content_hash(hit.title, hit.text), hit.line, hit.page),
    ).fetchone()
    return None if row is None else int(row[0])


def _chunk(hit: Hit) -> Chunk:
    return Chunk(hit.text, hit.title, hit.page, hit.line, hit.line_end, 0, hit.place)
