"""Runs work on a library for many callers at once, in a few threads, so that an event loop never waits for a search.

Knows neither HTTP nor MCP.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from searchkit.errors import PoolBusyError, PoolClosedError
from searchkit.library import Library

T = TypeVar("T")
_WAITING = 128  # pieces of work; some seconds' worth of searches, beyond which a caller does better to come again
_Job = tuple[Future[Any], Callable[[Library], Any]]


class LibraryPool:
    """`workers` threads, each with a library of its own (`Library.sibling`); models are shared. `library` stays the caller's.

    `waiting`: how much work may wait for a free thread.
    """

    def __init__(self, library: Library, workers: int, *, waiting: int = _WAITING) -> None:
        self._library = library
        self._jobs: deque[_Job] = deque()
        self._most_waiting = waiting
        self._is_closed = False
        self._change = threading.Condition()  # of the jobs, or that there will be no more
        names = (f"searchkit-engine-{number}" for number in range(max(1, workers)))
        self._threads = [threading.Thread(target=self._work, daemon=True, name=name) for name in names]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Library], T]) -> T:
        """What the work gives, or raises. Cancelled while it waits, the work is never begun; once begun it runs to its end.

        Raises PoolBusyError if too much waits already, PoolClosedError after `close`.
        """
        return await asyncio.wrap_future(self.submit(work))

    def submit(self, work: Callable[[Library], T]) -> "Future[T]":
        """The same for a caller without an event loop. Raises as `run` does."""
        future: Future[T] = Future()
        with self._change:
            if self._is_closed:
                raise PoolClosedError("The server is shutting down. Start it again: searchkit serve")
            if self.waiting >= self._most_waiting:
                raise PoolBusyError("Too many requests wait already. Try again in a moment.")
            self._jobs.append((future, work))
            self._change.notify()
        future.add_done_callback(self._forget)
        return future

    @property
    def waiting(self) -> int:
        """How much work waits for a free thread."""
        return len(self._jobs)

    def close(self, timeout_seconds: float | None = None) -> bool:
        """Take no new work and wait until what was taken is done: whether it is, in that time. May be called again."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        with self._library.sibling() as library:
            while (job := self._next()) is not None:
                future, work = job
                del job
                if future.set_running_or_notify_cancel():
                    _do(future, work, library)
                del future, work  # a thread that waits keeps no result alive

    def _next(self) -> _Job | None:
        """What has waited longest, as soon as there is any; None when the engine is closed and nothing is left."""
        with self._change:
            self._change.wait_for(lambda: self._jobs or self._is_closed)
            return self._jobs.popleft() if self._jobs else None

    def _forget(self, future: Future[Any]) -> None:
        """Let go of work that was cancelled before it began: it takes nobody's place."""
        if future.cancelled():
            with self._change:
                self._jobs = deque(job for job in self._jobs if job[0] is not future)


def _do(future: Future[Any], work: Callable[[Library], Any], library: Library) -> None:
    try:
        result = work(library)
    except BaseException as error:  # noqa: BLE001 (raised where the result is awaited)
        future.set_exception(error)
    else:
        future.set_result(result)
