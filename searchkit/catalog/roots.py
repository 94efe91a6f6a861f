"""The folders that a collection mirrors, and the paths below them that the user has excluded."""

from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import update_settings_checksum
from searchkit.files import path_from_text, path_to_text


@dataclass(frozen=True, slots=True)
class Root:
    """An indexed folder, by its absolute path. `device`: the drive that it was on at the last visit."""

    id: int
    path: Path
    device: int | None = None


def all_roots(catalog: CatalogReader) -> list[Root]:
    """Every root, in the order in which they were added."""
    rows = catalog.execute("SELECT id, path, device FROM roots ORDER BY id")
    return [Root(root_id, path_from_text(path), device) for root_id, path, device in rows]


def add_root(catalog: CatalogWriter, path: Path) -> Root:
    """Return the root at a path, added if it is new."""
    text = path_to_text(path)
    catalog.change("INSERT INTO roots (path) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    update_settings_checksum(catalog)
    row = catalog.execute("SELECT id, device FROM roots WHERE path = ?", (text,)).fetchone()
    return Root(int(row[0]), path, row[1])


def note_device(catalog: CatalogWriter, root: Root, device: int) -> None:
    """Store the drive that a root is on."""
    if device != root.device:
        catalog.change("UPDATE roots SET device = ? WHERE id = ?", (device, root.id))
        update_settings_checksum(catalog)


def remove_root(catalog: CatalogWriter, root: Root) -> None:
    """Remove a root whose documents have already been removed."""
    catalog.change("DELETE FROM roots WHERE id = ?", (root.id,))
    update_settings_checksum(catalog)


def exclusions(catalog: CatalogReader) -> frozenset[Path]:
    """Absolute paths of files and folders that were forgotten and stay excluded."""
    return frozenset(path_from_text(text) for (text,) in catalog.execute("SELECT path FROM exclusions"))


def exclude(catalog: CatalogWriter, path: Path) -> None:
    """Exclude a path from every later run."""
    catalog.change("INSERT INTO exclusions VALUES (?) ON CONFLICT DO NOTHING", (path_to_text(path),))
    update_settings_checksum(catalog)


def include_again(catalog: CatalogWriter, path: Path) -> None:
    """Include a path again."""
    catalog.change("DELETE FROM exclusions WHERE path = ?", (path_to_text(path),))
    update_settings_checksum(catalog)
