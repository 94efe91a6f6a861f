"""The work of each kind of job: the engine's calls, for a thread of their own."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from searchkit.display import plural
from searchkit.errors import CollectionBusyError
from searchkit.files import make_private_folder, write_atomically
from searchkit.library import Library
from searchkit.maintenance.delete import forget_collection
from searchkit.maintenance.verify import rebuild_collection
from searchkit.types import Progress
from searchkit_tui.jobs.job import Job, JobCancelledError, JobKind
from searchkit_tui.rendering.status_text import changes

_BUSY_SECONDS = 0.5  # until another try while somebody else writes to the collection

Result = TypeVar("Result")


def index_folder(path: Path, collection: str) -> Job:
    """Make a folder searchable, in a collection that may be new."""

    def work(library: Library, job: Job) -> str:
        run = partial(library.index, path, collection=collection, on_progress=job.listen, options=job.run_options)
        return changes(patiently(job, run))

    return Job(JobKind.INDEX, collection, work)


def refresh(collection: str, *, retry: bool = False) -> Job:
    """Bring a collection up to date; `retry`: reading again what was skipped, too."""

    def work(library: Library, job: Job) -> str:
        options = replace(job.run_options, retry=retry)
        run = partial(library.refresh, collection, on_progress=job.listen, options=options)
        return changes(patiently(job, run))

    return Job(JobKind.INDEX, collection, work)


def rebuild(collection: str) -> Job:
    """Make a collection anew from its sound rows and its files."""

    def work(library: Library, job: Job) -> str:
        report = patiently(job, lambda: rebuild_collection(library, collection, [], job.listen))
        lost = f", {report.vectors_lost:,} vectors made again" if report.vectors_lost else ""
        return (
            f"{plural(report.documents_kept, 'file')} kept{lost}; {changes(report.run)}."
            f" The old files lie in {report.set_aside}"
        )

    return Job(JobKind.REBUILD, collection, work)


def forget(collection: str) -> Job:
    """Delete a collection and what was kept of its opened hits, not its files."""

    def work(library: Library, job: Job) -> str:
        from searchkit.search.click_log import erase_opened

        count = patiently(job, lambda: forget_collection(library, collection))
        erase_opened(library.home, collection=collection)
        return f"{plural(count, 'file')} forgotten; the files themselves are where they were"

    return Job(JobKind.FORGET, collection, work)


def switch_model(collection: str, model: str) -> Job:
    """Give a collection another model, and make its vectors anew."""

    def work(library: Library, job: Job) -> str:
        patiently(job, lambda: library.use_model(model, collection=collection))
        run = partial(library.refresh, collection, on_progress=job.listen, options=job.run_options)
        return f"uses {model} now; {changes(patiently(job, run))}"

    return Job(JobKind.SWITCH, collection, work)


def evaluate(collection: str, judged_file: Path, report_file: Path) -> Job:
    """Search for the judged queries in a file, in every way, and write what was found of what is relevant."""

    def work(library: Library, job: Job) -> str:
        from searchkit.evaluate.judged import read_judged
        from searchkit.evaluate.retrieval.evaluation import evaluate_collection
        from searchkit.evaluate.retrieval.report import report_as_json
        from searchkit.evaluate.retrieval.results import report_of

        judged = read_judged(library.home, collection, judged_file)
        result = evaluate_collection(judged, library.embedder_of(collection), on_progress=job.listen)
        content = json.dumps(report_as_json(report_of([result.report])), indent=2)
        write_atomically(make_private_folder(report_file.parent) / report_file.name, content.encode())
        return f"asked {plural(len(judged.queries), 'question')}; what was found: {report_file}"

    return Job(JobKind.EVALUATE, collection, work)


def patiently(job: Job, run: Callable[[], Result]) -> Result:
    """Run once nobody else writes to the collection. Raises JobCancelledError if the job is cancelled before."""
    while True:
        try:
            return run()
        except CollectionBusyError:
            job.meter.note(Progress("Waiting for another run on it", 0, None, ""))
            if job.stopped.wait(_BUSY_SECONDS):
                raise JobCancelledError from None
