"""The folders that a collection mirrors, the paths below them that are excluded, how either is forgotten, and a backup of them."""

import json
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import update_settings_checksum
from searchkit.catalog.meta import MODEL, set_folder_problems, set_left_out
from searchkit.files import path_from_text, path_to_text, write_atomically
from searchkit.home import CollectionFolder

_BACKUP = "collection.json"  # beside the catalog: without these settings a collection could not be rebuilt


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


def forget_path(catalog: CatalogWriter, target: Path) -> int | None:
    """Remove roots at or below `target`, or the documents at or below it, which later runs then leave out.

    Returns the number of documents removed, None if the collection has nothing to do with the path. Vectors that no
    other document needs are removed too, and the pages of the catalog's file that had the text are overwritten.
    """
    catalog.erase_what_is_removed()
    removed: int | None = None
    with catalog.transaction():
        for root in all_roots(catalog):
            if root.path.is_relative_to(target):
                removed = (removed or 0) + _remove_below(catalog, root, "")
                remove_root(catalog, root)
            elif target.is_relative_to(root.path):
                count = _remove_below(catalog, root, path_to_text(target.relative_to(root.path)))
                if count:
                    exclude(catalog, target)
                    removed = (removed or 0) + count
        if removed is not None:
            set_folder_problems(catalog, [], [target])
            set_left_out(catalog, {}, [path_to_text(root.path) for root in all_roots(catalog)])
    return removed


def _remove_below(catalog: CatalogWriter, root: Root, path: str) -> int:
    from searchkit.catalog import documents, vectors  # which searching by words does not need

    ids = documents.ids_below(catalog, root.id, path)
    hashes = documents.hashes_of_documents(catalog, ids)
    for document_id in ids:
        documents.remove_document(catalog, document_id)
    vectors.remove_unused(catalog, hashes)
    return len(ids)


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """A collection's model, its folders, and the paths below them that are excluded."""

    model: str
    folders: tuple[Path, ...]
    excluded: tuple[Path, ...]


def recovery_record_of(catalog: CatalogReader) -> RecoveryRecord:
    """Read the record from the catalog."""
    return RecoveryRecord(
        catalog.meta(MODEL) or "",
        tuple(root.path for root in all_roots(catalog)),
        tuple(sorted(exclusions(catalog))),
    )


def write_recovery_record(folder: CollectionFolder, catalog: CatalogReader) -> None:
    """Write the file if it differs from the catalog."""
    record = recovery_record_of(catalog)
    if read_recovery_record(folder) == record:
        return
    content = {
        "model": record.model,
        "folders": [path_to_text(path) for path in record.folders],
        "excluded": [path_to_text(path) for path in record.excluded],
    }
    write_atomically(folder.path / _BACKUP, json.dumps(content, ensure_ascii=False, indent=2).encode())


def read_recovery_record(folder: CollectionFolder) -> RecoveryRecord | None:
    """Read the record from the file, None if it is missing or damaged."""
    try:
        content = json.loads((folder.path / _BACKUP).read_bytes())
        return RecoveryRecord(
            str(content["model"]),
            tuple(path_from_text(text) for text in content["folders"]),
            tuple(path_from_text(text) for text in content["excluded"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
