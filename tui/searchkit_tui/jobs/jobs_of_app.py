"""The one job runner of an app, and what the app says when a job has ended."""

from typing import Any

from textual.app import App

from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit_tui.jobs.job import Job, JobState
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.status_text import kept
from searchkit_tui.widgets.dialogs import Message


def jobs_of(app: App[Any], library: Library) -> JobRunner:
    """The app's runner, `app.jobs`; made when it is first asked for."""
    runner = getattr(app, "jobs", None)
    if isinstance(runner, JobRunner):
        return runner

    def spawn(work: Any) -> object:
        return app.run_worker(work, group="jobs", exit_on_error=False)

    runner = JobRunner(library, spawn, lambda job: _tell(app, library, job))
    setattr(app, "jobs", runner)  # noqa: B010 (an app need not declare it)
    return runner


def _tell(app: App[Any], library: Library, job: Job) -> None:
    """A toast, or a dialog where a run has been lost."""
    title = f"{job.kind.value} {job.collection}"
    if job.state is JobState.DONE:
        app.notify(printable(job.outcome), title=title, markup=False)
    elif job.state is JobState.CANCELLED:
        app.notify(_cancelled(job), title=title, markup=False)
    elif job.kind.makes_vectors:
        app.run_worker(lambda: _tell_loss(app, library, job), thread=True, exit_on_error=False)
    else:
        app.notify(why(job.error), title=f"{title} failed", severity="error", markup=False)


def _cancelled(job: Job) -> str:
    if job.kind.makes_vectors:
        return "Stopped. What was read and embedded is kept; index again, and it goes on from there."
    return "Stopped. Nothing was changed."


def _tell_loss(app: App[Any], library: Library, job: Job) -> None:
    """In a thread: counting what was kept takes a moment."""
    text = f"{why(job.error)}\n\n{_what_is_kept(library, job.collection)}"
    app.call_from_thread(app.push_screen, Message(f"{job.kind.value} {job.collection} failed", text))


def _what_is_kept(library: Library, collection: str) -> str:
    try:
        with library.sibling() as own:
            if collection not in own.collections():
                return "Nothing had been stored yet."
            return kept(own.status(collection))
    except SearchkitError as error:
        return printable(str(error))


def why(error: Exception | None) -> str:
    """What went wrong; of errors that nobody raised on purpose, also their kind."""
    text = str(error) if isinstance(error, SearchkitError) else f"{type(error).__name__}: {error}"
    return printable(text)
