"""Opens a source's file where the passage stands, in the user's editor or the system's viewer."""

import subprocess
from collections.abc import Callable
from typing import Any

from textual.app import App, SuspendNotSupported

from searchkit.errors import UsageError
from searchkit.types import Hit
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.settings.external_viewer import opening, show_in_window


def open_source(app: App[Any], hit: Hit, note: Callable[[], None]) -> None:
    """Open it, and `note` that it has been opened, in whichever thread; where that fails, a toast says why."""
    try:
        program = opening(hit)
    except UsageError as error:
        _tell(app, str(error))
        return
    if not program.takes_terminal:
        app.run_worker(lambda: _in_window(app, program.command, note), thread=True, exit_on_error=False)
        return
    try:
        with app.suspend():
            subprocess.run(program.command, check=False)
    except (SuspendNotSupported, OSError) as error:
        _tell(app, f"{program.command[0]} could not be started here. Set EDITOR to a program that there is. {error}")
    else:
        note()
    app.refresh(layout=True)


def _in_window(app: App[Any], command: tuple[str, ...], note: Callable[[], None]) -> None:
    if failure := show_in_window(command):
        app.call_from_thread(_tell, app, failure)
    else:
        note()


def _tell(app: App[Any], reason: str) -> None:
    app.notify(visible(reason), title="Cannot open it", severity="error", markup=False)
