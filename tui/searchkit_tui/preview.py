"""The passage of the selected hit."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from searchkit.types import Hit
from searchkit_tui.hit_content import heading, passage


class Preview(VerticalScroll, can_focus=False):
    """A hit in full: where it stands, why it is a hit, and the passage with its marks."""

    def compose(self) -> ComposeResult:
        """Heading above passage; the passage scrolls under the heading."""
        yield Static(id="preview-heading", markup=False)
        yield Static(id="preview-passage", markup=False)

    def show(self, hit: Hit) -> None:
        """Show another hit, from its beginning."""
        self.query_one("#preview-heading", Static).update(heading(hit))
        self.query_one("#preview-passage", Static).update(passage(hit))
        self.scroll_home(animate=False)
