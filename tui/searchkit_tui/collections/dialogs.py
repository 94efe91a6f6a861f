"""Dialogs about one collection: what could not be read and what to do about it, and which model it uses."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static

from searchkit import Library
from searchkit.config import load_settings
from searchkit.display import command, on_one_line, plural
from searchkit.reports import CollectionStatus
from searchkit_tui.collections.status_text import grouped
from searchkit_tui.widgets.dialogs import Choose, Dialog

_FILES_SHOWN = 200  # of one kind of problem; more say nothing new
_GET_ONE = f"Get one: {command('models', 'pull')}"
_NO_OTHER = f"No other model is installed. {_GET_ONE}"
NO_MODEL = f"No model is installed. {_GET_ONE}"


class Problems(Dialog[str | None]):
    """A collection's problems, grouped by kind. Closes with "retry" if the files are to be read again."""

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
        """Lay out one text that scrolls."""
        with Vertical(classes="box") as box:
            count = plural(len(self._status.problems), "problem")
            box.border_title = Content(f"{on_one_line(self._status.collection)}: {count}")
            with VerticalScroll():
                yield Static(problem_list(self._status), markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Let arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def action_retry(self) -> None:
        """Close, so that the collection is indexed again with the files that were skipped."""
        self.dismiss("retry")


def problem_list(status: CollectionStatus) -> Content:
    """List reason, remedy and files of each kind of problem, or report that there are none."""
    if not status.problems:
        return Content("Every readable file has been read. There is nothing to do.")
    parts: list[str | tuple[str, str]] = []
    for reason, remedy, paths in grouped(status.problems):
        parts += [(f"{reason}", "bold"), f"  ({plural(len(paths), 'file')})\n"]
        parts += [(f"→ {remedy}\n", "$text-success")] if remedy else []
        parts += [f"    {path}\n" for path in paths[:_FILES_SHOWN]]
        hidden = len(paths) - _FILES_SHOWN
        parts += [f"    and {hidden:,} more: searchkit status --problems\n"] if hidden > 0 else []
        parts += ["\n"]
    return Content.assemble(*parts)


def model_choices(library: Library, current: str) -> list[tuple[str, Content]]:
    """List the installed models, each with a description; reads the disk."""
    cards = {card.name: card for card in library.models.installed()}
    default = load_settings(library.home).model
    choices = []
    for name in library.models.names():
        card = cards.get(name)
        about = f"{card.dimension} dimensions, {card.quantization.value}" if card else "not converted yet"
        about += ", small, English" if library.models.is_bundled(name) else ""
        about += ", for new collections" if name == default else ""
        about += " · in use" if name == current else ""
        choices.append((name, Content.assemble((on_one_line(name), "bold"), f"  {about}")))
    return choices


def choose_model(collection: str, passages: int, choices: list[tuple[str, Content]]) -> Choose:
    """Make the dialog that asks for a model and says what switching means."""
    text = (
        f"Vectors of different models cannot be compared, so {plural(passages, 'passage')} must be embedded again."
        " Indexing starts at once, and can be stopped and continued. Until it is done, a search by words finds everything,"
        " and one by meaning finds what has been embedded."
    )
    if len(choices) < 2:
        text += f" {_NO_OTHER}"
    return Choose(f"A model for {on_one_line(collection)}", text, choices)
