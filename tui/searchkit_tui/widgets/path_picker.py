"""A widget to choose a path: typed, completed with tab, or found in a tree."""

import asyncio
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text, TextType
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DirectoryTree, Input, Static

from searchkit.display import on_one_line

MOST_CANDIDATES = 200
_BEFORE_RESTART = re.compile(r"^.*/(?=/|~(?:/|$))")


@dataclass(frozen=True, slots=True)
class Completion:
    """The text as far as it is certain, and the names that may continue it, in order; at most one if it is complete."""

    text: str
    candidates: tuple[str, ...]


def complete(text: str, suffix: str | tuple[str, ...] = "") -> Completion:
    """Complete the last part of a path by the names of folders, and of files with a suffix if one is given.

    Hidden names match only a part that begins with a dot; case counts only if the part has capitals.
    """
    if text == "~":
        return Completion("~/", ())
    shown_folder, part = os.path.split(text)
    folder = Path(shown_folder or ".").expanduser()
    matches = [name for name in _names(folder, suffix) if _fits(name.rstrip("/"), part)][:MOST_CANDIDATES]
    if not matches:
        return Completion(text, ())
    certain = os.path.commonprefix(matches)  # noqa: RUF071 (of names)
    if not certain.startswith(part):  # differing only in case: the user sees the candidates
        certain = certain if len(certain) >= len(part) else part
    return Completion(os.path.join(shown_folder, certain), tuple(matches))  # noqa: PTH118 (a Path drops the last /)


def restarted(text: str) -> str:
    """Keep the last path where one was typed behind another: the `/tmp` of `/home/me//tmp`, the `~` of `/home/me/~`."""
    return _BEFORE_RESTART.sub("", text)


def _names(folder: Path, suffix: str | tuple[str, ...]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError:
        return []
    names = [f"{name}/" for name, is_folder in found if is_folder]
    names += [name for name, is_folder in found if not is_folder and suffix and name.endswith(suffix)]
    return sorted(names, key=lambda name: name.rstrip("/").casefold())


def _fits(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return name.startswith(part) if part != part.lower() else name.lower().startswith(part)


_CANDIDATES_SHOWN = 8


class PathInput(Input):
    """A path. Tab completes it, and moves to the next field only if there is nothing to complete."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", id="path_complete", priority=True)]

    class Completed(Message):
        """Tab has completed the path as far as these names allow. `folder`: the folder that it names now, None if it names none."""

        def __init__(self, candidates: tuple[str, ...], folder: Path | None) -> None:
            super().__init__()
            self.candidates = candidates
            self.folder = folder

    def __init__(self, value: str, *, suffix: str | tuple[str, ...] = "") -> None:
        super().__init__(value, placeholder="~/Documents", id="path", select_on_focus=False, compact=True)
        self._suffix = suffix

    @work(exclusive=True)
    async def action_complete(self) -> None:
        """Complete the path in a thread: a drive may be slow to answer."""
        before = self.value
        completion, folder = await asyncio.to_thread(_completed, before, self._suffix)
        if self.value != before:
            return
        if completion.text == before and len(completion.candidates) <= 1:
            self.screen.focus_next()
            return
        self.value = completion.text
        self.cursor_position = len(self.value)
        self.post_message(self.Completed(completion.candidates if len(completion.candidates) > 1 else (), folder))


def _completed(text: str, suffix: str | tuple[str, ...]) -> tuple[Completion, Path | None]:
    completion = complete(text, suffix)
    folder = Path(completion.text).expanduser()
    return completion, folder if folder.is_dir() else None


class FolderTree(DirectoryTree):
    """Folders that are not hidden, and files with a suffix if one is given. Names are never read as markup."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "

    def __init__(self, path: Path, *, suffix: str | tuple[str, ...] = "") -> None:
        super().__init__(path)
        self._suffix = suffix

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """See DirectoryTree."""
        for path in paths:
            is_wanted = self._safe_is_dir(path) or (self._suffix and path.name.endswith(self._suffix))
            if is_wanted and not path.name.startswith("."):
                yield path

    def process_label(self, label: TextType) -> Text:
        """Show a file name as it is, not as markup."""
        return Text(on_one_line(label)) if isinstance(label, str) else label


class PathPicker(Vertical):
    """An input above a tree; choosing in the tree fills the input."""

    DEFAULT_CSS = """
    PathPicker {
        height: 1fr;
    }

    PathPicker PathInput {
        margin-top: 1;
    }

    PathPicker #candidates {
        height: auto;
        max-height: 2;
        padding: 0 1;
        margin-bottom: 1;
        color: $text-muted;
    }

    PathPicker FolderTree {
        height: 1fr;
        min-height: 3;
        background: $surface;
    }
    """

    def __init__(self, start: Path, *, suffix: str | tuple[str, ...] = "") -> None:
        super().__init__()
        self._start, self._suffix = start, suffix

    def compose(self) -> ComposeResult:
        """Lay out input, candidates and tree."""
        yield PathInput(f"{self._start}/", suffix=self._suffix)
        yield Static("tab completes", id="candidates", markup=False)
        yield FolderTree(self._start, suffix=self._suffix)

    @property
    def value(self) -> str:
        """The path in the input."""
        return self.query_one(PathInput).value.strip()

    @on(Input.Changed, "#path")
    def _restart(self, changed: Input.Changed) -> None:
        """Let the user type a whole path behind the one that is offered."""
        if (rest := restarted(changed.value)) != changed.value:
            changed.input.value = rest
            changed.input.cursor_position = len(rest)

    @on(PathInput.Completed)
    def _show_candidates(self, completed: PathInput.Completed) -> None:
        names = [on_one_line(name) for name in completed.candidates[:_CANDIDATES_SHOWN]]
        more = len(completed.candidates) - len(names)
        self.query_one("#candidates", Static).update("  ".join(names) + (f"  and {more} more" if more > 0 else ""))
        if completed.folder is not None:
            self.query_one(FolderTree).path = completed.folder

    @on(DirectoryTree.DirectorySelected)
    @on(DirectoryTree.FileSelected)
    def _take(self, selected: DirectoryTree.DirectorySelected | DirectoryTree.FileSelected) -> None:
        selected.stop()
        self.query_one(PathInput).value = str(selected.path)
