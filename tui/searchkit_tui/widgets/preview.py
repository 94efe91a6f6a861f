"""The selected hit in its document."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from searchkit.types import Hit
from searchkit_tui.rendering.hit_content import heading
from searchkit_tui.widgets.document_scroll import DocumentScroll

if TYPE_CHECKING:
    from searchkit_tui.rendering.document_content import DocumentContent

_LINES_ABOVE = 2  # of what comes before the passage: it shows that there is something


class Preview(Vertical, can_focus=False):
    """Where a hit stands and why it is one, and below it the passage, marked at its edge, in its document."""

    def compose(self) -> ComposeResult:
        """The heading stays while the document scrolls under it."""
        yield Static(id="preview-heading", markup=False)
        with DocumentScroll(id="preview-document"):
            yield Static(id="preview-above", markup=False)
            yield Static(id="preview-passage", markup=False)
            yield Static(id="preview-below", markup=False)

    def show(self, hit: Hit, document: "DocumentContent", *, is_more: bool = False) -> None:
        """Show another hit, scrolled to its passage; or more of the document around the same one, which stays in place."""
        scroll, passage = self.query_one(DocumentScroll), self.query_one("#preview-passage")
        lines_below = scroll.lines_below(passage) if is_more else -_LINES_ABOVE
        self.query_one("#preview-heading", Static).update(heading(hit))
        for name, content in (("above", document.above), ("passage", document.passage), ("below", document.below)):
            part = self.query_one(f"#preview-{name}", Static)
            part.display = bool(content.plain)
            part.update(content)
        scroll.hold(passage, lines_below)

    def clear(self) -> None:
        """Show nothing."""
        for static in self.query(Static):
            static.update(Content(""))

    def scroll_lines(self, lines: int) -> None:
        """Scroll the document, up for a negative number."""
        self.query_one(DocumentScroll).move(lines)
