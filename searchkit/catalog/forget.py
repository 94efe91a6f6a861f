"""Removes folders and files from a collection, at once and for good. The files themselves are not touched."""

from pathlib import Path

from searchkit.catalog import documents, roots, vectors
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.roots import Root
from searchkit.files import path_to_text


def forget_path(catalog: CatalogWriter, target: Path) -> int | None:
    """Remove roots at or below `target`, or the documents at or below it, which later runs then leave out.

    Returns the number of documents removed, None if the collection has nothing to do with the path. Vectors that no
    other document needs are removed too, and the pages of the catalog's file that had the text are overwritten.
    """
    catalog.erase_what_is_removed()
    removed: int | None = None
    with catalog.transaction():
        for root in roots.all_roots(catalog):
            if root.path.is_relative_to(target):
                removed = (removed or 0) + _remove_below(catalog, root, "")
                roots.remove_root(catalog, root)
            elif target.is_relative_to(root.path):
                count = _remove_below(catalog, root, path_to_text(target.relative_to(root.path)))
                if count:
                    roots.exclude(catalog, target)
                    removed = (removed or 0) + count
    return removed


def _remove_below(catalog: CatalogWriter, root: Root, path: str) -> int:
    ids = documents.ids_below(catalog, root.id, path)
    hashes = documents.hashes_of_documents(catalog, ids)
    for document_id in ids:
        documents.remove_document(catalog, document_id)
    vectors.remove_unused(catalog, hashes)
    return len(ids)
