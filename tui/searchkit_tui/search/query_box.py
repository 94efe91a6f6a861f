"""The query box, and the filters of the query as they were understood."""

from textual import events
from textual.content import Content
from textual.widgets import Input, Static

from searchkit.errors import UsageError
from searchkit_tui.rendering.rewriting import visible

_CHIP_STYLE = "$foreground on $panel"


class QueryBox(Input):
    """An input that joins pasted lines: a sentence is often copied with the line ends of its page."""

    def on_paste(self, event: events.Paste) -> None:
        """Take all lines that are pasted; the base class would take only the first."""
        event.prevent_default()
        event.stop()
        text = " ".join(event.text.split())
        start, end = sorted(self.selection)
        self.replace(text, start, end)

    def set_query(self, query: str) -> None:
        """Replace the query, and put the cursor behind it."""
        self.value = query
        self.cursor_position = len(query)


class Chips(Static):
    """The filters of a query, as in `[type: pdf]  [since 2025-01-01]`; hidden while there are none."""

    def show_filters(self, query: str) -> None:
        """Show the filters of this query; none where they make no sense, which the search will say."""
        from searchkit import demands_of  # loaded with the engine, behind the box

        try:
            filters = demands_of(query)
        except UsageError:
            filters = ()
        self.display = bool(filters)
        chips = [Content.assemble((f"[{visible(each, one_line=True)}]", _CHIP_STYLE)) for each in filters]
        self.update(Content("  ").join(chips))
