"""Renames a collection: its folder, and whatever else refers to it by its name.

One step decides: of a collection on this machine its folder is renamed, of one in a database config.toml is written. In a database
nothing is changed: the collection keeps its name there, so that others who use it are not disturbed, and config.toml says which.
A renaming may be killed at any point: until that step all is under the old name, from then on under the new one. What else is to
follow stands in `renaming.json` in the data directory, and whichever renaming comes next does it first.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from searchkit.catalog.catalog import readable_errors
from searchkit.catalog.connection import held
from searchkit.catalog.writer import writer_lock
from searchkit.config import save_settings, saved_settings
from searchkit.errors import Action, CollectionBusyError, Remedy, UsageError
from searchkit.files import sync_folder, write_atomically
from searchkit.home import CollectionFolder, Home, all_collections, collection_at, existing_collection
from searchkit.library import Library
from searchkit.maintenance.mentions import is_same, rename_mentions
from searchkit.maintenance.move import is_unfinished

_JOURNAL = "renaming.json"
_LOCK = "renaming.lock"
_LOCK_FILES = ("lock", "lock.holder")  # of whoever would have created a collection, and was killed before


@dataclass(frozen=True, slots=True)
class RenameReport:
    """What a renaming has changed besides the collection itself.

    `name_in_database`: the name that it keeps there, "" for a collection of this machine. `aliases`: the server's, which stand for
    it; `tokens`: those that see it, by name; `opened`: records of opened hits. `was_finished`: True if an earlier renaming to the
    same name had been interrupted, and this one did the rest of it.
    """

    collection: str
    previous: str
    name_in_database: str
    aliases: tuple[str, ...]
    tokens: tuple[str, ...]
    opened: int
    was_finished: bool = False


@dataclass(frozen=True, slots=True)
class _Journal:
    """A renaming under way. `place`: of the collection, see CollectionFolder."""

    old: str
    new: str
    place: tuple[str, ...]

    def is_switched(self, home: Home) -> bool:
        """True if it has got past the step that decides."""
        named = {folder.name: folder for folder in all_collections(home)}
        return self.new in named and named[self.new].place() == self.place


def rename_collection(library: Library, old: str, new: str) -> RenameReport:
    """Give a collection another name. Searches go on meanwhile, and find it under the new one as soon as this returns.

    Raises CollectionNotFoundError; UsageError for an impossible or taken name, and after a move that was interrupted;
    CollectionBusyError if another process writes to it; CatalogError if its database or a disk cannot be used. Then nothing is
    changed.
    """
    home = library.home
    with _one_at_a_time(home):
        pending = _read(home)
        if pending and pending.is_switched(home):
            report = _follow(home, pending.old, pending.new)
            if (pending.old, pending.new) == (old, new):
                return replace(report, was_finished=True)
        (home.path / _JOURNAL).unlink(missing_ok=True)  # of one that has changed nothing
        source, target = existing_collection(home, old), collection_at(home, new)
        _check(home, source, target)
        library.collection(old).close()
        with library.collection(old).refusing(), held(source), readable_errors(source):
            _write(home, source, target)
            _switch(home, source, target)
            return _follow(home, old, new)


@contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(home.path / _LOCK, timeout=0, mode=0o600):
            yield
    except Timeout:
        raise CollectionBusyError("Another process is renaming a collection.", remedy=Remedy(Action.WAIT)) from None


def _check(home: Home, source: CollectionFolder, target: CollectionFolder) -> None:
    """Raise UsageError if the name is taken, or the collection not in one place."""
    if source.name == target.name:
        raise UsageError(f"The collection is called '{source.name}' already.")
    if target.name in [each.name for each in all_collections(home)] and not is_same(source.path, target.path):
        raise UsageError(
            f"There is a collection '{target.name}' already. Nothing was changed.", remedy="Choose another name."
        )
    if is_unfinished(source):
        raise UsageError(
            f"A move of '{source.name}' was interrupted. Nothing was changed.",
            remedy=Remedy(Action.MOVE, collection=source.name, sentence="Finish it first"),
        )


def _switch(home: Home, source: CollectionFolder, target: CollectionFolder) -> None:
    """The step that decides."""
    if source.url is None:
        _clear(source, target)
        source.path.rename(target.path)
        sync_folder(home.collections)
        (target.path / _LOCK_FILES[1]).unlink(missing_ok=True)  # that of this process, which has moved
        return
    name_there = source.url.collection or source.name
    url = replace(source.url, collection="" if name_there == target.name else name_there)
    settings = saved_settings(home)
    named = {target.name if name == source.name else name: at for name, at in settings.collections.items()}
    save_settings(home, replace(settings, collections=named | {target.name: url}))


def _clear(source: CollectionFolder, target: CollectionFolder) -> None:
    """Remove what a run has left that was killed before it created a collection of the new name.

    Raises UsageError if there is more.
    """
    if not target.path.is_dir() or is_same(source.path, target.path):
        return
    with writer_lock(target.path):
        if others := sorted(path.name for path in target.path.iterdir() if path.name not in _LOCK_FILES):
            raise UsageError(
                f"{target.path} is no collection, but has {', '.join(others[:3])}. Nothing was changed.",
                remedy="Put that folder somewhere else first, or choose another name.",
            )
        shutil.rmtree(target.path)


def _follow(home: Home, old: str, new: str) -> RenameReport:
    """Have everything else mention the new name. Doing it twice changes nothing more."""
    target = collection_at(home, new)
    mentions = rename_mentions(home, old, target)
    (home.path / _JOURNAL).unlink(missing_ok=True)
    name_there = (target.url.collection or new) if target.url else ""
    return RenameReport(new, old, name_there, mentions.aliases, mentions.tokens, mentions.opened)


def _write(home: Home, source: CollectionFolder, target: CollectionFolder) -> None:
    content = {"from": source.name, "to": target.name, "place": source.place()}
    write_atomically(home.path / _JOURNAL, json.dumps(content, ensure_ascii=False).encode())


def _read(home: Home) -> _Journal | None:
    """The renaming that was interrupted, None if there is none that can be read."""
    try:
        content = json.loads((home.path / _JOURNAL).read_bytes())
        return _Journal(str(content["from"]), str(content["to"]), tuple(map(str, content["place"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
