"""One writer a collection: a lock file that the operating system releases, even after a crash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from searchkit.errors import CollectionBusyError
from searchkit.paths import PRIVATE_FILE_MODE, write_atomically


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the collection for writing. Raises CollectionBusyError at once if another process does."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "lock", timeout=0, mode=PRIVATE_FILE_MODE)
    holder = folder / "lock.holder"
    try:
        lock.acquire()
    except Timeout:
        who = holder.read_text("utf-8") if holder.is_file() else "another process"
        raise CollectionBusyError(
            f"Collection '{folder.name}' is being written by {who}. Wait until it is done, or stop it."
        ) from None
    try:
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        write_atomically(holder, f"process {os.getpid()} since {now}".encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
