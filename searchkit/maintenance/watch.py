"""Keeps collections right for as long as it runs: index runs whenever something below their folders changes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from searchkit.errors import CollectionBusyError, CollectionNotFoundError
from searchkit.library import Library
from searchkit.maintenance.folder_watch import FolderWatch
from searchkit.reports import IndexReport, Problem, ProgressListener, RunOptions

_BUSY_SECONDS = 2.0  # until another try while another process writes
_LOOK_SECONDS = 1.0  # between two looks whether anything was forgotten, or Ctrl-C pressed
_INDEX_SLACK = 1000  # vectors; the index is not written anew for every edit


def watch(
    library: Library, collections: Sequence[str], on_progress: ProgressListener, stopped: Event
) -> Iterator[IndexReport]:
    """A report of each run that changed something, until `stopped`, or until the last collection is forgotten.

    What changes is first read, so that its words are found; embedding makes way for newer changes and goes on after them.
    """
    while not stopped.is_set():
        there = library.collections()
        names = [name for name in collections if name in there]
        if not names:
            raise CollectionNotFoundError("What was watched has been forgotten. Nothing is left to watch.")
        with FolderWatch([root for name in names for root in library.collection(name).roots()]) as changes:
            yield from _follow(library, names, changes, on_progress, stopped)


def _follow(
    library: Library, names: Sequence[str], changes: FolderWatch, on_progress: ProgressListener, stopped: Event
) -> Iterator[IndexReport]:
    """Runs until the collections or their folders are other ones."""
    folders = _folders(library, names)
    options = RunOptions(is_interrupted=lambda: changes.changed.is_set() or stopped.is_set(), index_slack=_INDEX_SLACK)
    problems: dict[str, tuple[Problem, ...]] = {}
    is_settled = False  # the first run looks what has happened before
    while not stopped.is_set() and _folders(library, names) == folders:
        if is_settled and not changes.changed.wait(_LOOK_SECONDS):
            continue
        changes.changed.clear()
        is_settled = True
        for name in names:
            try:
                report = library.collection(name).refresh(on_progress=on_progress, options=options)
            except CollectionBusyError:
                stopped.wait(_BUSY_SECONDS)
                is_settled = False
                continue
            is_settled = is_settled and library.collection(name).is_covered()
            news = report.problems if report.problems != problems.get(name) else ()
            problems[name] = report.problems
            if report.added or report.changed or report.moved or report.deleted or report.embedded or news:
                yield report


def _folders(library: Library, names: Sequence[str]) -> list[tuple[Path, ...]]:
    """The collections' folders, none for a collection that is gone."""
    there = library.collections()
    return [library.collection(name).roots() if name in there else () for name in names]
