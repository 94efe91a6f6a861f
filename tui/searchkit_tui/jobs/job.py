"""One piece of work on a collection: what it is, how far it is, how it ended."""

from collections.abc import Callable
from enum import StrEnum
from threading import Event

from searchkit.library import Library
from searchkit.types import Progress, RunOptions
from searchkit_tui.jobs.meter import Meter, amount


class JobKind(StrEnum):
    """What a job does to its collection."""

    INDEX = "Index"
    REBUILD = "Rebuild"
    TUNE = "Tune"
    WATCH = "Watch"
    FORGET = "Forget"
    SWITCH = "Switch model"
    SET_INDEX = "Set index"
    EVALUATE = "Evaluate"

    @property
    def doing(self) -> str:
        """What is being done, in a word or two."""
        return _DOING[self]

    @property
    def is_heavy(self) -> bool:
        """Whether it takes all cores, so that it has its turn after others of the kind."""
        return self in {JobKind.TUNE, JobKind.EVALUATE} or self.makes_vectors

    @property
    def makes_vectors(self) -> bool:
        """Whether it is an index run, which keeps what it has done however it ends."""
        return self in {JobKind.INDEX, JobKind.REBUILD, JobKind.SWITCH}


_DOING = {
    JobKind.INDEX: "indexing",
    JobKind.REBUILD: "rebuilding",
    JobKind.TUNE: "tuning",
    JobKind.WATCH: "watching",
    JobKind.FORGET: "forgetting",
    JobKind.SWITCH: "switching model",
    JobKind.SET_INDEX: "setting index",
    JobKind.EVALUATE: "evaluating",
}


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class JobCancelledError(Exception):
    """Ends a job's work from within, once it was cancelled and there is nothing to put in order."""


class Job:
    """One piece of work on a collection. Its own thread writes to it, any thread may look at it or cancel it.

    `work` gets a library of its own and this job, and returns a sentence on what came of it. `follow_up` is called on
    the event loop once it is done.
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
        """Whether it has not ended yet."""
        return self.state in {JobState.WAITING, JobState.RUNNING}

    def cancel(self) -> None:
        """End it soon; what is done stays done."""
        if self.state is JobState.WAITING:
            self.state = JobState.CANCELLED
        self.stopped.set()

    def listen(self, progress: Progress) -> None:
        """Take a report of progress. Raises JobCancelledError where the engine cannot be told to stop otherwise."""
        self.meter.note(progress)
        if self.stopped.is_set() and (progress.unit == "files" or self.kind is JobKind.EVALUATE):
            raise JobCancelledError

    @property
    def run_options(self) -> RunOptions:
        """With which an index run ends once the job is cancelled."""
        return RunOptions(is_interrupted=self.stopped.is_set)

    def run(self, library: Library) -> None:
        """Do the work in the caller's thread, and note how it ended."""
        if self.stopped.is_set():
            self.state = JobState.CANCELLED
            return
        self.state = JobState.RUNNING
        try:
            with library.sibling() as own:
                self.outcome = self._work(own, self)
        except JobCancelledError:
            self.state = JobState.CANCELLED
        except Exception as error:  # noqa: BLE001 (whatever it is, the one who shows the job tells)
            self.error = error
            self.state = JobState.FAILED
        else:
            self.state = JobState.CANCELLED if self.stopped.is_set() else JobState.DONE

    def line(self) -> str:
        """`Index docs: Reading 12 of 40 files · 0:03 left`."""
        told = amount(self.meter) if self.state is JobState.RUNNING else self.state.value
        if self.is_active and self.stopped.is_set():
            told = "stopping; what is done is kept"
        elif self.kind is JobKind.WATCH and self.is_active:
            told = amount(self.meter) if self.meter.is_fresh else self.outcome or "waiting for changes"
        return f"{self.kind.value} {self.collection}" + (f": {told}" if told else "")
