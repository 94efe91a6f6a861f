"""Small dialogs and toasts: something to read, something to confirm, one of several to choose, an error."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Footer, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState

from searchkit_tui.rendering.markup import visible

Result = TypeVar("Result")

_BOX_CSS = """
Dialog {
    align: center middle;
}

Dialog > .box {
    width: 90%;
    max-width: 90;
    height: auto;
    max-height: 90%;
    padding: 0 2;
    border: round $primary;
    border-title-color: $text-primary;
    border-title-style: bold;
    background: $surface;
}

Dialog .text {
    height: auto;
    max-height: 14;
    margin: 1 0;
}

Dialog .buttons {
    height: 1;
    align-horizontal: right;
}

Dialog Button {
    margin-left: 2;
}

Dialog OptionList {
    height: auto;
    max-height: 16;
    padding: 0;
    background: $surface;
    text-wrap: nowrap;
    text-overflow: ellipsis;
}
"""


class Dialog(ModalScreen[Result]):
    """A box in the middle of the screen; escape closes it without a result."""

    DEFAULT_CSS = _BOX_CSS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", id="dialog_close")]

    def action_close(self) -> None:
        """Close without a result."""
        self.dismiss(None)


class Message(Dialog[None]):
    """A message that must not be overlooked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "Close", id="message_close")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Put a button below the text."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._title)
            with VerticalScroll(classes="text", can_focus=False):
                yield Static(self._text, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", compact=True)
        yield Footer(show_command_palette=False)

    @on(Button.Pressed)
    def _close(self) -> None:
        self.dismiss(None)


class Confirm(Dialog[bool | None]):
    """A question. Only the button that names the action says yes; the other one, `no`, has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,right", "app.focus_next", "Choose", id="confirm_move", key_display="←→")
    ]

    def __init__(self, title: str, text: str, action: str, *, no: str = "Keep it") -> None:
        super().__init__()
        self._title, self._text, self._action, self._no = title, text, action, no

    def compose(self) -> ComposeResult:
        """Put two buttons below the text."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._title)
            with VerticalScroll(classes="text", can_focus=False):
                yield Static(self._text, markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self._no, id="no", compact=True)
                yield Button(self._action, id="yes", variant="warning", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Focus the harmless button, for enter."""
        self.query_one("#no").focus()

    @on(Button.Pressed)
    def _answer(self, pressed: Button.Pressed) -> None:
        self.dismiss(pressed.button.id == "yes")


class Choose(Dialog[str | None]):
    """A choice of one out of several (value, what is shown of it)."""

    def __init__(self, title: str, text: str, choices: Sequence[tuple[str, Content]]) -> None:
        super().__init__()
        self._title, self._text, self._choices = title, text, choices

    def compose(self) -> ComposeResult:
        """Put the text above the list."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._title)
            if self._text:
                yield Static(self._text, markup=False, classes="text")
            yield OptionList(*(Option(shown) for _, shown in self._choices), markup=False, compact=True)
        yield Footer(show_command_palette=False)

    @on(OptionList.OptionSelected)
    def _choose(self, selected: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[selected.option_index][0])


def show_error(app: App[Any], message: str, title: str) -> None:
    """Show a toast in place of those before."""
    app.clear_notifications()
    app.notify(visible(message), title=title, severity="error", timeout=8, markup=False)


def show_worker_failure(app: App[Any], changed: Worker.StateChanged) -> None:
    """Show a toast if a worker has failed: expected errors come as results, and any other costs this worker alone."""
    if changed.state is WorkerState.ERROR:
        error = changed.worker.error
        show_error(app, f"{type(error).__name__}: {error}", "Unexpected error")
