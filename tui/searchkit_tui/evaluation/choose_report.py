"""A dialog that asks for a report of an evaluation, or for judged queries to make one with."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Footer, Input, Static

from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit.evaluate import RetrievalReport, read_report
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.widgets.dialogs import Dialog
from searchkit_tui.widgets.path_picker import PathPicker


class ChooseReport(Dialog[Path | tuple[Path, RetrievalReport] | None]):
    """Asks for a report.json or its folder, or for judged queries (.jsonl). Closes only with a file that can be read.

    `collection`: the one to evaluate with the queries, "" for none.
    """

    DEFAULT_CSS = """
    ChooseReport > .box {
        height: 90%;
    }

    ChooseReport #error {
        height: auto;
        max-height: 3;
        padding: 0 1;
        color: $text-error;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "open", "Open", id="report_open", priority=True)]

    def __init__(self, start: Path, collection: str) -> None:
        super().__init__()
        self._start, self._collection = start, collection

    def compose(self) -> ComposeResult:
        """Put the path above the buttons."""
        with Vertical(classes="box") as box:
            box.border_title = "A report.json to look at, or judged queries (.jsonl) to measure with"
            yield PathPicker(self._start, suffix=(".json", ".jsonl"))
            yield Static("", id="error", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Open", id="open", variant="primary", compact=True)
        yield Footer(show_command_palette=False)

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Read the chosen file, and close with it."""
        path = Path(self.query_one(PathPicker).value).expanduser()
        if path.suffix != ".jsonl":
            self._read(path)
        elif not self._collection:
            self._refuse("There is no collection to measure. Add a folder first.")
        elif not path.is_file():
            begin = f"searchkit eval init {self._collection} --out {path}"
            self._refuse(f"There is no file {path}. Start one with: {begin}")
        else:
            self.dismiss(path)

    @on(Button.Pressed)
    def _press(self, pressed: Button.Pressed) -> None:
        if pressed.button.id == "open":
            self.action_open()
        else:
            self.dismiss(None)

    @work(exclusive=True)
    async def _read(self, path: Path) -> None:
        try:
            report = await asyncio.to_thread(read_report, path)
        except SearchkitError as error:
            self._refuse(error_text(error))
            return
        self.dismiss((path, report))

    def _refuse(self, why: str) -> None:
        self.query_one("#error", Static).update(f"✗ {printable(why)}")
