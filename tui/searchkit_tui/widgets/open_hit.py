"""Opens a hit's file where the hit is, in the user's editor or the system's viewer."""

import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import App, SuspendNotSupported

from searchkit.display import error_text
from searchkit.errors import UsageError
from searchkit.types import Hit
from searchkit_tui.settings.external_viewer import OpenCommand, open_command, show_in_window
from searchkit_tui.widgets.dialogs import show_error


def open_hit(app: App[Any], hit: Hit, on_opened: Callable[[], None]) -> None:
    """Open a hit's file; `on_opened` is then called, in any thread. Where that fails, a toast says why."""
    try:
        command = open_command(hit)
    except UsageError as error:
        show_error(app, error_text(error), "Cannot open it")
        return
    if command.takes_terminal:
        _run_in_terminal(app, command, on_opened)
    else:
        app.run_worker(partial(_run_in_window, app, command, on_opened), thread=True, exit_on_error=False)


def _run_in_terminal(app: App[Any], command: OpenCommand, on_opened: Callable[[], None]) -> None:
    """Give the terminal to an editor, and take it back when the editor ends."""
    program = command.words[0]
    try:
        with app.suspend():
            status = subprocess.run(command.words, check=False).returncode
    except SuspendNotSupported:
        show_error(app, "This terminal cannot be lent to an editor. Name one with a window: export EDITOR=code", "")
    except OSError as error:
        show_error(app, f"{program}: {error.strerror}. Set EDITOR to a program that exists.", "")
    else:
        on_opened()
        if status:
            show_error(app, f"{program} ended with status {status}.", "The editor reports an error")
    app.refresh(layout=True)


def _run_in_window(app: App[Any], command: OpenCommand, on_opened: Callable[[], None]) -> None:
    failure = show_in_window(command.words)
    if not failure:
        on_opened()
    elif app.is_running:
        app.call_from_thread(show_error, app, failure, "Cannot open it")
