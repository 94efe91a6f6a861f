"""A collection's catalog for the length of a block: for reading, or for writing with its lock held."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from searchkit.catalog.catalog import CatalogReader, CatalogWriter, readable_errors
from searchkit.catalog.connection import open_for_reading, open_for_writing
from searchkit.catalog.lock import writer_lock
from searchkit.catalog.recovery_record import write_recovery_record
from searchkit.home import CollectionFolder


@contextmanager
def writing(folder: CollectionFolder, on_wait: Callable[[str], None] | None = None) -> Iterator[CatalogWriter]:
    """The catalog, made if there is none. `on_wait`: see `writer_lock`."""
    with readable_errors(folder.catalog):
        folder.create()
        with writer_lock(folder.path, on_wait), open_for_writing(folder.catalog) as catalog:
            yield catalog
            write_recovery_record(folder, catalog)


@contextmanager
def reading(folder: CollectionFolder) -> Iterator[CatalogReader]:
    """The catalog, for reading."""
    with readable_errors(folder.catalog), open_for_reading(folder.catalog) as catalog:
        yield catalog
