"""A pool of libraries: runs the work of many callers in a few threads, so that no event loop waits for a search.

Callers take turns: one that asks for much delays itself. Knows neither HTTP nor MCP; whoever does says who asks (`CALLER`).
"""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from searchkit.embedding.onnx_embedder import give_back_memory
from searchkit.errors import PoolBusyError, PoolClosedError, SearchkitError
from searchkit.library import Library

T = TypeVar("T")
_WAITING = 128  # jobs: some seconds' worth of searches; beyond that a caller had better come back later
# Of a job; if none comes for a moment after it, memory is given back: 220 MB after long queries.
_MUCH_WORK_SECONDS = 0.5
_IDLE_SECONDS = 1.0
_Job = tuple[Future[Any], Callable[[Library], Any]]
CALLER: ContextVar[str] = ContextVar("searchkit_pool_caller", default="")


class LibraryPool:
    """`workers` threads, each with its own sibling of `library`; models are shared. `library` stays the caller's.

    `waiting`: how many jobs may wait for a free thread. Whose turn it is follows from `CALLER` where the job was submitted.
    """

    def __init__(self, library: Library, workers: int, *, waiting: int = _WAITING) -> None:
        self._library = library
        self._jobs: OrderedDict[str, deque[_Job]] = OrderedDict()  # by caller; whose turn is next comes first
        self._waiting = 0
        self._max_waiting = waiting
        self._is_closed = False
        self._change = threading.Condition()  # notified of a new job, and when the pool closes
        names = (f"searchkit-pool-{number}" for number in range(max(1, workers)))
        self._threads = [threading.Thread(target=self._work, daemon=True, name=name) for name in names]
        for thread in self._threads:
            thread.start()
        library.share_reading(lambda: self.waiting)

    async def run(self, work: Callable[[Library], T]) -> T:
        """Return what the work returns, or raise what it raises. Cancelling it helps only before it has begun.

        Raises PoolBusyError if too many jobs wait already, PoolClosedError after `close`.
        """
        return await asyncio.wrap_future(self.submit(work))

    def submit(self, work: Callable[[Library], T]) -> "Future[T]":
        """Do the same for a caller without an event loop. Raises as `run` does."""
        future: Future[T] = Future()
        with self._change:
            if self._is_closed:
                raise PoolClosedError("The server is shutting down.")
            if self.waiting >= self._max_waiting:
                raise PoolBusyError("Too many requests are waiting already.", remedy="Try again in a moment.")
            self._jobs.setdefault(CALLER.get(), deque()).append((future, work))
            self._waiting += 1
            self._change.notify()
        future.add_done_callback(self._forget)
        return future

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """Load models and indexes in every thread, so that the first searches need not; these report what goes wrong."""
        for _ in self._threads:
            self.submit(lambda library: _warm_up(library, collections))

    @property
    def waiting(self) -> int:
        """The number of jobs that wait for a free thread."""
        return self._waiting

    def close(self, timeout_seconds: float | None = None) -> bool:
        """Take no new jobs and finish those accepted; return True if that was done in time. May be called again."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        worked = 0.0
        with self._library.sibling() as library:
            while (job := self._next(has_worked=worked >= _MUCH_WORK_SECONDS)) is not None:
                start = time.monotonic()
                future, work = job
                del job
                if future.set_running_or_notify_cancel():
                    _do(future, work, library)
                del future, work  # so that an idle thread keeps no result alive
                worked = time.monotonic() - start

    def _next(self, *, has_worked: bool) -> _Job | None:
        """Wait for a job: each caller's oldest, one after the other; return None when the pool is closed and none is left."""
        with self._change:
            comes_soon = self._change.wait_for(self._is_needed, _IDLE_SECONDS if has_worked else None)
        if not comes_soon:
            give_back_memory()
        with self._change:
            self._change.wait_for(self._is_needed)
            if not self._jobs:
                return None
            caller, jobs = self._jobs.popitem(last=False)
            job = jobs.popleft()
            self._waiting -= 1
            if jobs:
                self._jobs[caller] = jobs
            return job

    def _is_needed(self) -> bool:
        return self._is_closed or bool(self._jobs)

    def _forget(self, future: Future[Any]) -> None:
        """Drop a job that was cancelled before it began, so that it takes nobody's place."""
        if future.cancelled():
            with self._change:
                for caller, jobs in list(self._jobs.items()):
                    kept = deque(job for job in jobs if job[0] is not future)
                    self._waiting -= len(jobs) - len(kept)
                    self._jobs[caller] = kept
                    if not kept:
                        del self._jobs[caller]


def _do(future: Future[Any], work: Callable[[Library], Any], library: Library) -> None:
    try:
        result = work(library)
    except BaseException as error:  # noqa: BLE001 (raised where the result is awaited)
        future.set_exception(error)
    else:
        future.set_result(result)


def _warm_up(library: Library, collections: Sequence[str]) -> None:
    with suppress(SearchkitError):
        library.warm_up(collections)
