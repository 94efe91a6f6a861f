"""The process that writes to a collection: it has a lock, and says who it is and what it does, so that others can be told."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.errors import Action, CollectionBusyError, Remedy
from searchkit.files import PRIVATE_FILE_MODE, write_atomically
from searchkit.home import CollectionFolder
from searchkit.reports import Work, Writer

_HOLDER = "lock.holder"


@contextmanager
def writer_lock(folder: Path, on_wait: Callable[[str], None] | None = None, work: Work = Work.WRITE) -> Iterator[None]:
    """Lock the collection for writing. `work`: what others are told of it.

    If another process has the lock, `on_wait` is called with a text that says which, and this one waits; without `on_wait`
    CollectionBusyError is raised.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock", timeout=0, mode=PRIVATE_FILE_MODE)
    holder = folder / _HOLDER
    try:
        lock.acquire()
    except Timeout:
        writer = _read(holder) or Writer()
        if on_wait is None:
            raise busy(folder.name, writer) from None
        on_wait(who(writer))
        lock.acquire(timeout=-1)
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        content = {"process": os.getpid(), "work": work, "since": now}
        write_atomically(holder, json.dumps(content).encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def writer_of(folder: CollectionFolder, catalog: CatalogReader) -> Writer | None:
    """The process that writes to a collection, None if there is none or it is not known; quick to ask."""
    if folder.url is None:
        return _read(folder.path / _HOLDER)
    from searchkit.catalog.postgres.connection import writer_in

    return writer_in(catalog)


def busy(collection: str, writer: Writer, progress: str = "") -> CollectionBusyError:
    """Make the error for a collection to which another process writes. `progress`: how far that is, with a comma before it."""
    return CollectionBusyError(
        f"Collection '{collection}' is being {writer.work} by {who(writer)}{progress}.",
        remedy=Remedy(Action.WAIT) | Remedy(sentence="Stop it"),
    )


def who(writer: Writer) -> str:
    """`process 1234 since 21:04`: the process, and since when it has done it."""
    if not writer.since:
        return writer.process
    began = datetime.fromisoformat(writer.since).astimezone()
    is_today = began.date() == datetime.now().date()
    return f"{writer.process} since {began:%H:%M}" if is_today else f"{writer.process} since {began:%Y-%m-%d %H:%M}"


def _read(holder: Path) -> Writer | None:
    """What the process that has the lock has written; None if it has just finished, or just begun, or was killed."""
    try:
        content = json.loads(holder.read_bytes())
        number, work, since = int(content["process"]), Work(content["work"]), str(content["since"])
        datetime.fromisoformat(since)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Writer(work, f"process {number}", since) if _is_running(number) else None


def _is_running(number: int) -> bool:
    if os.name == "nt":  # where signal 0 is none
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
