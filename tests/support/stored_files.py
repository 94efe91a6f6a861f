"""Files put into a catalog as if an index run had read them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.documents import DocumentRecord, put_document
from searchkit.catalog.roots import add_root
from searchkit.types import Chunk, DocumentStatus

FOLDER = Path("/docs")
CHANGED_NS = 1_700_000_000_000_000_000  # on 14 November 2023


def put_file(
    catalog: CatalogWriter,
    name: str,
    chunks: Iterable[Chunk],
    *,
    folder: Path = FOLDER,
    format: str = "text",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """An indexed file with the given chunks, in the transaction that is open."""
    root = add_root(catalog, folder)
    record = DocumentRecord(
        0, root.id, name, name.encode(), 1, CHANGED_NS, CHANGED_NS, format, DocumentStatus.INDEXED, "", "", ""
    )
    put_document(catalog, replace(record, metadata=metadata or {}), chunks)


def chunk(text: str, title: str = "", *, place: str = "", line: int | None = 1) -> Chunk:
    """A chunk of a few words."""
    return Chunk(text, title, None, line, line, len(text.split()), place)
