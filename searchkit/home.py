"""The data directory: where everything that searchkit keeps has its place, and which collections there are."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from searchkit.errors import Action, CollectionNotFoundError, Remedy, UsageError
from searchkit.files import make_private_folder


@dataclass(frozen=True, slots=True)
class Home:
    """A data directory. Its properties are places in it, whether anything lies there yet or not."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def default(cls) -> "Home":
        """The user's own: SEARCHKIT_HOME, else the platform's place for user data."""
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
        """Parts of models that are being fetched."""
        return self.path / "downloads"

    @property
    def evaluation(self) -> "Home":
        """A data directory of its own for collections that are made of judged corpora."""
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
    def click_log(self) -> Path:
        """Searches with the hits that were opened from them, if the user has them kept."""
        return self.path / "train" / "opened.jsonl"

    @property
    def token(self) -> Path:
        """What programs must show to the server."""
        return self.path / "serve-token"

    @property
    def daemon_address(self) -> Path:
        """Where a running daemon listens."""
        return self.path / "engine.json"

    @property
    def config(self) -> Path:
        """The user's settings."""
        return self.path / "config.toml"

    @property
    def history(self) -> Path:
        """Queries of former sessions of the terminal UI."""
        return self.path / "history"

    @property
    def theme(self) -> Path:
        """How the terminal UI looked when it was last left."""
        return self.path / "tui.json"

    def earlier_training(self, collection: str) -> tuple[Path, Path]:
        """Where version 0.1 kept a collection's cached vectors and its reports of training."""
        folder = self.path / "train" / collection
        return folder / "vectors.bin", folder / "reports"

    def earlier_evaluation(self, collection: str) -> Path:
        """Where version 0.1 kept a collection's evaluation."""
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
