"""Updates collections on request, one at a time, for a server that may write (`--allow-indexing`)."""

import logging
import threading
from dataclasses import dataclass, replace
from typing import Literal

from searchkit.errors import AlreadyIndexingError, SearchkitError
from searchkit.library import Library
from searchkit.reports import IndexReport, Progress, RunOptions
from searchkit.serve.http.error_responses import error_text
from searchkit.serve.http.middleware.asgi import error_summary

log = logging.getLogger("searchkit.serve")
State = Literal["idle", "running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of the last run. `stage`, `done`, `total`: see Progress. `report`: of a finished run; `error`: why one failed."""

    state: State = "idle"
    collection: str = ""
    stage: str = ""
    done: int = 0
    total: int | None = None
    report: IndexReport | None = None
    error: str = ""


class Indexing:
    """Runs one update at a time, on a sibling of `library`, which stays the caller's. It reads no new folders."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.status = RunStatus()

    def start(self, collection: str) -> RunStatus:
        """Start to update a collection. Raises AlreadyIndexingError while another run lasts, CollectionNotFoundError."""
        self._library.collection(collection).roots()
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
        """Interrupt the run; return True if it ended in time. The next run continues where it stopped."""
        self._stopped.set()
        if self._thread:
            self._thread.join(seconds)
        return not (self._thread and self._thread.is_alive())

    def _run(self, collection: str) -> None:
        options = RunOptions(is_interrupted=self._stopped.is_set)
        try:
            with self._library.sibling() as library:
                report = library.collection(collection).refresh(on_progress=self._note, options=options)
        except SearchkitError as error:
            self.status = replace(self.status, state="failed", error=error_text(error))
        except Exception as error:  # noqa: BLE001 (nobody waits for this thread; the status reports it)
            log.error("indexing: %s", error_summary(error))
            self.status = replace(
                self.status, state="failed", error="Something went wrong; the server's log says where."
            )
        else:
            state: State = "stopped" if self._stopped.is_set() else "done"
            self.status = RunStatus(state, collection, report=report)

    def _note(self, progress: Progress) -> None:
        self.status = replace(self.status, stage=progress.stage, done=progress.done, total=progress.total)
