"""A collection's place on the disk: where its files lie, which collections there are, what they may be called."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from searchkit.errors import Action, CollectionNotFoundError, Remedy, UsageError
from searchkit.files import make_private_folder
from searchkit.home import Home

_NAME = re.compile(r"\w[\w .+@-]{0,99}")


@dataclass(frozen=True, slots=True)
class CollectionFolder:
    """The files of one collection; the folder's name is the collection's."""

    path: Path

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.path.name

    @property
    def catalog(self) -> Path:
        """The SQLite file."""
        return self.path / "catalog.db"

    @property
    def index(self) -> Path:
        """The folder of index generations."""
        return self.path / "index"

    @property
    def training(self) -> Path:
        """The folder of what training keeps: cached vectors and reports."""
        return self.path / "training"

    @property
    def evaluation(self) -> Path:
        """The report of the last evaluation with judged queries."""
        return self.path / "evaluation.json"

    def exists(self) -> bool:
        """Whether the collection has been created."""
        return self.catalog.is_file()

    def create(self) -> None:
        """Make the folder; nothing happens if it is there."""
        make_private_folder(self.path)

    def delete(self) -> None:
        """Remove everything of the collection. The indexed files are not touched."""
        shutil.rmtree(self.path)


def all_collections(home: Home) -> list[CollectionFolder]:
    """Every collection, by name."""
    folder = home.collections
    found = [CollectionFolder(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [collection for collection in found if collection.exists()]


def neighbours(folder: CollectionFolder) -> list[CollectionFolder]:
    """The other collections of the same data directory."""
    return [other for other in all_collections(Home(folder.path.parents[1])) if other != folder]


def collection_at(home: Home, name: str) -> CollectionFolder:
    """The place of a collection, whether it exists or not. Raises UsageError for an impossible name."""
    if not _NAME.fullmatch(name) or name != name.strip():
        raise UsageError(
            f"'{name}' cannot be a collection's name.",
            remedy="Begin with a letter or digit, then letters, digits, blanks and .+@-",
        )
    return CollectionFolder(home.collections / name)


def existing_collection(home: Home, name: str) -> CollectionFolder:
    """The collection of that name. Raises CollectionNotFoundError, with what there is, if there is none."""
    names = [collection.name for collection in all_collections(home)]
    if name in names:
        return collection_at(home, name)
    known = f" There are: {', '.join(names)}." if names else ""
    remedy = None if names else Remedy(Action.INDEX_FOLDER, collection=name)
    raise CollectionNotFoundError(f"No collection named '{name}'.{known}", remedy=remedy)


def name_after_folder(folder: Path) -> str:
    """A collection name made of a folder's own."""
    cleaned = re.sub(r"[^\w .+@-]+", "-", folder.name).strip(" .+@-")
    return cleaned[:100] or "root"
