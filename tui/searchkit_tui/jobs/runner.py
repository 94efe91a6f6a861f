"""Work that goes on while the user does something else. It belongs to the app, not to a screen, and knows no widgets.

For who shows it: `JobRunner.line()` is one line on what is under way, "" if nothing is; `JobRunner.active` are the jobs
themselves. Both are cheap, so look a few times a second. `JobRunner.finished` counts what has ended: once it changes,
collections may be others.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from searchkit.library import Library
from searchkit_tui.jobs.job import Job, JobKind, JobState

_KEPT = 20  # jobs that have ended

# Runs a coroutine for as long as the app lives, and cancels it when that ends.
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class JobRunner:
    """Runs jobs in threads: those that take all cores one after the other, others at once, and one watch of many folders.

    To be called on the app's event loop. `on_end` is called there with every job that has ended.
    """

    def __init__(self, library: Library, spawn: Spawn, on_end: Callable[[Job], None]) -> None:
        self.finished = 0
        self.watched: frozenset[str] = frozenset()
        self._library = library
        self._spawn = spawn
        self._on_end = on_end
        self._turn = asyncio.Lock()
        self._jobs: list[Job] = []
        self._watch: Job | None = None
        self._is_watching = False

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All there are and the last that were, in the order in which they were submitted; the watch last."""
        return (*self._jobs, *([self._watch] if self._watch else ()))

    @property
    def active(self) -> tuple[Job, ...]:
        """Those that have not ended; the one at work first, the watch last."""
        going = [job for job in self.jobs if job.is_active]
        return tuple(sorted(going, key=lambda job: (job.kind is JobKind.WATCH, job.state is JobState.WAITING)))

    def of(self, collection: str) -> Job | None:
        """What is being done to a collection, watching aside."""
        return next((job for job in self.active if job.collection == collection and job is not self._watch), None)

    @property
    def at_work(self) -> Job | None:
        """The first of what is under way, watching aside."""
        return next((job for job in self.active if job is not self._watch), None)

    def latest(self, kind: JobKind, collection: str) -> Job | None:
        """The last job of a kind on a collection, also if it has ended."""
        return next((job for job in reversed(self._jobs) if (job.kind, job.collection) == (kind, collection)), None)

    @property
    def watch_outcome(self) -> str:
        """What watching has last brought, "" if nothing yet."""
        return self._watch.outcome if self._watch else ""

    def line(self) -> str:
        """One line on what is under way, "" if nothing is."""
        active = self.active
        if not active:
            return ""
        more = f" (and {len(active) - 1} more)" if len(active) > 1 else ""
        return active[0].line() + more

    def submit(self, job: Job) -> Job:
        """Do it: soon, or when it is its turn."""
        ended = [each for each in self._jobs if not each.is_active]
        for old in ended[: max(0, len(ended) - _KEPT)]:
            self._jobs.remove(old)
        self._jobs.append(job)
        self._spawn(self._lead(job))
        return job

    def watch(self, names: Iterable[str]) -> None:
        """Keep these collections right from now on, and no others."""
        self.watched = frozenset(names)
        if self._watch is not None:
            self._watch.cancel()
        if not self._is_watching and self.watched:
            self._is_watching = True
            self._spawn(self._keep_watching())

    def release(self, collection: str) -> None:
        """Cancel everything that is done to a collection, so that it can be forgotten."""
        for job in self.active:
            if job.collection == collection and job is not self._watch:
                job.cancel()
        if collection in self.watched:
            self.watch(self.watched - {collection})

    async def _lead(self, job: Job) -> None:
        try:
            if job.kind.is_heavy:
                async with self._turn:
                    await asyncio.to_thread(job.run, self._library)
            else:
                await asyncio.to_thread(job.run, self._library)
        finally:  # the app has ended, if the job has not
            job.cancel()
        if job.follow_up and job.state is JobState.DONE:
            job.follow_up()
        self._ended(job)

    async def _keep_watching(self) -> None:
        from searchkit_tui.jobs.watch_work import watch_folders

        try:
            while names := self.watched:
                job = self._watch = Job(JobKind.WATCH, ", ".join(sorted(names)), partial(watch_folders, names))
                try:
                    await asyncio.to_thread(job.run, self._library)
                finally:
                    job.cancel()
                if job.state is JobState.FAILED:
                    self.watched -= names
                    self._ended(job)
        finally:
            self._is_watching = False
            self._watch = None

    def _ended(self, job: Job) -> None:
        self.finished += 1
        self._on_end(job)
