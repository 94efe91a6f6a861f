"""Opens a hit's file where the hit is, in the user's editor or the system's viewer, and notes it where the user wants that."""

import subprocess
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from textual.app import App, SuspendNotSupported

from searchkit import Home
from searchkit.errors import SearchkitError, UsageError
from searchkit.types import Hit
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.settings.external_viewer import OpenCommand, open_command, show_in_window
from searchkit_tui.widgets.dialogs import show_error

_NOTED = (
    "Hits that you open or copy are kept with their queries, on this machine only, to learn from. `searchkit train opened`"
    " shows them, with `--erase` it deletes them. With `keep_opened = false` in config.toml no more are kept."
)
THREAD = "opened hit"  # the name of the threads that write


class OpenedHits:
    """The hits that the user opens or copies, kept with their queries if the user has said so.

    `home`: the data directory; None to keep nothing. `on_failure`: called once, from any thread, with the reason why nothing
    can be kept.
    """

    def __init__(self, home: Home | None = None, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._home = home
        self._on_failure = on_failure
        self._has_failed = False

    @property
    def are_kept(self) -> bool:
        """True if opened hits are being recorded."""
        return self._home is not None

    @property
    def help_note(self) -> str:
        """The paragraph of the help about it, "" if nothing is kept."""
        return _NOTED if self.are_kept else ""

    def note(self, query: str, hit: Hit) -> None:
        """Keep a hit, if hits are kept and it answers a query. Returns at once; it is written even if the UI ends meanwhile."""
        if self._home is not None and query.strip():
            Thread(target=self._write, args=(self._home, query, hit), name=THREAD).start()

    def _write(self, home: Home, query: str, hit: Hit) -> None:
        from searchkit import note_opened  # not needed to start

        try:
            note_opened(home, query, hit)
        except (SearchkitError, OSError) as error:
            if not self._has_failed:
                self._has_failed = True
                self._on_failure(f"{error}")


def open_hit(app: App[Any], hit: Hit, on_opened: Callable[[], None]) -> None:
    """Open a hit's file; `on_opened` is then called, in any thread. Where that fails, a toast says why."""
    try:
        command = open_command(hit)
    except UsageError as error:
        show_error(app, error_text(error), "Cannot open the file")
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
        show_error(
            app, "An editor cannot use this terminal. Choose one with a window of its own: export EDITOR=code", ""
        )
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
        app.call_from_thread(show_error, app, failure, "Cannot open the file")
