"""What a collection could not be made again without, in a small file of its own beside the catalog."""

import json
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog import roots
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.meta import MODEL, get_meta
from searchkit.files import path_from_text, path_to_text, write_atomically

_FILE = "collection.json"


@dataclass(frozen=True, slots=True)
class Keepsake:
    """A collection's model, folders, and what below them is left out."""

    model: str
    folders: tuple[Path, ...]
    excluded: tuple[Path, ...]


def keepsake_of(catalog: CatalogReader) -> Keepsake:
    """What the catalog says."""
    return Keepsake(
        get_meta(catalog, MODEL) or "",
        tuple(root.path for root in roots.all_roots(catalog)),
        tuple(sorted(roots.exclusions(catalog))),
    )


def write_keepsake(folder: CollectionFolder, catalog: CatalogReader) -> None:
    """Bring the file in line with the catalog."""
    keepsake = keepsake_of(catalog)
    if read_keepsake(folder) == keepsake:
        return
    content = {
        "model": keepsake.model,
        "folders": [path_to_text(path) for path in keepsake.folders],
        "excluded": [path_to_text(path) for path in keepsake.excluded],
    }
    write_atomically(folder.path / _FILE, json.dumps(content, ensure_ascii=False, indent=2).encode())


def read_keepsake(folder: CollectionFolder) -> Keepsake | None:
    """What the file says, None if there is none or it is damaged."""
    try:
        content = json.loads((folder.path / _FILE).read_bytes())
        return Keepsake(
            str(content["model"]),
            tuple(path_from_text(text) for text in content["folders"]),
            tuple(path_from_text(text) for text in content["excluded"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
