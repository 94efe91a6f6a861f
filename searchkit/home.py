"""The data directory: the path of everything that searchkit stores, and the list of collections."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from searchkit.errors import Action, CollectionNotFoundError, Remedy, UsageError
from searchkit.files import make_private_folder


@dataclass(frozen=True, slots=True)
class Home:
    """A data directory. Its properties are paths in it, whether or not anything exists there yet."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def default(cls) -> "Home":
        """The user's own data directory: SEARCHKIT_HOME, else the platform's folder for user data."""
        if named := os.environ.get("SEARCHKIT_HOME"):
            return cls(Path(named).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("searchkit", appauthor=False)))

    @property
    def collections(self) -> Path:
        """The folder with a folder for each collection."""
        return self.path / "collections"

    @property
    def models(self) -> Path:
        """The folder with a folder for each model."""
        return self.path / "models"

    @property
    def downloads(self) -> Path:
        """The folder for models while they are downloaded."""
        return self.path / "downloads"

    @property
    def model_offer(self) -> Path:
        """The answer to the question whether to fetch a model, which is asked once."""
        return self.path / "model-offer"

    @property
    def evaluation(self) -> "Home":
        """A separate data directory for collections built from judged corpora."""
        return Home(self.path / "eval")

    @property
    def finetuning(self) -> Path:
        """The folder with a folder for each run of fine-tuning: its checkpoints and its log."""
        return self.path / "training"

    @property
    def finetuning_reports(self) -> Path:
        """The folder with the report of each fine-tuned model."""
        return self.path / "train" / "finetune"

    @property
    def initialization_reports(self) -> Path:
        """The folder with the report of each encoder that was made from a decoder."""
        return self.path / "train" / "init"

    @property
    def click_log(self) -> Path:
        """The recorded searches and their opened hits, if the user wants them recorded."""
        return self.path / "train" / "opened.jsonl"

    @property
    def token(self) -> Path:
        """The token that programs must send to the server."""
        return self.path / "serve-token"

    @property
    def daemon_address(self) -> Path:
        """The file with the address of a running daemon."""
        return self.path / "engine.json"

    @property
    def config(self) -> Path:
        """The file with the user's settings."""
        return self.path / "config.toml"

    @property
    def history(self) -> Path:
        """The file with queries of earlier sessions of the terminal UI."""
        return self.path / "history"

    @property
    def theme(self) -> Path:
        """The file with the last state of the terminal UI."""
        return self.path / "tui.json"

    def earlier_training(self, collection: str) -> tuple[Path, Path]:
        """The folder in which version 0.1 stored a collection's cached vectors and its reports of training."""
        folder = self.path / "train" / collection
        return folder / "vectors.bin", folder / "reports"

    def earlier_evaluation(self, collection: str) -> Path:
        """The file in which version 0.1 stored a collection's evaluation."""
        return self.path / "evaluations" / f"{collection}.json"


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
        """The folder of training's files: cached vectors and reports."""
        return self.path / "training"

    @property
    def evaluation(self) -> Path:
        """The report of the last evaluation with judged queries."""
        return self.path / "evaluation.json"

    def exists(self) -> bool:
        """True if the collection has been created."""
        return self.catalog.is_file()

    def create(self) -> None:
        """Create the folder if it does not exist."""
        make_private_folder(self.path)

    def delete(self) -> None:
        """Remove all files of the collection. The indexed files are not touched."""
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
    """The folder of a collection, whether or not it exists. Raises UsageError for an impossible name."""
    if not _NAME.fullmatch(name) or name != name.strip():
        raise UsageError(
            f"'{name}' cannot be a collection's name.",
            remedy="Begin with a letter or digit, then letters, digits, blanks and .+@-",
        )
    return CollectionFolder(home.collections / name)


def existing_collection(home: Home, name: str) -> CollectionFolder:
    """The collection with a name. Raises CollectionNotFoundError, with a list of collections, if it does not exist."""
    names = [collection.name for collection in all_collections(home)]
    if name in names:
        return collection_at(home, name)
    known = f" Choose from: {', '.join(names)}." if names else ""
    remedy = None if names else Remedy(Action.INDEX_FOLDER, collection=name)
    raise CollectionNotFoundError(f"No collection named '{name}'.{known}", remedy=remedy)


def name_after_folder(folder: Path) -> str:
    """Derive a collection's name from a folder's."""
    cleaned = re.sub(r"[^\w .+@-]+", "-", folder.name).strip(" .+@-")
    return cleaned[:100] or "root"
