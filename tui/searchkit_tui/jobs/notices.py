"""Shows jobs: the active ones in a panel, and a toast or a dialog when one has ended."""

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.content import Content
from textual.widgets import Static

from searchkit import Library
from searchkit.display import command, plural, printable
from searchkit.errors import SearchkitError
from searchkit.reports import CollectionStatus
from searchkit_tui.jobs.job import Job, JobKind, JobState
from searchkit_tui.jobs.meter import bar
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.widgets.dialogs import Message

_JOBS_SHOWN = 4
_BAR_CELLS = 40


class JobPanel(Static):
    """Shows a runner's active jobs, a line and a bar each. Takes no room while there are none."""

    DEFAULT_CSS = """
    JobPanel {
        height: auto;
        padding: 0 2;
        border-top: solid $primary 40%;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._shown = Content("")

    def show(self, runner: JobRunner) -> None:
        """Show the jobs as they are now."""
        jobs = runner.active
        lines = [line for job in jobs[:_JOBS_SHOWN] for line in _lines(job, min(_BAR_CELLS, self.app.size.width - 16))]
        if len(jobs) > _JOBS_SHOWN:
            lines.append(Content(f"and {len(jobs) - _JOBS_SHOWN} more"))
        self.display = bool(lines)
        shown = Content("\n").join(lines)
        if shown.plain != self._shown.plain:
            self._shown = shown
            self.update(shown)


def announce(app: App[Any], open_library: Callable[[], Library], job: Job) -> None:
    """Say how a job has ended: in a toast, or in a dialog where an index run has failed."""
    title = f"{job.kind.value} {job.collection}"
    if job.state is JobState.DONE:
        app.notify(printable(job.outcome), title=title, markup=False)
    elif job.state is JobState.CANCELLED:
        app.notify(_cancelled(job), title=title, markup=False)
    elif job.kind.makes_vectors:
        app.run_worker(lambda: _announce_failed_run(app, open_library(), job), thread=True, exit_on_error=False)
    else:
        app.notify(failure_of(job), title=f"{title} failed", severity="error", markup=False)


def left_undone(job: Job) -> str:
    """Say of an active job how far it is, what stays of it when searchkit ends now, and how it goes on."""
    if job.kind.makes_vectors:
        goes_on = f"What is read and embedded is kept; it goes on from there: {command('index', '-c', job.collection)}"
    elif job.kind in {JobKind.FORGET, JobKind.SET_INDEX}:
        goes_on = "It is finished first."
    else:
        goes_on = "It has to begin again."
    return f"{printable(job.line())}. {goes_on}"


def failure_of(job: Job) -> str:
    """Say why a job failed; for an unexpected error, with its type."""
    error = job.error
    text = error_text(error) if isinstance(error, SearchkitError) else f"{type(error).__name__}: {error}"
    return printable(text)


def _lines(job: Job, width: int) -> list[Content]:
    sign = {JobKind.WATCH: "◉"}.get(job.kind, "▶" if job.state is JobState.RUNNING else "·")
    line = Content.assemble((f"{sign} ", "$text-accent"), printable(job.line()))
    if job.kind is JobKind.WATCH or job.state is not JobState.RUNNING or job.meter.progress is None:
        return [line]
    return [line, Content.assemble("  ", (bar(job.meter.fraction, width), "$text-accent"))]


def _cancelled(job: Job) -> str:
    if job.kind.makes_vectors:
        return "Stopped. What was read and embedded is kept; index again to continue from there."
    return "Stopped. Nothing was changed."


def _announce_failed_run(app: App[Any], library: Library, job: Job) -> None:
    """Runs in a thread: counting what was kept takes a moment."""
    text = f"{failure_of(job)}\n\n{_what_is_kept(library, job.collection)}"
    app.call_from_thread(app.push_screen, Message(f"{job.kind.value} {job.collection} failed", text))


def _what_is_kept(library: Library, collection: str) -> str:
    try:
        with library.sibling() as own:
            if collection not in own.collections():
                return "Nothing had been stored yet."
            return _kept(own.collection(collection).status())
    except SearchkitError as error:
        return printable(error_text(error))


def _kept(status: CollectionStatus) -> str:
    by_meaning = f"{status.vectors:,} of them by meaning too" if status.vectors < status.passages else "also by meaning"
    return (
        f"Kept: {plural(status.files, 'file')} with {plural(status.passages, 'passage')}, which can be searched by words,"
        f" {by_meaning}. Index again to continue from there."
    )
