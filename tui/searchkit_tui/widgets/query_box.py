"""The box that the query is typed into."""

from textual import events
from textual.widgets import Input


class QueryBox(Input):
    """An input that takes several lines for one: a sentence is often copied with the line ends of its page."""

    def on_paste(self, event: events.Paste) -> None:
        """All of what is pasted, its lines joined; the base class would take the first one alone."""
        event.prevent_default()
        event.stop()
        text = " ".join(event.text.split())
        start, end = sorted(self.selection)
        self.replace(text, start, end)
