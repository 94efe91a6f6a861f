"""What the page shows of collections: their contents, how far they are, and what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.display import being_written, local_time, on_one_line, plural, size, time_left
from searchkit.errors import Action, ReadOnlyError, Remedy
from searchkit.library import Library
from searchkit.reports import CollectionStatus
from searchkit.serve.http.indexing import Indexing, RunStatus

_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection. `state`: in words; `vectors` of `passages` can be found by meaning. `away`: why its database is not reached,
    "" if it is. `problems`: paths and reasons of files that could not be read, of `problem_count`.
    """

    name: str
    state: str
    folders: Sequence[str] = ()
    model: str = ""
    files: int = 0
    passages: int = 0
    vectors: int = 0
    size: str = ""
    updated: str = ""
    formats: str = ""
    problems: Sequence[tuple[str, str]] = ()
    problem_count: int = 0
    away: str = ""
    is_changing: bool = False


def collection_views(library: Library, run: RunStatus | None) -> list[CollectionView]:
    """Return all collections, those whose database is away last. `run`: of indexing that was started here."""
    views = [_view(status, run) for status in library.statuses()]
    return views + [
        CollectionView(name, "not reached", away=on_one_line(str(error))) for name, error in library.away.items()
    ]


def start(indexing: Indexing | None, name: str) -> None:
    """Bring a collection up to date, in the background. Raises ReadOnlyError if the server only reads."""
    if indexing is None:
        raise ReadOnlyError("This server only reads.", remedy=Remedy(Action.ALLOW_INDEXING))
    indexing.start(name)


def _view(status: CollectionStatus, run: RunStatus | None) -> CollectionView:
    is_running = run is not None and run.state == "running" and run.collection == status.collection
    left = status.seconds_left
    return CollectionView(
        name=status.collection,
        state=_state(status, run if is_running else None),
        folders=[on_one_line(str(root)) for root in status.folders],
        model=status.model,
        files=status.files,
        passages=status.passages,
        vectors=status.vectors,
        size=size(status.size_bytes),
        updated=local_time(status.updated_at) if status.updated_at else "",
        formats=", ".join(f"{count.files:,} {count.format}" for count in status.formats[:6]),
        problems=[(on_one_line(str(each.path)), on_one_line(each.reason)) for each in status.problems[:_MOST_PROBLEMS]],
        problem_count=len(status.problems),
        is_changing=is_running or left is not None or status.writer is not None,
    )


def _state(status: CollectionStatus, run: RunStatus | None) -> str:
    if run is not None:
        amount = f", {run.done:,} of {run.total:,}" if run.total else ""
        return f"{run.stage or 'starting'}{amount}"
    left = status.seconds_left
    if status.writer is not None or left is not None:
        return being_written(status) or f"being embedded, {time_left(left or 0.0)} left"
    if status.files_to_read:
        return f"{plural(status.files_to_read, 'file')} not read yet"
    if status.lazy:
        return "read by the model as questions ask for it"
    if status.vectors < status.passages:
        return "partly found by meaning" if status.vectors else "found by words"
    return "up to date"
