"""One piece of work on a collection: its kind, its progress, its outcome."""

from collections.abc import Callable
from enum import StrEnum
from threading import Event
from typing import TYPE_CHECKING

from searchkit.reports import Progress, RunOptions
from searchkit_tui.jobs.meter import Meter, amount

if TYPE_CHECKING:  # the engine is loaded when there is something to do
    from searchkit import Library


class JobKind(StrEnum):
    """The kinds of jobs."""

    INDEX = "Index"
    REBUILD = "Rebuild"
    TUNE = "Tune"
    WATCH = "Watch"
    FORGET = "Forget"
    SWITCH = "Switch model"
    SET_INDEX = "Set index"
    ADAPT = "Adapt model"
    EVALUATE = "Evaluate"
    JUDGE = "Judged queries of"

    @property
    def doing(self) -> str:
        """The work in a word or two, such as `indexing`."""
        return _DOING[self]

    @property
    def is_heavy(self) -> bool:
        """True if it takes all cores, so that such jobs take turns."""
        return self in {JobKind.TUNE, JobKind.EVALUATE, JobKind.ADAPT} or self.makes_vectors

    @property
    def makes_vectors(self) -> bool:
        """True for index runs, which keep what they have done however they end."""
        return self in {JobKind.INDEX, JobKind.REBUILD, JobKind.SWITCH}


_DOING = {
    JobKind.INDEX: "indexing",
    JobKind.REBUILD: "rebuilding",
    JobKind.TUNE: "tuning",
    JobKind.WATCH: "watching",
    JobKind.FORGET: "forgetting",
    JobKind.SWITCH: "switching model",
    JobKind.SET_INDEX: "setting index",
    JobKind.ADAPT: "adapting model",
    JobKind.EVALUATE: "evaluating",
    JobKind.JUDGE: "suggesting queries",
}


class JobState(StrEnum):
    """The stages of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class JobCancelledError(Exception):
    """Raised in a job's work to end it after it was cancelled."""


class Job:
    """One piece of work on a collection. Its own thread writes to it; any thread may read or cancel it.

    `work` gets a library of its own and this job, and returns a sentence on the outcome. `follow_up` is called on the event
    loop when the job is done.
    """

    def __init__(self, kind: JobKind, collection: str, work: "Callable[[Library, Job], str]") -> None:
        self.kind = kind
        self.collection = collection
        self.meter = Meter()
        self.state = JobState.WAITING
        self.outcome = ""
        self.error: Exception | None = None
        self.stopped = Event()
        self.follow_up: Callable[[], None] | None = None
        self._work = work

    @property
    def is_active(self) -> bool:
        """True until it has ended."""
        return self.state in {JobState.WAITING, JobState.RUNNING}

    def cancel(self) -> None:
        """Have it end soon; what is done stays done."""
        if self.state is JobState.WAITING:
            self.state = JobState.CANCELLED
        self.stopped.set()

    def listen(self, progress: Progress) -> None:
        """Take a report of progress. Raises JobCancelledError where the engine has no other way to be stopped."""
        self.meter.note(progress)
        if self.stopped.is_set() and (progress.unit == "files" or self.kind in {JobKind.EVALUATE, JobKind.ADAPT}):
            raise JobCancelledError

    @property
    def run_options(self) -> RunOptions:
        """The options of an index run that ends when the job is cancelled."""
        return RunOptions(is_interrupted=self.stopped.is_set)

    def run(self, library: "Library") -> None:
        """Do the work in the calling thread, and note how it ended."""
        if self.stopped.is_set():
            self.state = JobState.CANCELLED
            return
        self.state = JobState.RUNNING
        try:
            with library.sibling() as own:
                self.outcome = self._work(own, self)
        except JobCancelledError:
            self.state = JobState.CANCELLED
        except Exception as error:  # noqa: BLE001 (whatever it is, it is shown with the job)
            self.error = error
            self.state = JobState.FAILED
        else:
            self.state = JobState.CANCELLED if self.stopped.is_set() else JobState.DONE

    def line(self) -> str:
        """Describe the job in one line: `Index docs: Reading 12 of 40 files · 0:03 left`."""
        state = amount(self.meter) if self.state is JobState.RUNNING else self.state.value
        if self.is_active and self.stopped.is_set():
            state = "stopping; what is done is kept"
        elif self.kind is JobKind.WATCH and self.is_active:
            state = amount(self.meter) if self.meter.is_fresh else self.outcome or "waiting for changes"
        return f"{self.kind.value} {self.collection}" + (f": {state}" if state else "")
