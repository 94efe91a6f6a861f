"""A document as its passages: what stands before and behind a hit, from the catalog alone, whatever became of the file."""

from dataclasses import dataclass

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.documents import content_hash
from searchkit.files import path_to_text
from searchkit.types import Chunk, Hit

_COLUMNS = "text, title, page, line, line_end, token_count, place"


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
    for document_id, document_format, count in _documents_at(catalog, hit):
        ordinal = _ordinal(catalog, document_id, hit)
        if ordinal is None:
            continue
        first = max(0, ordinal - before)
        rows = catalog.execute(
            f"SELECT {_COLUMNS} FROM chunks WHERE document_id = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal",
            (document_id, first, ordinal + after),
        )
        passages = tuple(Chunk(*row) for row in rows)
        below = max(0, count - first - len(passages))
        return DocumentView(passages, ordinal - first, first, below, document_format)
    return DocumentView((_chunk(hit),), 0)


def _documents_at(catalog: CatalogReader, hit: Hit) -> list[tuple[int, str, int]]:
    """Id, format and number of passages of what is indexed at the hit's path, of several roots perhaps."""
    found: list[tuple[int, str, int]] = []
    for root in roots.all_roots(catalog):
        if hit.path.is_relative_to(root.path):
            found += catalog.execute(
                "SELECT id, format, chunk_count FROM documents WHERE root_id = ? AND path = ?",
                (root.id, path_to_text(hit.path.relative_to(root.path))),
            ).fetchall()
    return found


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
