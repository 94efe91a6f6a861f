"""The dialog that asks for a folder to index."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Footer, Input, Static
from textual.worker import get_current_worker

from searchkit import Library
from searchkit.display import plural, printable, size, time_left
from searchkit.errors import SearchkitError
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.settings.saved_state import load_speed
from searchkit_tui.widgets.dialogs import Dialog
from searchkit_tui.widgets.path_picker import PathPicker

_PAUSE_SECONDS = 0.3  # after the last key
_SAY_SECONDS = 0.25  # between two lines on how far counting is


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder to index, its collection, and whether to watch it from then on. `size_bytes`: of its files, 0 if not counted."""

    path: Path
    collection: str
    watch: bool
    size_bytes: int = 0


class AddFolder(Dialog[NewFolder | None]):
    """Asks for a folder and a collection. Closes only with a folder that can be indexed."""

    DEFAULT_CSS = """
    AddFolder > .box {
        height: 90%;
    }

    AddFolder #error {
        height: auto;
        max-height: 3;
        padding: 0 1;
        color: $text-error;
    }

    AddFolder #size {
        height: 1;
        padding: 0 1;
        color: $text-muted;
    }

    AddFolder .options {
        height: 1;
        margin: 1 0;
    }

    AddFolder #collection {
        width: 1fr;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "index", "Index it", id="add_index", priority=True)]

    def __init__(self, library: Library, start: Path | None = None) -> None:
        super().__init__()
        self._library = library
        self._start = start or Path.home()
        self._counted = ("", 0)

    def compose(self) -> ComposeResult:
        """Put the path above name and buttons."""
        with Vertical(classes="box") as box:
            box.border_title = "Add a folder"
            yield PathPicker(self._start)
            yield Static("", id="size", markup=False)
            yield Static("", id="error", markup=False)
            with Horizontal(classes="options"):
                yield Input(placeholder="Collection: named after the folder", id="collection", compact=True)
                yield Checkbox(
                    "Watch", id="watch", compact=True, tooltip="Index changes as they happen, while searchkit is open"
                )
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Index it", id="index", variant="primary", compact=True)
        yield Footer(show_command_palette=False)

    @on(Input.Submitted)
    def action_index(self) -> None:
        """Check what was chosen, and close with it."""
        self._check(self.query_one(PathPicker).value, self.query_one("#collection", Input).value.strip())

    @on(Button.Pressed)
    def _press(self, pressed: Button.Pressed) -> None:
        if pressed.button.id == "index":
            self.action_index()
        else:
            self.dismiss(None)

    @work(exclusive=True)
    async def _check(self, text: str, collection: str) -> None:
        try:
            path, name = await asyncio.to_thread(_checked, self._library, text, collection)
        except SearchkitError as error:
            self.query_one("#error", Static).update(f"✗ {printable(error_text(error))}")
            return
        counted, size_bytes = self._counted
        self.dismiss(
            NewFolder(path, name, self.query_one("#watch", Checkbox).value, size_bytes if counted == text else 0)
        )

    @on(Input.Changed, "#path")
    def _say_size(self) -> None:
        """Say how much a folder has, some moments after the last key."""
        self.query_one("#size", Static).update("")
        self._count(self.query_one(PathPicker).value)

    @work(thread=True, exclusive=True, exit_on_error=False, group="size")
    def _count(self, text: str) -> None:
        """Count in a thread, which ends when another folder is typed or the dialog closes."""
        worker = get_current_worker()
        time.sleep(_PAUSE_SECONDS)
        files = size_bytes = 0
        said = time.monotonic()
        speed = load_speed(self._library.home)
        try:
            for files, size_bytes in self._library.measure(text) if text and not worker.is_cancelled else ():
                if worker.is_cancelled:
                    return
                if time.monotonic() - said > _SAY_SECONDS:
                    said = time.monotonic()
                    self.app.call_from_thread(self._show_size, text, f"{size_line(files, size_bytes, speed)} so far…")
        except SearchkitError:  # it is said when the user wants to index that
            return
        if files and not worker.is_cancelled:
            self._counted = (text, size_bytes)
            self.app.call_from_thread(self._show_size, text, size_line(files, size_bytes, speed))

    def _show_size(self, text: str, said: str) -> None:
        if self.is_mounted and self.query_one(PathPicker).value == text:
            self.query_one("#size", Static).update(said)


def size_line(files: int, size_bytes: int, bytes_a_second: float) -> str:
    """Say what a folder has and how long it takes: `1,240 files, 3.0 GB, about 20 min`."""
    return f"{plural(files, 'file')}, {size(size_bytes)}, {time_left(size_bytes / bytes_a_second)}"


def _checked(library: Library, text: str, collection: str) -> tuple[Path, str]:
    """Resolve folder and collection. Raises UsageError, as indexing would."""
    with library.sibling() as own:
        own.check(text)
        path = Path(text).expanduser().resolve()
        return path, own.collection_for(path, collection)
