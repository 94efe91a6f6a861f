"""Runs the actions of the collections screen: a dialog first where there is something to ask, then a job."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App

from searchkit import Library
from searchkit.display import on_one_line, plural, printable
from searchkit.errors import SearchkitError
from searchkit.reports import CollectionStatus
from searchkit_tui.collections.add_folder import AddFolder, NewFolder
from searchkit_tui.collections.dialogs import NO_MODEL, Problems, choose_model, model_choices
from searchkit_tui.collections.status_text import CollectionRow
from searchkit_tui.jobs import work
from searchkit_tui.jobs.job import Job
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.widgets.dialogs import Confirm

if TYPE_CHECKING:  # NumPy comes with it, which the other actions do without
    from searchkit.evaluate import RetrievalReport

_REBUILD = (
    "The collection is rebuilt from its undamaged parts and your files. Its old files are set aside, nothing is deleted, and"
    " undamaged vectors are kept. This can take as long as the first indexing."
)
_UNTOUCHED = "None of your files are touched: your folders stay as they are and can be indexed again."


def _started_in() -> Path:
    """The folder that the UI was started in, where reports are usually written; the home if it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


class Actions:
    """A method for each of ACTIONS. To be called on the event loop of the app."""

    def __init__(self, app: App[Any], library: Library, jobs: JobRunner) -> None:
        self._app, self._library, self._jobs = app, library, jobs
        self._reports_at = _started_in()

    def run(self, name: str, row: CollectionRow | None) -> None:
        """Run the action of this name. `row`: the selected collection, None if there is none."""
        free: dict[str, Callable[[], None]] = {
            "add": self.add,
            "evaluation": lambda: self.look_at_evaluation(row.name if row else ""),
        }
        bound: dict[str, Callable[[str], None]] = {
            "index": self.index,
            "watch": self.watch,
            "rebuild": self.rebuild,
            "tune": self.tune,
            "adapt": self.adapt,
        }
        counted: dict[str, Callable[[CollectionStatus], None]] = {
            "problems": self.problems,
            "model": self.switch_model,
            "lazy": self.switch_lazy,
        }
        if name in free:
            free[name]()
        elif name == "cancel":
            self.cancel(row.name if row else "")
        elif row and name == "forget":
            self.forget(row)
        elif row and name in bound:
            bound[name](row.name)
        elif row and row.status:
            counted[name](row.status)

    def add(self) -> None:
        """Ask for a folder, and index it."""

        def done(new: NewFolder | None) -> None:
            if new is None:
                return
            job = work.index_folder(new.path, new.collection, new.size_bytes)
            if new.watch:
                job.follow_up = lambda: self._jobs.watch(self._jobs.watched | {new.collection})
            self._submit(job)

        self._app.push_screen(AddFolder(self._library), done)

    def index(self, collection: str) -> None:
        """Sync a collection with its folders."""
        self._submit(work.refresh(collection))

    def switch_lazy(self, status: CollectionStatus) -> None:
        """Have a collection's passages embedded only as questions ask for them, or all of them if that is so now."""
        self._submit(work.refresh(status.collection, lazy=not status.lazy))

    def watch(self, collection: str) -> None:
        """Watch a collection from now on, or no longer."""
        self._jobs.watch(self._jobs.watched ^ {collection})

    def rebuild(self, collection: str) -> None:
        """Ask, then rebuild a collection."""
        self._confirm(f"Rebuild {collection}?", _REBUILD, "Rebuild", lambda: self._submit(work.rebuild(collection)))

    def forget(self, row: CollectionRow) -> None:
        """Ask, then cancel the jobs of a collection and delete it."""
        status = row.status
        contents = f" with {plural(status.files, 'file')} and {plural(status.passages, 'passage')}" if status else ""
        text = (
            f"The collection{contents} is removed from searchkit: its text, its vectors and its index are deleted."
            f"\n\n{_UNTOUCHED}"
        )

        def forget() -> None:
            self._jobs.release(row.name)
            self._jobs.submit(work.forget(row.name))

        self._confirm(f"Forget {row.name}?", text, "Forget it", forget)

    def problems(self, status: CollectionStatus) -> None:
        """Show a collection's problems; read the files again if the user says so."""

        def done(chosen: str | None) -> None:
            if chosen:
                self._submit(work.refresh(status.collection, retry=True))

        self._app.push_screen(Problems(status), done)

    def switch_model(self, status: CollectionStatus) -> None:
        """Ask for a model, then embed a collection with it."""
        self._app.run_worker(self._switch_model(status), exit_on_error=False)

    async def _switch_model(self, status: CollectionStatus) -> None:
        def done(chosen: str | None) -> None:
            if chosen and chosen != status.model:
                self._submit(work.use_model(status.collection, chosen))

        try:
            choices = await asyncio.to_thread(model_choices, self._library, status.model)
        except SearchkitError as error:
            self._app.notify(printable(error_text(error)), severity="error", markup=False)
            return
        if choices:
            await self._app.push_screen(choose_model(status.collection, status.passages, choices), done)
        else:
            self._app.notify(NO_MODEL, severity="warning", timeout=8, markup=False)

    def adapt(self, collection: str) -> None:
        """Adapt a collection's model to it."""
        self._submit(work.adapt(collection))

    def tune(self, collection: str) -> None:
        """Open the screen that measures a collection's indexes."""
        from searchkit_tui.evaluation.tune_screen import TuneScreen

        self._app.push_screen(TuneScreen(self._jobs, collection))

    def look_at_evaluation(self, collection: str) -> None:
        """Ask for a report and show it; or for judged queries, and evaluate a collection ("": there is none) with them."""
        from searchkit_tui.evaluation.choose_report import ChooseReport, NewJudged

        def done(chosen: "Path | tuple[Path, RetrievalReport] | NewJudged | None") -> None:
            if isinstance(chosen, NewJudged):
                self._reports_at = chosen.file.parent
                self._submit(work.begin_judged(collection, chosen.file))
            elif isinstance(chosen, Path):
                self._reports_at = chosen.parent
                self._evaluate(collection, chosen)
            elif chosen:
                path, report = chosen
                self._reports_at = path if path.is_dir() else path.parent
                self._show_report(report, path)

        self._app.push_screen(ChooseReport(self._reports_at, collection), done)

    def _evaluate(self, collection: str, judged_file: Path) -> None:
        from searchkit.evaluate import read_report

        report_file = self._library.collection(collection, must_exist=False).folder.evaluation
        job = work.evaluate(collection, judged_file, report_file)
        job.follow_up = lambda: self._show_report(read_report(report_file), report_file)
        self._submit(job)

    def _show_report(self, report: "RetrievalReport", path: Path) -> None:
        from searchkit_tui.evaluation.screen import EvaluationScreen

        self._app.push_screen(EvaluationScreen(report, str(path)))

    def cancel(self, collection: str) -> None:
        """Cancel the job of a collection, else the running one; watching continues."""
        job = self._jobs.of(collection) or self._jobs.at_work
        if job is None:
            self._app.notify("No job is running.", markup=False)
        else:
            job.cancel()

    def _submit(self, job: Job) -> None:
        """Submit a job, unless the collection has one already."""
        if (going := self._jobs.of(job.collection)) is not None:
            self._app.notify(f"{going.line()}. Cancel that first: c", severity="warning", markup=False)
        else:
            self._jobs.submit(job)

    def _confirm(self, title: str, text: str, label: str, run: Callable[[], None]) -> None:
        def done(answer: bool | None) -> None:
            if answer:
                run()

        self._app.push_screen(Confirm(on_one_line(title), text, label), done)
