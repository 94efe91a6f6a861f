"""A backup of the settings without which a collection could not be rebuilt, in a small file beside the catalog."""

import json
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.meta import MODEL
from searchkit.files import path_from_text, path_to_text, write_atomically
from searchkit.home import CollectionFolder

_FILE = "collection.json"


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
        tuple(root.path for root in roots.all_roots(catalog)),
        tuple(sorted(roots.exclusions(catalog))),
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
    write_atomically(folder.path / _FILE, json.dumps(content, ensure_ascii=False, indent=2).encode())


def read_recovery_record(folder: CollectionFolder) -> RecoveryRecord | None:
    """Read the record from the file, None if it is missing or damaged."""
    try:
        content = json.loads((folder.path / _FILE).read_bytes())
        return RecoveryRecord(
            str(content["model"]),
            tuple(path_from_text(text) for text in content["folders"]),
            tuple(path_from_text(text) for text in content["excluded"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
