"""The work of each kind of job: calls of the engine, made in the job's own thread."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from searchkit import Library
from searchkit.display import plural
from searchkit.display.runs import file_changes
from searchkit.errors import CollectionBusyError
from searchkit.reports import IndexReport, Progress
from searchkit_tui.jobs.job import Job, JobCancelledError, JobKind
from searchkit_tui.settings.saved_state import save_speed

if TYPE_CHECKING:  # NumPy comes with it, which other jobs do without
    from searchkit import Trial, TuneOptions, TuneReport

_TELLING_BYTES = 1_000_000  # of a folder; the time of a smaller one is that of loading the model
_SUGGESTED = 20  # queries; fewer make wide intervals, more are a chore to judge
_BUSY_SECONDS = 0.5  # between two tries while another process writes to the collection

Result = TypeVar("Result")


def index_folder(path: Path, collection: str, size_bytes: int = 0) -> Job:
    """Make a job that indexes a folder, in a collection that may be new.

    `size_bytes`: of its files, to learn how fast this machine is; 0 if that is not known.
    """

    def work(library: Library, job: Job) -> str:
        run = partial(library.index, path, collection=collection, on_progress=job.listen, options=job.run_options)
        report = retry_while_busy(job, run)
        is_new = not (report.changed or report.unchanged or job.stopped.is_set())
        if is_new and report.model and size_bytes >= _TELLING_BYTES:
            with suppress(OSError):  # the next estimate is a benchmark's
                save_speed(library.home, size_bytes / report.elapsed_seconds)
        return changes(report)

    return Job(JobKind.INDEX, collection, work)


def refresh(collection: str, *, retry: bool = False, lazy: bool | None = None) -> Job:
    """Make a job that brings a collection up to date; `retry`: skipped files are read again, too; `lazy`: see RunOptions."""

    def work(library: Library, job: Job) -> str:
        options = replace(job.run_options, retry=retry, lazy=lazy)
        run = partial(library.collection(collection).refresh, on_progress=job.listen, options=options)
        return changes(retry_while_busy(job, run))

    return Job(JobKind.INDEX, collection, work)


def rebuild(collection: str) -> Job:
    """Make a job that rebuilds a collection from its sound rows and its files."""

    def work(library: Library, job: Job) -> str:
        from searchkit import rebuild_collection

        damaged = library.collection(collection, must_exist=False)
        report = retry_while_busy(job, lambda: rebuild_collection(damaged, [], job.listen))
        lost = f", {report.vectors_lost:,} vectors lost and embedded again" if report.vectors_lost else ""
        aside = f" The old files are in {report.set_aside}" if report.set_aside else ""
        return f"{plural(report.documents_kept, 'file')} kept{lost}; {changes(report.run)}.{aside}"

    return Job(JobKind.REBUILD, collection, work)


def forget(collection: str) -> Job:
    """Make a job that deletes a collection and its opened hits, but none of the user's files."""

    def work(library: Library, job: Job) -> str:
        count = retry_while_busy(job, library.collection(collection).delete)
        return f"{plural(count, 'file')} forgotten; the files themselves are untouched"

    return Job(JobKind.FORGET, collection, work)


def use_model(collection: str, model: str) -> Job:
    """Make a job that gives a collection another model and embeds it again."""

    def work(library: Library, job: Job) -> str:
        from searchkit import switch_model

        chosen = library.collection(collection)
        retry_while_busy(job, lambda: switch_model(chosen, model))
        run = partial(chosen.refresh, on_progress=job.listen, options=job.run_options)
        return f"uses {model} now; {changes(retry_while_busy(job, run))}"

    return Job(JobKind.SWITCH, collection, work)


def adapt(collection: str) -> Job:
    """Make a job that adapts a collection's model to it, and switches to the result if it helps."""

    def work(library: Library, job: Job) -> str:
        from searchkit.train import adapt_collection

        return adapt_collection(library, collection, job.listen).line

    return Job(JobKind.ADAPT, collection, work)


def evaluate(collection: str, judged_file: Path, report_file: Path) -> Job:
    """Make a job that searches for judged queries in every way, and writes a report on what was found."""

    def work(library: Library, job: Job) -> str:
        from searchkit.evaluate import evaluate_judged, write_report

        report = evaluate_judged(library.collection(collection), judged_file, job.listen)
        write_report(report, report_file)
        return f"asked {plural(sum(each.queries for each in report.sets), 'question')}; report: {report_file}"

    return Job(JobKind.EVALUATE, collection, work)


def begin_judged(collection: str, file: Path) -> Job:
    """Make a job that begins a file of judged queries with headings of a collection, for the user to reword."""

    def work(library: Library, _: Job) -> str:
        from searchkit.evaluate import suggest_queries, write_suggestions

        suggestions = suggest_queries(library.home, collection, _SUGGESTED)
        if not suggestions:
            return "it has no headings and no text to make queries of; nothing was written"
        write_suggestions(file, suggestions, force=False)
        return (
            f"{plural(len(suggestions), 'heading')} in {file}, each with its file. Reword each as a question of yours, add files"
            " that answer it too, delete the rest; then measure with that file"
        )

    return Job(JobKind.JUDGE, collection, work)


class TuneJob(Job):
    """Measures a collection's indexes. `trials` grows meanwhile; `report` is set at the end."""

    def __init__(self, collection: str, options: "TuneOptions") -> None:
        super().__init__(JobKind.TUNE, collection, self._measure)
        self.options = options
        self.trials: list[Trial] = []
        self.report: TuneReport | None = None

    def _measure(self, library: Library, _: Job) -> str:
        from searchkit import measure_indexes

        def on_trial(trial: "Trial") -> None:
            self.trials.append(trial)
            self.meter.note(Progress("Measuring", len(self.trials), None, "indexes"))
            if self.stopped.is_set():
                raise JobCancelledError

        self.report = measure_indexes(library.collection(self.collection), self.options, on_trial)
        chosen = self.report.chosen
        if chosen is None:
            return f"no index finds {self.options.recall:.1%} within these limits; nothing was changed"
        return f"the cheapest is {chosen.spec}: recall {chosen.recall:.3f}, {chosen.median_ms:.2f} ms"


def use_index(collection: str, trial: "Trial | None", recall: float) -> Job:
    """Make a job that gives a collection the index of a trial; None: the one that suits its size."""

    def work(library: Library, job: Job) -> str:
        from searchkit import set_index

        spec = trial.spec if trial else None
        goal = recall if spec else 0.0
        retry_while_busy(job, lambda: set_index(library.collection(collection), spec, recall=goal))
        return f"searches use {spec} now" if spec else "searches use the index that suits its size now"

    return Job(JobKind.SET_INDEX, collection, work)


def watch_folders(names: Collection[str], library: Library, job: Job) -> str:
    """Keep collections up to date until the job is cancelled; its outcome is always the last change."""
    from searchkit import watch

    for report in watch(library, sorted(names), job.listen, job.stopped):
        job.meter.clear()
        job.outcome = f"{time.strftime('%H:%M:%S')} {report.collection}: {changes(report)}"
    return job.outcome


def retry_while_busy(job: Job, run: Callable[[], Result]) -> Result:
    """Run once no other process writes to the collection. Raises JobCancelledError if the job is cancelled before."""
    while True:
        try:
            return run()
        except CollectionBusyError:
            job.meter.note(Progress("Waiting for another process that writes to it", 0, None, ""))
            if job.stopped.wait(_BUSY_SECONDS):
                raise JobCancelledError from None


def changes(report: IndexReport) -> str:
    """Say what an index run did: `3 added, 1 deleted; 40 passages embedded`."""
    files = file_changes(report)
    files += f", {report.files_skipped:,} skipped" if files and report.files_skipped else ""
    by_words = f"{plural(report.passages, 'passage')}, found by words: there is no model"
    embedded = f"{plural(report.embedded, 'passage')} embedded" if report.embedded else ""
    done = [part for part in (files, embedded if report.model else by_words) if part]
    return "; ".join(done) or "nothing has changed"
