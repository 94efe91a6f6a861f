"""Runs work in the background. Belongs to the app, not to a screen, and knows no widgets.

Screens show it by looking a few times a second, which is cheap: `JobRunner.line()` is one line on what is under way,
`JobRunner.active` are the jobs themselves, and `JobRunner.finished` counts those that have ended: when it changes, collections
may have changed too.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from searchkit_tui.jobs.job import Job, JobKind, JobState

if TYPE_CHECKING:  # the engine is loaded when there is something to do
    from searchkit import Library

_KEPT = 20  # jobs that have ended

# Runs a coroutine for as long as the app lives, and cancels it when that ends.
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class JobRunner:
    """Runs jobs in threads: those that take all cores one after the other, others at once, and one watch of many folders.

    To be called on the app's event loop. `open_library`: the library whose siblings jobs work with, called in their threads.
    `on_end` is called on the event loop with every job that has ended.
    """

    def __init__(self, open_library: "Callable[[], Library]", spawn: Spawn, on_end: Callable[[Job], None]) -> None:
        self.finished = 0
        self.watched: frozenset[str] = frozenset()
        self._open_library = open_library
        self._spawn = spawn
        self._on_end = on_end
        self._turn = asyncio.Lock()
        self._jobs: list[Job] = []
        self._watch: Job | None = None
        self._is_watching = False

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs, with the last ones that have ended, in the order of submission; the watch last."""
        return (*self._jobs, *([self._watch] if self._watch else ()))

    @property
    def active(self) -> tuple[Job, ...]:
        """The jobs that have not ended; the running one first, the watch last."""
        going = [job for job in self.jobs if job.is_active]
        return tuple(sorted(going, key=lambda job: (job.kind is JobKind.WATCH, job.state is JobState.WAITING)))

    @property
    def is_indexing(self) -> bool:
        """True while a job is active that may give searches more to find."""
        return any(job.kind.makes_vectors for job in self.active)

    def of(self, collection: str) -> Job | None:
        """Find the active job on a collection, other than the watch."""
        return next((job for job in self.active if job.collection == collection and job is not self._watch), None)

    @property
    def at_work(self) -> Job | None:
        """The first active job other than the watch."""
        return next((job for job in self.active if job is not self._watch), None)

    def latest(self, kind: JobKind, collection: str) -> Job | None:
        """Find the last job of a kind on a collection, even if it has ended."""
        return next((job for job in reversed(self._jobs) if (job.kind, job.collection) == (kind, collection)), None)

    @property
    def watch_outcome(self) -> str:
        """The last change that watching has taken in, "" if none yet."""
        return self._watch.outcome if self._watch else ""

    def line(self) -> str:
        """Say in one line what is under way, "" if nothing is."""
        active = self.active
        if not active:
            return ""
        more = f" (and {len(active) - 1} more)" if len(active) > 1 else ""
        return active[0].line() + more

    def submit(self, job: Job) -> Job:
        """Run a job: at once, or when its turn comes."""
        ended = [each for each in self._jobs if not each.is_active]
        for old in ended[: max(0, len(ended) - _KEPT)]:
            self._jobs.remove(old)
        self._jobs.append(job)
        self._spawn(self._lead(job))
        return job

    def watch(self, names: Iterable[str]) -> None:
        """Keep these collections up to date from now on, and no others."""
        self.watched = frozenset(names)
        if self._watch is not None:
            self._watch.cancel()
        if not self._is_watching and self.watched:
            self._is_watching = True
            self._spawn(self._keep_watching())

    def release(self, collection: str) -> None:
        """Cancel all jobs on a collection, so that it can be deleted."""
        for job in self.active:
            if job.collection == collection and job is not self._watch:
                job.cancel()
        if collection in self.watched:
            self.watch(self.watched - {collection})

    async def _lead(self, job: Job) -> None:
        try:
            if job.kind.is_heavy:
                async with self._turn:
                    await asyncio.to_thread(self._run, job)
            else:
                await asyncio.to_thread(self._run, job)
        finally:  # the app has ended, if the job has not
            job.cancel()
        if job.follow_up and job.state is JobState.DONE:
            job.follow_up()
        self._ended(job)

    async def _keep_watching(self) -> None:
        from searchkit_tui.jobs.work import watch_folders

        try:
            while names := self.watched:
                job = self._watch = Job(JobKind.WATCH, ", ".join(sorted(names)), partial(watch_folders, names))
                try:
                    await asyncio.to_thread(self._run, job)
                finally:
                    job.cancel()
                if job.state is JobState.FAILED:
                    self.watched -= names
                    self._ended(job)
        finally:
            self._is_watching = False
            self._watch = None

    def _run(self, job: Job) -> None:
        job.run(self._open_library())

    def _ended(self, job: Job) -> None:
        self.finished += 1
        self._on_end(job)
