"""The box that a query or a question is typed or pasted into."""

from textual import events
from textual.widgets import Input


class QueryBox(Input):
    """An input that joins pasted lines: a sentence is often copied with the line ends of its page."""

    async def on_key(self, event: events.Key) -> None:
        """Run the box's own keys (backspace, arrows) at once: by way of the app they would act after letters typed behind them."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            event.prevent_default()
            event.stop()
            await self.run_action(binding.action)
            return

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
