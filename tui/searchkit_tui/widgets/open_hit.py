"""Shows hits in the user's editor, viewer, pager or file manager, and notes what was opened where the user wants that."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any

from textual.app import App, SuspendNotSupported

from searchkit import Home
from searchkit.config import load_settings
from searchkit.errors import SearchkitError
from searchkit.types import Hit
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.rendering.hit_content import MARK_STYLE
from searchkit_tui.rendering.markup import visible
from searchkit_tui.settings.external_viewer import (
    OpenCommand,
    Surroundings,
    folder_command,
    open_command,
    open_together,
    show_in_window,
    text_command,
)
from searchkit_tui.widgets.dialogs import show_error

if TYPE_CHECKING:  # the engine is loaded when there is something to open
    from searchkit import Library

_NOTED = (
    "Hits that you open or copy are kept with their queries, on this machine only, to learn from. `searchkit train opened`"
    " shows them, with `--erase` it deletes them. With `keep_opened = false` in config.toml no more are kept."
)
THREAD = "opened hit"  # the name of the threads that write
_ALL_PASSAGES = 10**9
_UNSAFE_IN_NAMES = re.compile(r"[^\w.-]+")
_MOST_OF_NAME = 60  # characters
_STILL_READ: list["TemporaryDirectory[str]"] = []

Answer = tuple[Hit, str]  # a hit, and the query that it answers, "" for none


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


class HitOpener:
    """Shows hits in programs of the user's: their files, their text, their folders. Where that fails, a toast says why.

    `library`: where the text of what no program here can show is read.
    """

    def __init__(self, app: App[Any], library: "Library", opened: OpenedHits) -> None:
        self._app = app
        self._library = library
        self._opened = opened

    def open(self, chosen: Sequence[Answer]) -> None:
        """Open files where their hits are; where nothing can show one, its text in a pager. Noted as opened."""
        with self._said("Cannot open the file"):
            hits = [hit for hit, _ in chosen]
            around = self._surroundings(hits)
            together = open_together(hits, around) if len(hits) > 1 else None
            shown = [(together, chosen)] if together else [(open_command(each[0], around), [each]) for each in chosen]
            self._run([(command, partial(self._note, answers)) for command, answers in shown if command])
            self._read([each for command, answers in shown if not command for each in answers], around)

    def read(self, chosen: Sequence[Answer]) -> None:
        """Show the text of hits' documents, as it was read, in the user's pager. Noted as opened."""
        with self._said("Cannot show the text"):
            self._read(chosen, Surroundings())

    def open_folders(self, hits: Sequence[Hit]) -> None:
        """Show each hit's folder once in the system's file manager, or, without windows, in a shell."""
        with self._said("Cannot open the folder"):
            around = Surroundings()
            folders = {hit.path.parent: hit.path for hit in reversed(hits)}
            self._run([(folder_command(path, around), _nothing) for path in reversed(folders.values())])

    @contextmanager
    def _said(self, title: str) -> Iterator[None]:
        try:
            yield
        except SearchkitError as error:
            show_error(self._app, error_text(error), title)

    def _surroundings(self, hits: Sequence[Hit]) -> Surroundings:
        is_pdf = any(hit.path.suffix.lower() == ".pdf" for hit in hits)
        return Surroundings(pdf_viewer=load_settings(self._library.home).pdf_viewer if is_pdf else "")

    def _note(self, answers: Sequence[Answer]) -> None:
        for hit, query in answers:
            self._opened.note(query, hit)

    def _run(self, commands: Sequence[tuple[OpenCommand, Callable[[], None]]]) -> None:
        """Run commands; each has something that is then called, in any thread."""
        for command, on_opened in commands:
            if command.takes_terminal:
                _run_in_terminal(self._app, command, on_opened)
            else:
                work = partial(_run_in_window, self._app, command, on_opened)
                self._app.run_worker(work, thread=True, exit_on_error=False)

    def _read(self, chosen: Sequence[Answer], around: Surroundings) -> None:
        if chosen:
            text_command(Path(), None, around)  # a pager is missed before a long text is read
            self._app.run_worker(partial(self._extract, chosen, around), thread=True, exit_on_error=False)

    def _extract(self, chosen: Sequence[Answer], around: Surroundings) -> None:
        """Read the texts in a thread: they may be long."""
        folder = TemporaryDirectory(prefix="searchkit-")  # which only the user can read
        commands = []
        for number, (hit, query) in enumerate(chosen):
            try:
                text, line = _text_of(self._library, hit)
            except SearchkitError as error:
                self._app.call_from_thread(show_error, self._app, error_text(error), "Cannot show the text")
                continue
            file = Path(folder.name, f"{number or ''}{_UNSAFE_IN_NAMES.sub('_', hit.path.name)[-_MOST_OF_NAME:]}.txt")
            file.write_text(text, "utf-8", "replace")
            commands.append((text_command(file, line, around), partial(self._note, [(hit, query)])))
        if self._app.is_running:
            self._app.call_from_thread(self._run, commands)
        if any(not command.takes_terminal for command, _ in commands):
            _STILL_READ.append(folder)  # until searchkit ends, as a window may show it
        else:
            folder.cleanup()


def _text_of(library: "Library", hit: Hit) -> tuple[str, int]:
    """Read the whole text of a hit's document, without control characters, and the line in it of what is marked, from 1."""
    from searchkit_tui.rendering.document_content import document_content

    view = library.collection(hit.collection).context_of(hit, before=_ALL_PASSAGES, after=_ALL_PASSAGES)
    document = document_content(hit, view)
    above = f"{document.above.plain}\n" if document.above.plain else ""
    passage = document.passage.plain
    mark = min((span.start for span in document.passage.spans if span.style == MARK_STYLE), default=0)
    line = 1 + above.count("\n") + passage.count("\n", 0, mark)
    return f"{above}{passage}\n{document.below.plain}\n", line


def _run_in_terminal(app: App[Any], command: OpenCommand, on_opened: Callable[[], None]) -> None:
    """Give the terminal to a program, and take it back when the program ends."""
    program, chooser = command.words[0], command.chosen_by or "EDITOR"
    try:
        with app.suspend(), _interrupts_ignored():
            if command.folder:
                where = visible(str(command.folder), one_line=True)
                sys.stdout.write(f"A shell in {where}: exit leads back to searchkit.\n")
                sys.stdout.flush()
            status = subprocess.run(command.words, check=False, cwd=command.folder).returncode
    except SuspendNotSupported:
        show_error(
            app, "An editor cannot use this terminal. Choose one with a window of its own: export EDITOR=code", ""
        )
    except OSError as error:
        show_error(app, f"{program}: {error.strerror}. Set {chooser} to a program that exists.", "")
    else:
        on_opened()
        if status and not command.folder:  # a shell's is that of its last command
            show_error(app, f"{program} ended with status {status}.", "The program reports an error")
    app.refresh(layout=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the program that has the terminal: it would end searchkit too. The program itself gets it."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_in_window(app: App[Any], command: OpenCommand, on_opened: Callable[[], None]) -> None:
    failure = show_in_window(command.words)
    if not failure:
        on_opened()
    elif app.is_running:
        app.call_from_thread(show_error, app, failure, "Cannot open the file")


def _nothing() -> None:
    """Note nothing: a folder is no answer."""
