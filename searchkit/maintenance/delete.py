"""Taking a whole collection out of searchkit, and nothing else: not its files, and not what other collections hold of them."""

from searchkit.catalog import documents
from searchkit.catalog.collection_folder import existing_collection
from searchkit.catalog.session import writing
from searchkit.library import Library
from searchkit.types import DocumentStatus


def forget_collection(library: Library, name: str) -> int:
    """Delete a collection: the files that it had indexed. The files themselves are not touched.

    `Library.forget` takes a folder out of every collection; this takes every folder out of one.
    Raises CollectionNotFoundError, CollectionBusyError while somebody writes to it.
    """
    folder = existing_collection(library.home, name)
    with writing(folder) as connection:
        count = documents.count_by_status(connection)[DocumentStatus.INDEXED]
    library.let_go(name)
    folder.delete()
    return count
