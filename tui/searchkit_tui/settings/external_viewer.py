"""Chooses the program that shows a hit's file at its line or page: the user's editor, or else the system's viewer."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from searchkit.errors import UsageError
from searchkit.types import Hit

# Files that an editor shows as rubbish.
_NOT_TEXT = frozenset(".pdf .docx .odt .rtf .pptx .odp .xlsx .ods .epub .png .jpg .jpeg .tif .tiff".split())
_LINE_FIRST = frozenset("vi vim nvim view gvim nano pico emacs emacsclient micro kak kakoune joe jed ne mcedit".split())
_COLON_LINE = frozenset("hx helix subl sublime_text zed".split())
_GOTO = frozenset("code code-insiders codium vscodium cursor windsurf".split())
_IN_WINDOW = frozenset(
    "code code-insiders codium vscodium cursor windsurf subl sublime_text zed gvim gedit kate mate".split()
)
_KNOWN_EDITORS = ("nano", "vim", "vi")  # where none is set and the system opens nothing
# The arguments by which viewers of PDF take the page.
_PAGE: Mapping[str, Callable[[int], list[str]]] = {
    "evince": lambda page: [f"--page-index={page}"],
    "papers": lambda page: [f"--page-index={page}"],
    "okular": lambda page: ["--page", str(page)],
    "zathura": lambda page: ["--page", str(page)],
    "atril": lambda page: [f"--page-index={page}"],
    "xreader": lambda page: [f"--page-index={page}"],
}

Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """A program to run with its arguments. `takes_terminal`: it needs the terminal that the UI is using."""

    words: tuple[str, ...]
    takes_terminal: bool


def open_command(hit: Hit, environment: Mapping[str, str] = os.environ, which: Which = shutil.which) -> OpenCommand:
    """Make the command that shows a hit in its file. Raises UsageError, with what to do, if there is no program for it."""
    if not hit.path.exists():
        raise UsageError(f"{hit.path} no longer exists. Index its collection again.")
    editor = environment.get("VISUAL") or environment.get("EDITOR")
    if hit.path.suffix.lower() not in _NOT_TEXT:
        if editor:
            return _in_editor(shlex.split(editor), hit)
        if not which(_system_opener()) and (known := next(filter(which, _KNOWN_EDITORS), None)):
            return _in_editor([known], hit)
    if hit.page is not None and hit.path.suffix.lower() == ".pdf" and (viewer := _pdf_viewer(which)):
        return OpenCommand((viewer, *_PAGE[viewer](hit.page), str(hit.path)), takes_terminal=False)
    opener = _system_opener()
    if not which(opener):
        raise UsageError(f"No program was found to open {hit.path}. Set your editor: export EDITOR=nano")
    return OpenCommand((opener, str(hit.path)), takes_terminal=False)


def editor_arguments(editor: str, path: Path, line: int | None) -> list[str]:
    """List the arguments with which an editor, known by the name of its program, shows a file at a line."""
    if line is None:
        return [str(path)]
    if editor in _LINE_FIRST:
        return [f"+{line}", str(path)]
    if editor in _GOTO:
        return ["-g", f"{path}:{line}"]
    if editor in _COLON_LINE:
        return [f"{path}:{line}"]
    return [str(path)]


def show_in_window(command: Sequence[str], patience_seconds: float = 2.0) -> str:
    """Start a program that has windows of its own. Returns why it failed if it fails soon, else ""."""
    with TemporaryFile() as errors:  # a pipe would end with the UI, and the program with the pipe
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
            process.wait(patience_seconds)
        except OSError as error:
            return f"{command[0]} could not be started: {error.strerror}."
        except subprocess.TimeoutExpired:  # it is running, and outlives the UI
            return ""
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["It gives no reason."]
    return f"{command[0]} could not open it. {said[0]}" if process.returncode else ""


def _in_editor(words: Sequence[str], hit: Hit) -> OpenCommand:
    if not words:
        raise UsageError("EDITOR is set to nothing. Set your editor: export EDITOR=nano")
    name = Path(words[0]).name.removesuffix(".exe")
    line = hit.line if hit.marked_line is None else hit.marked_line
    return OpenCommand((*words, *editor_arguments(name, hit.path, line)), takes_terminal=name not in _IN_WINDOW)


def _system_opener() -> str:
    if sys.platform == "darwin":
        return "open"
    return "explorer" if sys.platform == "win32" else "xdg-open"


def _pdf_viewer(which: Which) -> str | None:
    """Find the viewer that the system would choose, or else any that takes the page."""
    if sys.platform in {"darwin", "win32"}:
        return None
    installed = [viewer for viewer in _PAGE if which(viewer)]
    usual = _usual_viewer() if which("xdg-mime") else ""
    return next((viewer for viewer in installed if viewer in usual), None if usual else next(iter(installed), None))


def _usual_viewer() -> str:
    """Ask for the desktop file of the PDF viewer, such as org.gnome.evince.desktop, in lower case."""
    try:
        asked = subprocess.run(
            ["xdg-mime", "query", "default", "application/pdf"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip().lower()
