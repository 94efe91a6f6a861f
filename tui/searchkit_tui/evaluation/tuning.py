"""Measuring the indexes of a collection as a job, trial by trial, and setting one."""

from searchkit.index_store.trials import Trial
from searchkit.library import Library
from searchkit.maintenance.tune_index import TuneOptions, TuneReport, measure_indexes, set_index
from searchkit.types import Progress
from searchkit_tui.jobs.job import Job, JobCancelledError, JobKind
from searchkit_tui.jobs.work import patiently


class TuneJob(Job):
    """Measures; `trials` grows while it does, `report` is there once it has."""

    def __init__(self, collection: str, options: TuneOptions) -> None:
        super().__init__(JobKind.TUNE, collection, self._measure)
        self.options = options
        self.trials: list[Trial] = []
        self.report: TuneReport | None = None

    def _measure(self, library: Library, _: Job) -> str:
        def on_trial(trial: Trial) -> None:
            self.trials.append(trial)
            self.meter.note(Progress("Measuring", len(self.trials), None, "indexes"))
            if self.stopped.is_set():
                raise JobCancelledError

        self.report = measure_indexes(library, self.collection, self.options, on_trial)
        chosen = self.report.chosen
        if chosen is None:
            return f"no index finds {self.options.recall:.1%} within these limits; nothing was changed"
        return f"the cheapest is {chosen.spec}: recall {chosen.recall:.3f}, {chosen.median_ms:.2f} ms"


def set_trial(collection: str, trial: Trial | None, recall: float) -> Job:
    """Make a trial's index the collection's, None: what suits its size."""

    def work(library: Library, job: Job) -> str:
        spec = trial.spec if trial else None
        patiently(job, lambda: set_index(library, collection, spec, recall=recall if spec else 0.0))
        return f"searches go through {spec} now" if spec else "searches go through what suits its size now"

    return Job(JobKind.SET_INDEX, collection, work)
