"""Chooses the programs that show hits: the user's editor at the line, a viewer at the page, a pager for text, a file manager.

Commands are lists of words, never strings for a shell, and paths in them are absolute: a file's name can neither be an option
nor be run.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile

from searchkit.errors import UsageError
from searchkit.types import Hit

# Files that an editor shows as rubbish.
_NOT_TEXT = frozenset(
    ".pdf .docx .doc .odt .rtf .pptx .ppt .odp .xlsx .xls .ods .epub .mobi .png .jpg .jpeg .tif .tiff .webp .gif .heic"
    " .zip .gz .bz2 .xz .7z .tar .msg .pst .sqlite .db".split()
)
_LINE_FIRST = frozenset("vi vim nvim view gvim nano pico emacs emacsclient micro kak kakoune joe jed ne mcedit".split())
_FIRST_LINE_ALONE = frozenset("vi vim nvim view gvim kak kakoune".split())  # take a line for the first file only
_COLON_LINE = frozenset("hx helix subl sublime_text zed".split())
_GOTO = frozenset("code code-insiders codium vscodium cursor windsurf".split())
_IN_WINDOW = frozenset(
    "code code-insiders codium vscodium cursor windsurf subl sublime_text zed gvim gedit kate mate".split()
)
_KNOWN_EDITORS = ("nano", "vim", "vi")  # where none is set and the system opens nothing
_PAGERS_AT_LINE = frozenset("less pager sensible-pager more most moar moor lv vi vim nvim view".split())
_IN_TERMINAL = frozenset("tdf termpdf termpdf.py fancy-cat jfbview fbpdf".split())  # of the viewers of PDF
# The arguments by which viewers of PDF show a file at a page.
_PAGE: Mapping[str, Callable[[str, int], list[str]]] = {
    "evince": lambda path, page: [f"--page-index={page}", path],
    "papers": lambda path, page: [f"--page-index={page}", path],
    "okular": lambda path, page: ["--page", str(page), path],
    "zathura": lambda path, page: ["--page", str(page), path],
    "atril": lambda path, page: [f"--page-index={page}", path],
    "xreader": lambda path, page: [f"--page-index={page}", path],
    "mupdf": lambda path, page: [path, str(page)],
    "xpdf": lambda path, page: [path, str(page)],
}

Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """A program to run with its arguments. `takes_terminal`: it needs the terminal that the UI is using.

    `chosen_by`: the variable or setting that names the program, "" if none does. `folder`: where it runs, None for here.
    """

    words: tuple[str, ...]
    takes_terminal: bool
    chosen_by: str = ""
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides which programs can be used. `pdf_viewer`: the user's setting of that name, "" for none."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    which: Which = shutil.which
    pdf_viewer: str = ""

    @property
    def has_windows(self) -> bool:
        """True if a program can open a window where the user sees it."""
        if sys.platform == "win32":
            return True
        if sys.platform == "darwin":
            return not self.environment.get("SSH_CONNECTION")
        return bool(self.environment.get("DISPLAY") or self.environment.get("WAYLAND_DISPLAY"))

    @property
    def editor(self) -> tuple[str, list[str]]:
        """The variable that names the user's editor, and its words; "" and none without one. Raises UsageError."""
        for variable in ("VISUAL", "EDITOR"):
            if said := self.environment.get(variable):
                return variable, _words(said, variable)
        return "", []


def open_command(hit: Hit, around: Surroundings) -> OpenCommand | None:
    """Make the command that shows a hit in its file; None if nothing can, but a pager could show the text.

    Raises UsageError, with what to do, if the file is gone or a setting makes no sense.
    """
    _check_exists(hit)
    if hit.path.suffix.lower() not in _NOT_TEXT:
        return _command_for_text(hit, around)
    if hit.path.suffix.lower() == ".pdf" and (viewer := _pdf_viewer(hit.page, str(hit.path), around)):
        return viewer
    opener = _system_opener()
    if around.has_windows and around.which(opener):
        return OpenCommand((opener, str(hit.path)), takes_terminal=False)
    return None


def open_together(hits: Sequence[Hit], around: Surroundings) -> OpenCommand | None:
    """Make one command that shows all hits in the user's editor; None if they are not all text or there is no editor.

    Raises UsageError as `open_command` does.
    """
    variable, words = around.editor
    if not words or any(hit.path.suffix.lower() in _NOT_TEXT for hit in hits):
        return None
    for hit in hits:
        _check_exists(hit)
    return _in_editor(words, variable, [(hit.path, line_of(hit)) for hit in hits])


def text_command(path: Path, line: int | None, around: Surroundings) -> OpenCommand:
    """Make the command that shows a file of text at a line in the user's pager, or else in an editor. Raises UsageError."""
    for variable, words in _pagers(around):
        if Path(words[0]).name not in _PAGERS_AT_LINE:
            return _in_editor(words, variable, [(path, line)])
        at_line = [f"+{line}"] if line is not None else []
        return OpenCommand((*words, *at_line, str(path)), takes_terminal=True, chosen_by=variable)
    raise UsageError("No program was found that shows text. Set one: export PAGER=less")


def folder_command(path: Path, around: Surroundings) -> OpenCommand:
    """Make the command that shows a file in its folder; where there are no windows, a shell in it. Raises UsageError."""
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"{folder} no longer exists. Index its collection again.")
    if not around.has_windows:
        shell = around.environment.get("SHELL") or "sh"
        return OpenCommand((shell,), takes_terminal=True, chosen_by="SHELL", folder=folder)
    if sys.platform == "darwin":
        return OpenCommand(("open", "-R", str(path)), takes_terminal=False)
    if sys.platform == "win32":
        return OpenCommand(("explorer", f"/select,{path}"), takes_terminal=False)
    if not around.which("xdg-open"):
        raise UsageError(f"No program was found to open {folder}. Install xdg-utils.")
    return OpenCommand(("xdg-open", str(folder)), takes_terminal=False)


def line_of(hit: Hit) -> int | None:
    """The line to show of a hit, from 1: that of the sentence that answers, or else the passage's first."""
    return hit.line if hit.marked_line is None else hit.marked_line


def editor_arguments(editor: str, places: Sequence[tuple[Path, int | None]]) -> list[str]:
    """List the arguments with which an editor, known by the name of its program, shows files at their lines."""
    shown: list[str] = []
    for number, (path, line) in enumerate(places):
        if line is None or (editor in _FIRST_LINE_ALONE and number):
            shown.append(str(path))
        elif editor in _LINE_FIRST:
            shown += [f"+{line}", str(path)]
        else:
            shown.append(f"{path}:{line}" if editor in _GOTO | _COLON_LINE else str(path))
    has_line = any(line is not None for _, line in places)
    return ["-g", *shown] if editor in _GOTO and has_line else shown


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


def _check_exists(hit: Hit) -> None:
    if not hit.path.exists():
        raise UsageError(f"{hit.path} no longer exists. Index its collection again.")


def _command_for_text(hit: Hit, around: Surroundings) -> OpenCommand:
    variable, editor = around.editor
    if editor:
        return _in_editor(editor, variable, [(hit.path, line_of(hit))])
    opener = _system_opener()
    if around.has_windows and around.which(opener):
        return OpenCommand((opener, str(hit.path)), takes_terminal=False)
    if around.has_windows and (known := next(filter(around.which, _KNOWN_EDITORS), None)):
        return _in_editor([known], "", [(hit.path, line_of(hit))])
    return text_command(hit.path, line_of(hit), around)


def _in_editor(words: Sequence[str], variable: str, places: Sequence[tuple[Path, int | None]]) -> OpenCommand:
    name = Path(words[0]).name.removesuffix(".exe")
    told = editor_arguments(name, places)
    return OpenCommand((*words, *told), takes_terminal=name not in _IN_WINDOW, chosen_by=variable)


def _pagers(around: Surroundings) -> Iterator[tuple[str, list[str]]]:
    """Go through the programs that could show text, as variable and words, the user's own first."""
    named = [("PAGER", _words(said, "PAGER")) for said in [around.environment.get("PAGER", "")] if said]
    for variable, words in chain(named, [("", ["less"]), around.editor, *(("", [each]) for each in _KNOWN_EDITORS)]):
        if words and Path(words[0]).name != "cat" and (variable or around.which(words[0])):
            # With -F, less would end at once where the text fits the screen.
            stays = Path(words[0]).name == "less" and "F" in around.environment.get("LESS", "")
            yield variable, [*words, "-+F"] if stays else words


def _words(said: str, name: str) -> list[str]:
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise UsageError(f"{name} cannot be read: {said} ({error}). Quotes come in pairs.") from None
    if not words:
        raise UsageError(f"{name} is set to nothing. Set it to a program, such as EDITOR=nano or PAGER=less.")
    return words


def _system_opener() -> str:
    if sys.platform == "darwin":
        return "open"
    return "explorer" if sys.platform == "win32" else "xdg-open"


def _pdf_viewer(page: int | None, path: str, around: Surroundings) -> OpenCommand | None:
    """Make the command of the viewer that the user has named, or that takes the page; None if the system shall choose."""
    if around.pdf_viewer:
        words = _words(around.pdf_viewer, "pdf_viewer in config.toml")
        takes_terminal = Path(words[0]).name in _IN_TERMINAL
        if not takes_terminal and not around.has_windows:
            return None
        told = _told_page(words, path, page)
        return OpenCommand(tuple(told), takes_terminal=takes_terminal, chosen_by="pdf_viewer in config.toml")
    if page is None or not around.has_windows or not (viewer := _usual_or_any(around.which)):
        return None
    return OpenCommand(tuple(_told_page([viewer], path, page)), takes_terminal=False)


def _told_page(words: Sequence[str], path: str, page: int | None) -> list[str]:
    """Put path and page where `{path}` and `{page}` stand; without them, as the viewer is known to take them."""
    name = Path(words[0]).name
    filled = [word.replace("{page}", str(page or 1)).replace("{path}", path) for word in words]
    if any("{path}" in word for word in words):
        return filled
    if page is not None and name in _PAGE and filled == list(words):
        told = _PAGE[name](path, page)
        return [*words, *(told if name != "xpdf" or not _is_xpdf_4(words[0]) else [path, f":{page}"])]
    return [*filled, path]


def _usual_or_any(which: Which) -> str | None:
    """Find the viewer that the system would choose, or else any that takes the page."""
    if sys.platform in {"darwin", "win32"}:
        return None
    installed = [viewer for viewer in _PAGE if viewer not in _IN_TERMINAL and which(viewer)]
    usual = _usual_viewer() if which("xdg-mime") else ""
    return next((viewer for viewer in installed if viewer in usual), None if usual else next(iter(installed), None))


def _usual_viewer() -> str:
    """Ask for the desktop file of the PDF viewer, such as org.gnome.evince.desktop, in lower case."""
    return _said_by(["xdg-mime", "query", "default", "application/pdf"])


def _is_xpdf_4(program: str) -> bool:
    """True if this xpdf takes the page as `:7`; up to version 3, and in xpopple, it is `7`."""
    return "version 4" in _said_by([program, "-v"])


def _said_by(command: Sequence[str]) -> str:
    """What a program says within two seconds, in lower case; "" if it says nothing or is not there."""
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (asked.stdout + asked.stderr).strip().lower()
