"""The dialog that finds a report of an evaluation."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Footer, Input, Static

from searchkit.errors import SearchkitError
from searchkit.evaluate.retrieval_reading import read_report
from searchkit.evaluate.retrieval_results import RetrievalReport
from searchkit.wording import printable
from searchkit_tui.collections.dialogs import Dialog
from searchkit_tui.collections.path_picker import PathPicker


class ChooseReport(Dialog[tuple[Path, RetrievalReport] | None]):
    """Asks for a report.json, or its folder; closes only with one that can be read."""

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

    def __init__(self, start: Path) -> None:
        super().__init__()
        self._start = start

    def compose(self) -> ComposeResult:
        """Path above the buttons."""
        with Vertical(classes="box") as box:
            box.border_title = "Results of searchkit eval retrieval --out FOLDER"
            yield PathPicker(self._start, suffix=".json")
            yield Static("", id="error", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Open", id="open", variant="primary", compact=True)
        yield Footer(show_command_palette=False)

    @on(Input.Submitted)
    def action_open(self) -> None:
        """Read what was chosen, and close with it."""
        self._read(Path(self.query_one(PathPicker).value).expanduser())

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
            self.query_one("#error", Static).update(f"✗ {printable(str(error))}")
            return
        self.dismiss((path, report))
