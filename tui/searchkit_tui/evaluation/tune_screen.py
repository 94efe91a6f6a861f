"""Measures the indexes of a collection, and sets one by its cost and recall."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import DataTable, Footer, Input, Static

from searchkit import Trial, TuneOptions
from searchkit.display import on_one_line, size
from searchkit_tui.evaluation.choose_report import MARKS, Point, scatter
from searchkit_tui.jobs.job import JobKind, JobState
from searchkit_tui.jobs.notices import failure_of
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.jobs.work import TuneJob, begin_judged, use_index
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.settings.keys import SET_SELECTED, TUNE_KEYS
from searchkit_tui.widgets.help_screen import ScreenWithHelp

_LOOK_SECONDS = 0.25
_COLUMNS = ("", "index", "recall@10", "median", "slowest", "memory", "build", "cost")
_DEFAULT = TuneOptions()
_LEGEND = """\
recall@10: share of the true ten nearest that are found. median, slowest: time of a search. memory: held while open. build: time to
make it. cost: median plus memory, as ms. Whether the right files come first, judged queries tell (j begins some)."""


class TrialTable(DataTable[Text]):
    """A row for each trial; enter sets one."""

    BINDINGS: ClassVar[list[BindingType]] = [SET_SELECTED]


class TuneScreen(ScreenWithHelp):
    """Trials as they come, as a table and as a plot of recall against speed. Measuring continues when the screen is left."""

    DEFAULT_CSS = """
    TuneScreen #goal {
        height: 1;
        margin: 1 2;
    }

    TuneScreen #goal Static {
        width: auto;
    }

    TuneScreen #goal Input {
        width: 10;
        margin: 0 1;
    }

    TuneScreen #state {
        height: auto;
        max-height: 3;
        padding: 0 2;
    }

    TuneScreen TrialTable {
        height: auto;
        max-height: 50%;
        margin: 0 1;
        background: $background;
    }

    TuneScreen #legend {
        height: auto;
        max-height: 3;
        padding: 0 2;
        color: $text-muted;
    }

    TuneScreen #plot {
        height: 1fr;
        padding: 0 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*TUNE_KEYS]

    def __init__(self, jobs: JobRunner, collection: str) -> None:
        super().__init__()
        self._jobs, self._collection = jobs, collection
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Lay out goal, state, table and plot."""
        with Horizontal(id="goal"):
            yield Static(f"Index for {on_one_line(self._collection)}: find at least", markup=False)
            yield Input(
                f"{_DEFAULT.recall}",
                type="number",
                id="recall",
                compact=True,
                tooltip="Share of the true ten nearest, 0 to 1",
            )
            yield Static("of the ten nearest, at the least cost", markup=False)
        yield Static(id="state", markup=False)
        yield TrialTable(cursor_type="row")
        yield Static(_LEGEND.replace("\n", " "), id="legend", markup=False)
        yield Static(id="plot", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is being measured, or begin."""
        self.query_one(TrialTable).add_columns(*_COLUMNS)
        self.query_one(TrialTable).focus()
        self.set_interval(_LOOK_SECONDS, self.look)
        if self._job is None:
            self.action_measure()
        self.look()

    @property
    def _job(self) -> TuneJob | None:
        job = self._jobs.latest(JobKind.TUNE, self._collection)
        return job if isinstance(job, TuneJob) else None

    @on(Input.Submitted)
    def action_measure(self) -> None:
        """Measure, unless it is being done."""
        if self._job is not None and self._job.is_active:
            return
        try:
            recall = float(self.query_one("#recall", Input).value)
        except ValueError:
            recall = 0.0
        if not 0 < recall <= 1:
            self.notify("The recall to reach must be between 0 and 1, such as 0.99.", severity="error", markup=False)
            return
        self._jobs.submit(TuneJob(self._collection, TuneOptions(recall)))
        self.query_one(TrialTable).focus()
        self.look()

    def action_set_cheapest(self) -> None:
        """Set the cheapest index that finds enough."""
        job = self._job
        if job is None or job.report is None:
            self.notify("Wait until all is measured, or choose one with the arrow keys and enter.", markup=False)
        elif job.report.chosen is None:
            self.notify(
                "None finds enough. Lower the share and measure again (ctrl+r).", severity="warning", markup=False
            )
        else:
            self._set(job.report.chosen)

    @on(DataTable.RowSelected)
    def action_set_selected(self) -> None:
        """Set the index under the cursor, whatever its cost."""
        trials = self._sorted()
        row = self.query_one(TrialTable).cursor_row
        if 0 <= row < len(trials):
            self._set(trials[row])

    def action_set_automatic(self) -> None:
        """Go back to the index that suits the collection's size."""
        self._jobs.submit(use_index(self._collection, None, 0.0))

    def action_begin_judged(self) -> None:
        """Begin a file of judged queries in the home folder."""
        self._jobs.submit(begin_judged(self._collection, Path.home() / f"{self._collection}-queries.jsonl"))

    def action_cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        if self._job is not None:
            self._job.cancel()

    def action_back(self) -> None:
        """Leave the screen; measuring continues."""
        self.dismiss(None)

    def _set(self, trial: Trial) -> None:
        recall = self._job.options.recall if self._job else _DEFAULT.recall
        self._jobs.submit(use_index(self._collection, trial, min(recall, trial.recall)))

    def _sorted(self) -> list[Trial]:
        return sorted(self._job.trials, key=lambda trial: trial.cost) if self._job else []

    def look(self) -> None:
        """Show the trials so far."""
        job = self._job
        trials = self._sorted()
        chosen = job.report.chosen if job and job.report else None
        room = self.query_one("#plot", Static).content_size
        state = (job, job.state if job else None, len(trials), chosen, room)
        if job is None or state == self._shown:
            return
        self._shown = state
        self.query_one("#state", Static).update(_state(job))
        table = self.query_one(TrialTable)
        row = table.cursor_row
        table.clear()
        marks = dict(zip(job.trials, MARKS, strict=False))
        for trial in trials:
            table.add_row(*_cells(marks.get(trial, "?"), trial, is_chosen=trial == chosen))
        table.move_cursor(row=row)
        points = [Point(trial.median_ms, trial.recall, mark) for trial, mark in marks.items()]
        plot = scatter(points, room.width, room.height, ("ms", "recall@10"), job.options.recall)
        self.query_one("#plot", Static).update(plot)


def _state(job: TuneJob) -> Content:
    if job.state is JobState.FAILED:
        return Content.styled(failure_of(job), "$text-error")
    if job.report is not None:
        skipped = "".join(f" {name}: {error_text(error)}" for name, error in job.report.skipped)
        sign = "◆ " if job.report.chosen else ""
        return Content(f"{sign}Measured on {job.report.queries:,} queries: {job.outcome}.{skipped}")
    if not job.trials and job.state is JobState.RUNNING:
        return Content("Embedding the queries to measure with…")
    state = {JobState.WAITING: "Waiting for its turn", JobState.CANCELLED: "Stopped"}.get(job.state, "Measuring")
    count = "1 index" if len(job.trials) == 1 else f"{len(job.trials)} indexes"
    return Content(f"{state}: {count} so far, each on the collection's own vectors")


def _cells(mark: str, trial: Trial, *, is_chosen: bool) -> list[Text]:
    numbers = (
        f"{trial.recall:.3f}",
        f"{trial.median_ms:.2f} ms",
        f"{trial.slowest_ms:.2f} ms",
        size(trial.memory_bytes),
        f"{trial.build_seconds:.1f} s",
        f"{trial.cost:.2f}",
    )
    name = Text(str(trial.spec), style="bold" if is_chosen else "")
    return [Text(f"{mark} ◆" if is_chosen else mark), name, *(Text(number, justify="right") for number in numbers)]
