"""What mentions a collection by its name: its folder, aliases and tokens of the server, opened hits, files of version 0.1."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.config import save_settings, saved_settings
from searchkit.home import CollectionFolder, Home
from searchkit.maintenance.callers import rename_seen
from searchkit.search.click_log import rename_opened

_EVERYTHING = "searchkit"  # `searchkit/NAME` is a collection as the server's clients name it


@dataclass(frozen=True, slots=True)
class Mentions:
    """Aliases of the server that stand for a collection, tokens that see it, by name, and the number of records of opened hits."""

    aliases: tuple[str, ...]
    tokens: tuple[str, ...]
    opened: int


def rename_mentions(home: Home, old: str, collection: CollectionFolder) -> Mentions:
    """Have all that mentions a collection by its old name do so by the one that it has. Doing it twice changes nothing more."""
    new, before = collection.name, home.collections / old
    if collection.url is not None and before.is_dir() and not is_same(before, collection.path):
        _merge(before, collection.path)
    (vectors, _), (new_vectors, _) = home.earlier_training(old), home.earlier_training(new)
    for earlier, later in (
        (vectors.parent, new_vectors.parent),
        (home.earlier_evaluation(old), home.earlier_evaluation(new)),
    ):
        if earlier.exists() and not later.exists():
            earlier.rename(later)
    aliases, tokens = _rename_aliases(home, old, new), rename_seen(home, old, new)
    return Mentions(aliases, tuple(tokens), rename_opened(home, old, new))


def _merge(before: Path, folder: Path) -> None:
    """Move files of a collection in a database to its new folder; one that somebody has made there since is the newer."""
    folder.parent.mkdir(exist_ok=True)
    with suppress(OSError):  # there is none, or an empty one
        before.rename(folder)
        return
    for path in before.iterdir():
        if not (folder / path.name).exists():
            path.rename(folder / path.name)
    shutil.rmtree(before)


def _rename_aliases(home: Home, old: str, new: str) -> tuple[str, ...]:
    """The aliases that stood for the collection; now they stand for its new name."""
    meant = {old: new, f"{_EVERYTHING}/{old}": f"{_EVERYTHING}/{new}"}
    settings = saved_settings(home)
    found = tuple(alias for alias, name in settings.serve.aliases.items() if name in meant)
    if found:
        aliases = {alias: meant.get(name, name) for alias, name in settings.serve.aliases.items()}
        save_settings(home, replace(settings, serve=replace(settings.serve, aliases=aliases)))
    return found


def is_same(one: Path, other: Path) -> bool:
    """True if two paths are one folder: where case does not count."""
    return one.exists() and other.exists() and one.samefile(other)
