"""Moves a collection between this machine and a PostgreSQL database: the same collection in the other home.

Nothing is read or embedded again. The new home is filled in one transaction and compared with the old one, then config.toml is
switched, and only then the old home is removed; what evaluation and training have written stays in the collection's folder on this
machine. A move may be killed at any point: until the switch the old home is in use, whole, and the next move begins anew; from then
on the new one is, and the next move removes what is left of the old. `moving.json` in that folder says how far a move was.
"""

import json
import time
from dataclasses import dataclass, replace

from searchkit.catalog.checksums import state_of
from searchkit.catalog.copying import Moved, copy_catalog
from searchkit.catalog.moving import arriving, leaving, remove_left_over, settle
from searchkit.collection import Collection
from searchkit.config import save_settings, saved_settings
from searchkit.errors import SearchkitError, UsageError
from searchkit.files import make_private_folder, write_atomically
from searchkit.home import CollectionFolder, DatabaseUrl, Home
from searchkit.index_store import refresh_index
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener

HERE = "local"  # the home that is this machine
_JOURNAL = "moving.json"
_KEYS = ("from", "to", "old", "new", "name")  # of the journal


@dataclass(frozen=True, slots=True)
class MoveReport:
    """The result of a move. `source`, `target`: "local", or a database without its password.

    The numbers are of rows that are the same on both sides, by count and checksum. `was_finished`: True if an earlier move had done
    everything but remove the old home; then they are 0. `left`: True if the old home was left where it is, since somebody had
    changed it after that.
    """

    collection: str
    source: str
    target: str
    documents: int
    chunks: int
    vectors: int
    provisional: int
    elapsed_seconds: float
    was_finished: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True)
class _Journal:
    """A move under way. `old`, `new`: the states of both catalogs once they were compared, else "".

    `name`: the collection's in the database that it leaves, "" if that is its own.
    """

    source: str
    target: str
    old: str = ""
    new: str = ""
    name: str = ""

    def has_left(self, state: str) -> bool:
        """True if a catalog that is not in use is one of this move's, as it was when they were compared."""
        return bool(self.new) and state in (self.old, self.new)


def move_collection(library: Library, name: str, to: str, on_progress: ProgressListener) -> MoveReport:
    """Move a collection. `to`: "local", or the address of a database.

    Raises UsageError if it lives there already, or the place has another of its name; CollectionNotFoundError; CollectionBusyError
    if another process writes to it; CatalogError if it is damaged, or a database or a disk cannot be used. Then nothing is changed.
    """
    url = None if to == HERE else DatabaseUrl(to)
    collection = library.collection(name)
    old, new = collection.folder, replace(collection.folder, url=url)
    started = time.monotonic()
    if _full(old.url) == _full(new.url):
        return _finish(old, started)
    if old.url is not None and new.url is not None:
        raise UsageError(
            f"Collection '{name}' lives in {old.url}, and moves to another database by way of this machine.",
            remedy="Move it here first. If that is the same database under another address, change the address in config.toml.",
        )
    collection.close()
    with collection.refusing():
        moved = _moved(library.home, old, new, on_progress)
    report = MoveReport(
        name,
        _place(old.url),
        _place(new.url),
        moved.documents,
        moved.chunks,
        moved.vectors,
        moved.provisional,
        time.monotonic() - started,
    )
    _build_index(library.collection(name), on_progress)
    return report


def _moved(home: Home, old: CollectionFolder, new: CollectionFolder, on_progress: ProgressListener) -> Moved:
    """Copy, compare, switch, remove."""
    earlier = _read(old)
    journal = _Journal(_full(old.url), _full(new.url), name=old.url.collection if old.url else "")
    with (
        leaving(old) as source,
        arriving(new, lambda state: earlier is not None and earlier.has_left(state)) as target,
    ):
        with target.filling():
            moved = copy_catalog(source, target, on_progress)
        _write(old, replace(journal, old=state_of(source.catalog), new=moved.state))
        target.publish()
        settings = saved_settings(home)
        others = {each: url for each, url in settings.collections.items() if each != old.name}
        save_settings(home, replace(settings, collections=others | ({new.name: new.url} if new.url else {})))
        source.remove()
        target.settle()
    (old.path / _JOURNAL).unlink(missing_ok=True)
    return moved


def _finish(folder: CollectionFolder, started: float) -> MoveReport:
    """Remove what an interrupted move has left of the old home. Raises UsageError if there was none."""
    journal = _read(folder)
    if journal is None or not journal.new or journal.target != _full(folder.url):
        raise UsageError(f"Collection '{folder.name}' lives {_where(folder.url)} already.")
    url = DatabaseUrl(journal.source, journal.name) if journal.source else None
    is_removed = remove_left_over(replace(folder, url=url), lambda state: state == journal.old)
    settle(folder)
    (folder.path / _JOURNAL).unlink(missing_ok=True)
    seconds = time.monotonic() - started
    places = _place(url), _place(folder.url)
    return MoveReport(folder.name, *places, 0, 0, 0, 0, seconds, was_finished=True, left=not is_removed)


def _build_index(collection: Collection, on_progress: ProgressListener) -> None:
    """Build the index of the new home, if the model is here: else the next search or index run does."""
    on_progress(Progress("Building the index", 0, None, ""))
    try:
        model = collection.model()
        if model and collection.models.fingerprint(model):
            with collection.writing() as catalog:
                refresh_index(collection.folder, catalog, collection.embedder())
    except SearchkitError:  # the collection has moved all the same; whoever searches or indexes it is told
        return


def _place(url: DatabaseUrl | None) -> str:
    return HERE if url is None else str(url)


def _where(url: DatabaseUrl | None) -> str:
    return "on this machine" if url is None else f"in {url}"


def _full(url: DatabaseUrl | None) -> str:
    """An address as config.toml has it: the file is as private."""
    return "" if url is None else url.full


def is_unfinished(folder: CollectionFolder) -> bool:
    """True if a move of the collection was interrupted."""
    return (folder.path / _JOURNAL).exists()


def _write(folder: CollectionFolder, journal: _Journal) -> None:
    content = dict(zip(_KEYS, (journal.source, journal.target, journal.old, journal.new, journal.name), strict=True))
    make_private_folder(folder.path)
    write_atomically(folder.path / _JOURNAL, json.dumps(content, indent=2).encode())


def _read(folder: CollectionFolder) -> _Journal | None:
    """The journal of a move that was interrupted, None if there is none that can be read."""
    try:
        content = json.loads((folder.path / _JOURNAL).read_bytes())
        source, target, old, new = (str(content[key]) for key in _KEYS[:4])
        return _Journal(source, target, old, new, str(content.get("name", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
