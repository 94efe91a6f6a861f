"""Brings collections up to date on request, one at a time, for a server that may write (`--allow-indexing`)."""

import logging
import threading
from dataclasses import dataclass, replace
from typing import Literal

from searchkit.errors import AlreadyIndexingError, SearchkitError
from searchkit.library import Library
from searchkit.serve.http.middleware.error_boundary import error_summary
from searchkit.serve.http.remedies import error_text
from searchkit.types import IndexReport, Progress, RunOptions

log = logging.getLogger("searchkit.serve")
State = Literal["idle", "running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far the last run is. `stage`, `done`, `total`: see Progress. `report`: of one that has ended, `error`: why it failed."""

    state: State = "idle"
    collection: str = ""
    stage: str = ""
    done: int = 0
    total: int | None = None
    report: IndexReport | None = None
    error: str = ""


class Indexing:
    """`library` stays the caller's; runs have a sibling of it. Only folders that a collection has already are read."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.status = RunStatus()

    def start(self, collection: str) -> RunStatus:
        """Begin to bring a collection up to date. Raises AlreadyIndexingError while a run goes on, CollectionNotFoundError."""
        self._library.roots(collection)
        with self._lock:
            if self._thread and self._thread.is_alive():
                raise AlreadyIndexingError(
                    f"'{self.status.collection}' is being indexed.",
                    remedy="Ask again when that is done: GET /index",
                )
            self.status = RunStatus("running", collection)
            self._thread = threading.Thread(
                target=self._run, args=(collection,), name="searchkit-indexing", daemon=True
            )
            self._thread.start()
            return self.status

    def close(self, seconds: float) -> bool:
        """Stop a run where it is: whether it has, in that time. Whatever it leaves, the next one takes up."""
        self._stopped.set()
        if self._thread:
            self._thread.join(seconds)
        return not (self._thread and self._thread.is_alive())

    def _run(self, collection: str) -> None:
        options = RunOptions(is_interrupted=self._stopped.is_set)
        try:
            with self._library.sibling() as library:
                report = library.refresh(collection, on_progress=self._note, options=options)
        except SearchkitError as error:
            self.status = replace(self.status, state="failed", error=error_text(error))
        except Exception as error:  # noqa: BLE001 (a thread that nobody waits for: the status tells)
            log.error("indexing: %s", error_summary(error))
            self.status = replace(
                self.status, state="failed", error="Something went wrong; the server's log says where."
            )
        else:
            state: State = "stopped" if self._stopped.is_set() else "done"
            self.status = RunStatus(state, collection, report=report)

    def _note(self, progress: Progress) -> None:
        self.status = replace(self.status, stage=progress.stage, done=progress.done, total=progress.total)
