"""Keeps collections in sync while it runs, by index runs whenever something below their folders changes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import watchfiles
from pathspec import GitIgnoreSpec

from searchkit.errors import CollectionBusyError, CollectionNotFoundError
from searchkit.ingest.discover import ALWAYS_IGNORED, IGNORE_FILES
from searchkit.library import Library
from searchkit.reports import IndexReport, Problem, ProgressListener, RunOptions

_QUIET_MS = 300  # a burst is over when nothing has happened for this long,
_BURST_MS = 2000  # or when it has lasted this long
_LOOK_MS = 1000  # between two checks that the folders still exist
_LOOK_AGAIN_SECONDS = 300.0  # for changes without notice, as on network drives
_IGNORED = GitIgnoreSpec.from_lines(ALWAYS_IGNORED)


class FolderWatch:
    """A background thread that listens. `changed` is set after each burst of changes, and now and then without one."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.changed = Event()
        self._folders = list(folders)
        self._stopped = Event()
        self._poll = False
        self._thread = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "FolderWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _listen(self) -> None:
        """Listen to the existing folders, and start over when one appears, disappears or is replaced."""
        while not self._stopped.is_set():
            there = _identities(self._folders)
            if not there:
                self._stopped.wait(_LOOK_MS / 1000)
                continue
            try:
                self._listen_to(there)
            except FileNotFoundError:  # it disappeared between the two checks
                continue
            except OSError:  # no notices: the system's limit of watches is reached
                self._poll = True

    def _listen_to(self, there: dict[Path, tuple[int, int]]) -> None:
        bursts = watchfiles.watch(
            *there,
            watch_filter=lambda _, path: _is_of_interest(path, there),
            debounce=_BURST_MS,
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            stop_event=self._stopped,
            raise_interrupt=False,
            force_polling=self._poll,
            ignore_permission_denied=True,
        )
        looked = 0.0  # changes from before the notices are found by a run
        for burst in bursts:
            if burst or not looked or time.monotonic() - looked > _LOOK_AGAIN_SECONDS:
                looked = time.monotonic()
                self.changed.set()
            if _identities(self._folders) != there:
                self.changed.set()
                return


def _identities(folders: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Device and inode of the existing folders."""
    found = {}
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            continue
        found[folder] = (status.st_dev, status.st_ino)
    return found


def _is_of_interest(path: str, roots: dict[Path, tuple[int, int]]) -> bool:
    """True if the file could be indexed: not an editor's or a system's own, nor hidden."""
    changed = Path(path)
    below = next((changed.relative_to(root) for root in roots if changed.is_relative_to(root)), changed)
    if below.name in IGNORE_FILES:
        return True
    # Hidden files may be wanted (a .searchkitignore can say so); git's own never are, and change all the time.
    return ".git" not in below.parts and not _IGNORED.match_file(below.as_posix())


_BUSY_SECONDS = 2.0  # between two tries while another process writes
_LOOK_SECONDS = 1.0  # between two checks whether anything was forgotten, or Ctrl-C pressed
_INDEX_SLACK = 1000  # vectors; the index is not rewritten for every edit


def watch(
    library: Library, collections: Sequence[str], on_progress: ProgressListener, stopped: Event
) -> Iterator[IndexReport]:
    """Yield a report of each run that changed something, until `stopped`, or until the last collection is forgotten.

    One that is renamed is watched on under its new name.

    Changed files are first read, so that their words are found; embedding pauses for newer changes and continues after them.
    """
    names, places = list(collections), _places(library)
    while not stopped.is_set():
        now = _places(library)
        named = {place: name for name, place in now.items()}
        names = [found for name in names if (found := name if name in now else named.get(places.get(name, ())))]
        places = now
        if not names:
            raise CollectionNotFoundError("The watched collections have been forgotten. Nothing is left to watch.")
        with FolderWatch([root for name in names for root in library.collection(name).roots()]) as changes:
            yield from _follow(library, names, changes, on_progress, stopped)


def _follow(
    library: Library, names: Sequence[str], changes: FolderWatch, on_progress: ProgressListener, stopped: Event
) -> Iterator[IndexReport]:
    """Run until the collections or their folders change."""
    folders = _folders(library, names)
    options = RunOptions(is_interrupted=lambda: changes.changed.is_set() or stopped.is_set(), index_slack=_INDEX_SLACK)
    problems: dict[str, tuple[Problem, ...]] = {}
    is_settled = False  # the first run finds earlier changes
    by_words = False  # True while a collection has no model; it is embedded once one is installed
    while not stopped.is_set() and _folders(library, names) == folders:
        if is_settled and not changes.changed.wait(_LOOK_SECONDS) and not (by_words and library.open_models.names()):
            continue
        changes.changed.clear()
        is_settled = True
        by_words = False
        for name in names:
            try:
                report = library.collection(name).refresh(on_progress=on_progress, options=options)
            except CollectionBusyError:
                stopped.wait(_BUSY_SECONDS)
                is_settled = False
                continue
            except CollectionNotFoundError:  # forgotten or renamed this moment
                is_settled = False
                continue
            by_words = by_words or not report.model
            is_settled = is_settled and (not report.model or library.collection(name).is_covered())
            news = report.problems if report.problems != problems.get(name) else ()
            problems[name] = report.problems
            if report.added or report.changed or report.moved or report.deleted or report.embedded or news:
                yield report


def _places(library: Library) -> dict[str, tuple[str, ...]]:
    """Where each collection is, whatever it is called."""
    found = {}
    for name in library.collections():
        with suppress(OSError, CollectionNotFoundError):  # it goes, or gets another name, this moment
            found[name] = library.collection(name).folder.place()
    return found


def _folders(library: Library, names: Sequence[str]) -> list[tuple[Path, ...]]:
    """The collections' folders, none for a collection that is gone."""
    there = library.collections()
    return [library.collection(name).roots() if name in there else () for name in names]
