"""A catalog as readers and as writers have it."""

import sqlite3
from pathlib import Path

import pytest

from searchkit.catalog.connection import open_for_reading, reading, writing
from searchkit.catalog.meta import set_meta
from searchkit.errors import CatalogError
from searchkit.home import CollectionFolder


@pytest.fixture
def folder(tmp_path: Path) -> CollectionFolder:
    """A collection that says one thing."""
    folder = CollectionFolder(tmp_path / "docs")
    with writing(folder) as catalog, catalog.transaction():
        set_meta(catalog, "colour", "blue")
    return folder


def test_a_catalog_opened_for_reading_cannot_be_changed(folder: CollectionFolder) -> None:
    with open_for_reading(folder.catalog) as catalog, pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalog.execute("DELETE FROM meta")


def test_reading_what_is_not_there_creates_nothing(tmp_path: Path) -> None:
    """Or else a reader beside the run that creates the catalog would leave an empty one."""
    with pytest.raises(CatalogError, match="cannot be opened"):
        open_for_reading(tmp_path / "catalog.db")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_changed_in_a_transaction_only(folder: CollectionFolder) -> None:
    with writing(folder) as catalog, pytest.raises(AssertionError):
        set_meta(catalog, "colour", "red")
    assert _colour(folder) == "blue"


def test_a_transaction_that_fails_changes_nothing(folder: CollectionFolder) -> None:
    with writing(folder) as catalog, pytest.raises(KeyError), catalog.transaction():
        set_meta(catalog, "colour", "red")
        raise KeyError
    assert _colour(folder) == "blue"


def test_a_reader_can_stay_with_one_state_while_another_process_writes(folder: CollectionFolder) -> None:
    with reading(folder) as catalog:
        version = catalog.data_version
        with catalog.one_state():
            assert catalog.meta("colour") == "blue"
            with writing(folder) as writer, writer.transaction():
                set_meta(writer, "colour", "red")
            assert catalog.meta("colour") == "blue"
        assert catalog.meta("colour") == "red"
        assert catalog.data_version != version


def test_a_copy_of_a_catalog_says_the_same(folder: CollectionFolder, tmp_path: Path) -> None:
    copy = CollectionFolder(tmp_path / "copy")
    copy.create()
    with reading(folder) as catalog:
        catalog.copy_to(copy.catalog)
    assert _colour(copy) == "blue"


def _colour(folder: CollectionFolder) -> str | None:
    with reading(folder) as catalog:
        return catalog.meta("colour")
