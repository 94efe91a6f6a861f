"""A backup of what a collection could not be rebuilt without, in a small file beside the catalog."""

import json
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.meta import MODEL, get_meta
from searchkit.files import path_from_text, path_to_text, write_atomically
from searchkit.home import CollectionFolder

_FILE = "collection.json"


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """A collection's model, folders, and what below them is left out."""

    model: str
    folders: tuple[Path, ...]
    excluded: tuple[Path, ...]


def recovery_record_of(catalog: CatalogReader) -> RecoveryRecord:
    """The record as the catalog has it."""
    return RecoveryRecord(
        get_meta(catalog, MODEL) or "",
        tuple(root.path for root in roots.all_roots(catalog)),
        tuple(sorted(roots.exclusions(catalog))),
    )


def write_recovery_record(folder: CollectionFolder, catalog: CatalogReader) -> None:
    """Write the file if the catalog says anything else than it."""
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
    """The record as the file has it, None if it is missing or damaged."""
    try:
        content = json.loads((folder.path / _FILE).read_bytes())
        return RecoveryRecord(
            str(content["model"]),
            tuple(path_from_text(text) for text in content["folders"]),
            tuple(path_from_text(text) for text in content["excluded"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
