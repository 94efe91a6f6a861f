"""What is said in place of hits while there is nothing to search, or nothing was asked."""

from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

import searchkit
from searchkit_tui.settings.key_names import key_of

_NOTHING_INDEXED = """\
Nothing is indexed yet.

searchkit finds passages in your own files by what they mean, and by their words. Everything stays on this computer.
First it has to read a folder; that can be stopped at any time and goes on where it was.
"""
_SAMPLES = "{} tries it with the sample documents: letters, manuals, notes and code of a bookbinder.\n"
_CHOOSE = "{} chooses a folder of yours. On the command line: searchkit index FOLDER"


def sample_folder() -> Path | None:
    """The documents to try it with, where searchkit lies in a checkout."""
    folder = Path(searchkit.__file__).parents[1] / "sample_docs"
    return folder if folder.is_dir() else None


class Welcome(VerticalScroll, can_focus=False):
    """Explains itself to who has no collection yet, and offers to make one."""

    class Chosen(Message):
        """The samples are to be indexed, or a folder is to be chosen."""

        def __init__(self, folder: Path | None) -> None:
            super().__init__()
            self.folder = folder

    def compose(self) -> ComposeResult:
        """What it is, and the two ways to go on."""
        samples = sample_folder()
        enter, choose = key_of(self.screen, "open"), key_of(self.screen, "index")
        ways = (_SAMPLES.format(enter) if samples else "") + _CHOOSE.format(choose)
        yield Static(Content(f"{_NOTHING_INDEXED}\n{ways}"))
        with Horizontal():
            if samples:
                yield _unfocused(Button(Content(f"Try the samples ({enter})"), id="samples", variant="primary"))
            yield _unfocused(Button(Content(f"Choose a folder ({choose})"), id="folder"))

    def on_button_pressed(self, pressed: Button.Pressed) -> None:
        """By mouse; the keys are the screen's."""
        pressed.stop()
        self.post_message(self.Chosen(sample_folder() if pressed.button.id == "samples" else None))


def _unfocused(button: Button) -> Button:
    """The query box keeps the focus."""
    button.can_focus = False
    return button
