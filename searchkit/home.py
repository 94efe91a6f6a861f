"""The data directory: the path of everything that searchkit stores, and the list of collections."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from searchkit.errors import Action, CollectionNotFoundError, ConfigError, Remedy, UsageError
from searchkit.files import make_private_folder


@dataclass(frozen=True, slots=True)
class View:
    """What one caller may see of a data directory: some roots of some collections in databases, and nothing on this machine.

    The database holds back the rest (see catalog/postgres/schema.py). `roots`: by the collection's name.
    """

    roots: tuple[tuple[str, tuple[str, ...]], ...]

    def of(self, collection: str) -> tuple[str, ...]:
        """Its roots that may be seen."""
        return dict(self.roots).get(collection, ())


@dataclass(frozen=True, slots=True)
class Home:
    """A data directory. Its properties are paths in it, whether or not anything exists there yet.

    `view`: for whom collections are looked up; None for the user, who sees all.
    """

    path: Path
    view: View | None = None

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
    def callers(self) -> Path:
        """The file with the tokens of those who may see a part of what the server offers."""
        return self.path / "serve-tokens.toml"

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
_SCHEMES = ("postgresql://", "postgres://")
_USER = re.compile(r"[\w.%+-]+")
_PAIR = re.compile(r"[?&]([^=&]+)=([^&]*)")


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """Where a collection lives in PostgreSQL. Shown and logged without its password and options; `full` is for connecting alone.

    `collection`: its name there, "" for the one that it has here: a collection that is renamed keeps its name there, for others.
    Raises UsageError for what is no such address.
    """

    full: str
    collection: str = ""

    def __post_init__(self) -> None:
        if not self.full.startswith(_SCHEMES):
            raise UsageError(
                "That is not the address of a database.",
                remedy="Write it as postgresql://USER@HOST/DATABASE; a password is better kept in ~/.pgpass.",
            )

    def __str__(self) -> str:
        """User, host and database as far as they are certain not to be part of a password."""
        authority, _, path = self.full.partition("://")[2].partition("/")
        before, at, host = authority.rpartition("@")
        user = before.partition(":")[0]
        if "@" in path or "?" in before or (at and not _USER.fullmatch(user)):
            return "postgresql://…"
        return "postgresql://" + re.split(r"[?#]", f"{user}{at}{host}/{path}", maxsplit=1)[0].rstrip("/")

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"

    def without_secrets(self, text: str) -> str:
        """A message about this database without what its address keeps secret."""
        from urllib.parse import unquote

        rest = self.full.partition("://")[2]
        user = rest.rpartition("@")[0].partition(":")[2]
        named = [value for key, value in _PAIR.findall(rest) if "password" in key.lower()]
        secrets = {part for secret in (user, *named) for part in (secret, unquote(secret), *re.split("[@/?#]", secret))}
        for part in (self.full, *sorted(secrets, key=len, reverse=True)):
            text = text.replace(part, "…") if part else text
        return text


def databases(home: Home) -> Mapping[str, DatabaseUrl]:
    """The collections that live in a database, by name, as config.toml says. Raises ConfigError, UsageError."""
    try:
        status = home.config.stat()
    except OSError:
        return {}
    return _databases(home.config, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _databases(file: Path, *_: int) -> Mapping[str, DatabaseUrl]:
    import tomllib

    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    return databases_in(values.get("collections", {}), origin=str(file))


def databases_in(table: object, *, origin: str) -> Mapping[str, DatabaseUrl]:
    """Read the tables [collections.NAME]: each has a `url`, and the `name` there if it is another. Raises ConfigError."""
    found: dict[str, DatabaseUrl] = {}
    for name, values in table.items() if isinstance(table, dict) else [("", table)]:
        if not (_NAME.fullmatch(name) and isinstance(values, dict) and {"url"} <= values.keys() <= {"url", "name"}):
            raise ConfigError(
                f"{origin}: a collection in a database is a table [collections.NAME] with the key url, and name if it has another"
                " name there."
            )
        there = str(values.get("name", name))
        if not _NAME.fullmatch(there):
            raise ConfigError(f"{origin}, [collections.{name}]: {there!r} cannot be a collection's name.")
        try:
            found[name] = DatabaseUrl(str(values["url"]), "" if there == name else there)
        except UsageError as error:
            raise ConfigError(f"{origin}, [collections.{name}]: {error}", remedy=error.remedy) from None
    return found


@dataclass(frozen=True, slots=True)
class CollectionFolder:
    """The files of one collection; the folder's name is the collection's. `url`: where its catalog is, if that is no file here.

    `roots`: those that may be seen by whoever it is opened for, and nothing can be written; None for all.
    """

    path: Path
    url: DatabaseUrl | None = None
    roots: tuple[str, ...] | None = None

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
    def guesses(self) -> Path:
        """The folder of the index of provisional vectors."""
        return self.path / "guesses"

    @property
    def training(self) -> Path:
        """The folder of training's files: cached vectors and reports."""
        return self.path / "training"

    @property
    def evaluation(self) -> Path:
        """The report of the last evaluation with judged queries."""
        return self.path / "evaluation.json"

    def exists(self) -> bool:
        """True if the collection has been created, or is in a database, which is not asked."""
        return self.url is not None or self.catalog.is_file()

    def identity(self) -> tuple[int, int]:
        """Two numbers that change when the catalog's file is replaced by another; the same ones for all that are in databases."""
        if self.url is not None:
            return 0, 0
        file = self.catalog.stat()
        return file.st_dev, file.st_ino

    def place(self) -> tuple[str, ...]:
        """What stays when it is renamed: its name in a database, or the number of its folder. Raises OSError without a folder."""
        if self.url is not None:
            return self.url.full, self.url.collection or self.name
        folder = self.path.stat()
        return str(folder.st_dev), str(folder.st_ino)

    def create(self) -> None:
        """Create the folder if it does not exist."""
        make_private_folder(self.path)

    def delete(self) -> None:
        """Remove all files of the collection. The indexed files are not touched."""
        shutil.rmtree(self.path, ignore_errors=self.url is not None)  # that may have no files here


def all_collections(home: Home) -> list[CollectionFolder]:
    """Every collection, by name."""
    folder = home.collections
    elsewhere = databases(home)
    if home.view is not None:
        seen = [name for name, _ in home.view.roots if name in elsewhere]
        return [CollectionFolder(folder / name, elsewhere[name], home.view.of(name)) for name in sorted(seen)]
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    found = [CollectionFolder(folder / name, elsewhere.get(name)) for name in sorted(names | elsewhere.keys())]
    return [collection for collection in found if collection.exists()]


def neighbours(folder: CollectionFolder) -> list[CollectionFolder]:
    """The other collections of the same data directory that are as near: on this machine, or in the same database."""
    others = all_collections(Home(folder.path.parents[1]))
    near = (None, folder.url.full if folder.url else None)
    return [each for each in others if each.path != folder.path and (each.url and each.url.full) in near]


def collection_at(home: Home, name: str) -> CollectionFolder:
    """The folder of a collection, whether or not it exists. Raises UsageError for an impossible name."""
    if not _NAME.fullmatch(name) or name != name.strip():
        raise UsageError(
            f"'{name}' cannot be a collection's name.",
            remedy="Begin with a letter or digit, then letters, digits, blanks and .+@-",
        )
    url = databases(home).get(name)
    if home.view is None:
        return CollectionFolder(home.collections / name, url)
    if url is None or not home.view.of(name):
        raise CollectionNotFoundError(f"No collection named '{name}'.")
    return CollectionFolder(home.collections / name, url, home.view.of(name))


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
