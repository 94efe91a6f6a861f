"""Admits one writer per collection, by a lock file that the operating system releases even after a crash."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from searchkit.errors import Action, CollectionBusyError, Remedy
from searchkit.files import PRIVATE_FILE_MODE, write_atomically


@contextmanager
def writer_lock(folder: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Lock the collection for writing.

    If another process has the lock, `on_wait` is called with a text that says which, and this one waits; without `on_wait`
    CollectionBusyError is raised.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock", timeout=0, mode=PRIVATE_FILE_MODE)
    holder = folder / "lock.holder"
    try:
        lock.acquire()
    except Timeout:
        who = _who(holder)
        if on_wait is None:
            raise CollectionBusyError(
                f"Collection '{folder.name}' is being written by {who}.",
                remedy=Remedy(Action.WAIT) | Remedy(sentence="Stop it"),
            ) from None
        on_wait(who)
        lock.acquire(timeout=-1)
    try:
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        write_atomically(holder, f"process {os.getpid()} since {now}".encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        return holder.read_text("utf-8")
    except OSError:  # it has just finished, or just begun
        return "another process"
