"""The folders that a collection mirrors, and the places below them that the user wants left out."""

from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import update_settings_checksum
from searchkit.files import path_from_text, path_to_text


@dataclass(frozen=True, slots=True)
class Root:
    """An indexed folder, by its absolute path. `device`: the drive that it was on when it was last looked through."""

    id: int
    path: Path
    device: int | None = None


def all_roots(catalog: CatalogReader) -> list[Root]:
    """Every root, in the order in which they were added."""
    rows = catalog.execute("SELECT id, path, device FROM roots ORDER BY id")
    return [Root(root_id, path_from_text(path), device) for root_id, path, device in rows]


def add_root(catalog: CatalogWriter, path: Path) -> Root:
    """The root at a path, added if it is new."""
    text = path_to_text(path)
    catalog.change("INSERT INTO roots (path) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    update_settings_checksum(catalog)
    row = catalog.execute("SELECT id, device FROM roots WHERE path = ?", (text,)).fetchone()
    return Root(int(row[0]), path, row[1])


def note_device(catalog: CatalogWriter, root: Root, device: int) -> None:
    """Note the drive that a root is on."""
    if device != root.device:
        catalog.change("UPDATE roots SET device = ? WHERE id = ?", (device, root.id))
        update_settings_checksum(catalog)


def remove_root(catalog: CatalogWriter, root: Root) -> None:
    """Remove a root whose documents are gone already."""
    catalog.change("DELETE FROM roots WHERE id = ?", (root.id,))
    update_settings_checksum(catalog)


def exclusions(catalog: CatalogReader) -> frozenset[Path]:
    """Absolute paths of files and folders that were forgotten and stay so."""
    return frozenset(path_from_text(text) for (text,) in catalog.execute("SELECT path FROM exclusions"))


def exclude(catalog: CatalogWriter, path: Path) -> None:
    """Leave a path out of every later run."""
    catalog.change("INSERT INTO exclusions VALUES (?) ON CONFLICT DO NOTHING", (path_to_text(path),))
    update_settings_checksum(catalog)


def include_again(catalog: CatalogWriter, path: Path) -> None:
    """Take back the exclusion of a path."""
    catalog.change("DELETE FROM exclusions WHERE path = ?", (path_to_text(path),))
    update_settings_checksum(catalog)
