"""Where passages stand in their documents, so that what was cut apart can be put together again."""

from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.documents import content_hash
from searchkit.files import path_to_text


@dataclass(frozen=True, slots=True)
class Standing:
    """A passage's document, and its number there, from 0; the next number is the passage that follows."""

    document_id: int
    ordinal: int


def standing_of(catalog: CatalogReader, path: Path, title: str, text: str) -> Standing | None:
    """Where the file at an absolute path has a passage first; None if it has it no more."""
    hashed = content_hash(title, text)
    for root in roots.all_roots(catalog):
        if path.is_relative_to(root.path):
            row = catalog.execute(
                "SELECT c.document_id, min(c.ordinal) FROM chunks c JOIN documents d ON d.id = c.document_id"
                " WHERE d.root_id = ? AND d.path = ? AND c.content_hash = ? GROUP BY c.document_id",
                (root.id, path_to_text(path.relative_to(root.path)), hashed),
            ).fetchone()
            if row:
                return Standing(int(row[0]), int(row[1]))
    return None
