"""What could not be read, why, and what to do about it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static

from searchkit.display import on_one_line, plural
from searchkit.types import CollectionStatus
from searchkit_tui.rendering.status_text import PROBLEM_FILES_SHOWN, grouped
from searchkit_tui.widgets.dialogs import Dialog


class Problems(Dialog[str | None]):
    """A collection's problems, those of one kind together; closes with "retry" if they are to be read again."""

    DEFAULT_CSS = """
    Problems > .box {
        height: 90%;
        max-width: 120;
    }

    Problems VerticalScroll {
        height: 1fr;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "retry", "Read them again", id="problems_retry")]

    def __init__(self, status: CollectionStatus) -> None:
        super().__init__()
        self._status = status

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        with Vertical(classes="box") as box:
            count = plural(len(self._status.problems), "problem")
            box.border_title = Content(f"{on_one_line(self._status.name)}: {count}")
            with VerticalScroll():
                yield Static(problem_list(self._status), markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def action_retry(self) -> None:
        """Index again, with what was skipped."""
        self.dismiss("retry")


def problem_list(status: CollectionStatus) -> Content:
    """Reason, remedy and files, kind by kind; or that there is nothing to tell."""
    if not status.problems:
        return Content("Every file that can be read has been. Nothing to do.")
    parts: list[str | tuple[str, str]] = []
    for reason, remedy, paths in grouped(status.problems):
        parts += [(f"{reason}", "bold"), f"  ({plural(len(paths), 'file')})\n"]
        parts += [(f"→ {remedy}\n", "$text-success")] if remedy else []
        parts += [f"    {path}\n" for path in paths[:PROBLEM_FILES_SHOWN]]
        hidden = len(paths) - PROBLEM_FILES_SHOWN
        parts += [f"    and {hidden:,} more: searchkit status --problems\n"] if hidden > 0 else []
        parts += ["\n"]
    return Content.assemble(*parts)
