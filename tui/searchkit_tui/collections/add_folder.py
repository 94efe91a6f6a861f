"""The dialog that asks for a folder to index."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Footer, Input, Static

from searchkit import Library
from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.widgets.dialogs import Dialog
from searchkit_tui.widgets.path_picker import PathPicker


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder to index, its collection, and whether to watch it from then on."""

    path: Path
    collection: str
    watch: bool


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

    def compose(self) -> ComposeResult:
        """Put the path above name and buttons."""
        with Vertical(classes="box") as box:
            box.border_title = "Add a folder"
            yield PathPicker(self._start)
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
        self.dismiss(NewFolder(path, name, self.query_one("#watch", Checkbox).value))


def _checked(library: Library, text: str, collection: str) -> tuple[Path, str]:
    """Resolve folder and collection. Raises UsageError, as indexing would."""
    with library.sibling() as own:
        own.check(text)
        path = Path(text).expanduser().resolve()
        return path, own.collection_for(path, collection)
