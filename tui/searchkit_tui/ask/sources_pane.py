"""The numbered passages that an answer is based on, and the one that is being read."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from searchkit.types import Hit
from searchkit_tui.ask.content import source_entry, source_text


class SourcesPane(Vertical):
    """A list over the text of one source; on a short screen they take turns."""

    DEFAULT_CSS = """
    SourcesPane {
        height: 1fr;
    }

    SourcesPane #sources {
        height: 1fr;
        padding: 0 1;
        background: $background;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
    }

    SourcesPane #source-pane {
        height: 1fr;
        padding: 0 2;
        scrollbar-size-vertical: 1;
        scrollbar-color: $primary 40%;
        scrollbar-background: $background;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._sources: tuple[Hit, ...] = ()
        self._read_number = 0

    def compose(self) -> ComposeResult:
        """Put the list above the text."""
        yield OptionList(id="sources", markup=False, compact=True)
        with VerticalScroll(id="source-pane"):
            yield Static(id="source", markup=False)

    @property
    def current(self) -> Hit | None:
        """The source that is being read, or else is selected in the list."""
        number = self._read_number or (self.query_one(OptionList).highlighted or 0) + 1
        return self._sources[number - 1] if number <= len(self._sources) else None

    def show(self, sources: Sequence[Hit]) -> None:
        """Show other sources, or these with other pages; what is read and selected stays if its number does."""
        self._sources = tuple(sources)
        listed = self.query_one(OptionList)
        selected = listed.highlighted or 0
        listed.set_options([Option(source_entry(number, hit)) for number, hit in enumerate(sources, 1)])
        listed.highlighted = min(selected, len(sources) - 1) if sources else None
        read = self._sources[self._read_number - 1 :][:1] if self._read_number else ()
        self.query_one("#source", Static).update(source_text(self._read_number, read[0]) if read else "")

    def show_list(self) -> None:
        """Show the list again, and give it the focus."""
        self.remove_class("-reading")
        self.query_one(OptionList).focus()

    def close(self) -> None:
        """Read no source for now."""
        self._read_number = 0
        self.query_one(OptionList).highlighted = None
        self.remove_class("-reading")

    def jump(self, number: int) -> None:
        """Read the source of this number, from 1, if there is one."""
        if 1 <= number <= len(self._sources):
            self._read(number)
            self.query_one(OptionList).highlighted = number - 1

    @on(OptionList.OptionSelected)
    @on(OptionList.OptionHighlighted)
    def _read_option(self, event: OptionList.OptionSelected | OptionList.OptionHighlighted) -> None:
        if isinstance(event, OptionList.OptionSelected) or self.screen.has_class("-tall"):
            self._read(event.option_index + 1)

    def _read(self, number: int) -> None:
        self._read_number = number
        self.add_class("-reading")
        self.query_one("#source", Static).update(source_text(number, self._sources[number - 1]))
        self.query_one("#source-pane").scroll_home(animate=False)
