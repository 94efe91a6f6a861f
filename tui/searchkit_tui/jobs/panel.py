"""What is under way, a line and a bar each."""

from textual.content import Content
from textual.widgets import Static

from searchkit.display import printable
from searchkit_tui.jobs.job import Job, JobKind, JobState
from searchkit_tui.jobs.meter import bar
from searchkit_tui.jobs.runner import JobRunner

_JOBS_SHOWN = 4
_BAR_CELLS = 40


class JobPanel(Static):
    """Shows a runner's active jobs; to be told when to look. Takes no room while nothing is under way."""

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
        """Look again."""
        jobs = runner.active
        lines = [line for job in jobs[:_JOBS_SHOWN] for line in _lines(job, min(_BAR_CELLS, self.app.size.width - 16))]
        if len(jobs) > _JOBS_SHOWN:
            lines.append(Content(f"and {len(jobs) - _JOBS_SHOWN} more"))
        self.display = bool(lines)
        shown = Content("\n").join(lines)
        if shown.plain != self._shown.plain:
            self._shown = shown
            self.update(shown)


def _lines(job: Job, width: int) -> list[Content]:
    sign = {JobKind.WATCH: "◉"}.get(job.kind, "▶" if job.state is JobState.RUNNING else "·")
    line = Content.assemble((f"{sign} ", "$text-accent"), printable(job.line()))
    if job.kind is JobKind.WATCH or job.state is not JobState.RUNNING or job.meter.progress is None:
        return [line]
    return [line, Content.assemble("  ", (bar(job.meter.fraction, width), "$text-accent"))]
