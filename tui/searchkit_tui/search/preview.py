"""The selected hit in its document, which keeps its place while nobody scrolls it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.scrollbar import ScrollTo
from textual.widget import Widget
from textual.widgets import Static

from searchkit.types import Hit, Note
from searchkit_tui.rendering.hit_content import heading, reasons

if TYPE_CHECKING:
    from searchkit_tui.rendering.document_content import DocumentContent

_LINES_ABOVE = 2  # shown before the passage, to show that there is more
_UP, _DOWN, _ANYWHERE = -1, 1, 0


class DocumentScroll(VerticalScroll, can_focus=False):
    """A scrolled document. Until the user scrolls, it keeps its place relative to one of its parts, however the layout changes."""

    class EndReached(Message):
        """The user has scrolled to the beginning (`is_above`) or the end, or tried to go beyond it."""

        def __init__(self, *, is_above: bool) -> None:
            super().__init__()
            self.is_above = is_above

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._part: Widget | None = None
        self._lines_below = 0.0

    def pin(self, part: Widget, lines_below: float) -> None:
        """Keep the line this far below the beginning of a part (above it, if negative) at the top."""
        self._part, self._lines_below = part, lines_below
        # A part that has changed asks for a new layout only when it is idle, which can be after the next refresh.
        self.call_later(self.call_after_refresh, self._scroll_to_pin)

    def lines_below(self, part: Widget) -> float:
        """Measure how far the top line is below the beginning of a part, as `pin` counts it."""
        return self._lines_below if part is self._part else self.scroll_offset.y - part.virtual_region.y

    def move(self, lines: int) -> None:
        """Scroll by lines, up if negative, as by a user's key."""
        self.scroll_relative(y=lines, animate=False)
        self._moved(_UP if lines < 0 else _DOWN)

    def watch_virtual_size(self) -> None:
        """Keep the place in a new layout."""
        self.call_after_refresh(self._scroll_to_pin)

    def on_mouse_scroll_up(self) -> None:
        """Note that the wheel was turned; here and below, the base class does the scrolling."""
        self._moved(_UP)

    def on_mouse_scroll_down(self) -> None:
        """Note that the wheel was turned."""
        self._moved(_DOWN)

    def on_scroll_to(self, _: ScrollTo) -> None:
        """Note that the scroll bar was dragged."""
        self._moved(_ANYWHERE)

    def _moved(self, direction: int) -> None:
        self._part = None
        self.call_after_refresh(self._check_ends, direction)

    def _check_ends(self, direction: int) -> None:
        if direction <= _ANYWHERE and self.scroll_offset.y <= 0:
            self.post_message(self.EndReached(is_above=True))
        if direction >= _ANYWHERE and self.scroll_offset.y >= self.max_scroll_y:
            self.post_message(self.EndReached(is_above=False))

    def _scroll_to_pin(self) -> None:
        if self._part is not None:
            top = self._part.virtual_region.y + self._lines_below
            self.scroll_to(y=max(0, top), animate=False, immediate=True)


class Preview(Vertical, can_focus=False):
    """A hit's place and the reasons for it, above its document, in which a bar marks the passage."""

    def __init__(self) -> None:
        super().__init__()
        self.shows_why = False

    def compose(self) -> ComposeResult:
        """Put the heading, which stays, and below it the reasons, where they are wanted, above the document, which scrolls."""
        yield Static(id="preview-heading", markup=False)
        with VerticalScroll(id="preview-why", can_focus=False):
            yield Static(id="preview-reasons", markup=False)
        with DocumentScroll(id="preview-document"):
            yield Static(id="preview-above", markup=False)
            yield Static(id="preview-passage", markup=False)
            yield Static(id="preview-below", markup=False)

    def show(self, hit: Hit, document: "DocumentContent", *, is_more: bool = False) -> None:
        """Show another hit, scrolled to its passage; or (`is_more`) more of the document around the same hit, which stays put."""
        scroll, passage = self.query_one(DocumentScroll), self.query_one("#preview-passage")
        lines_below = scroll.lines_below(passage) if is_more else -_LINES_ABOVE
        self.query_one("#preview-heading", Static).update(heading(hit))
        for name, content in (("above", document.above), ("passage", document.passage), ("below", document.below)):
            part = self.query_one(f"#preview-{name}", Static)
            part.display = bool(content.plain)
            part.update(content)
        scroll.pin(passage, lines_below)

    def explain(self, hit: Hit, among: Sequence[Hit], notes: Sequence[Note]) -> None:
        """Say why a hit stands where it does among others, if that is to be shown."""
        self.query_one("#preview-why").display = self.shows_why
        if self.shows_why:
            self.query_one("#preview-reasons", Static).update(reasons(hit, among, notes))

    def scroll_lines(self, lines: int) -> None:
        """Scroll, up if negative: the reasons while they go on, then the document."""
        why = self.query_one("#preview-why", VerticalScroll)
        if self.shows_why and (why.scroll_y > 0 if lines < 0 else why.scroll_y < why.max_scroll_y):
            why.scroll_relative(y=lines, animate=False)
        else:
            self.query_one(DocumentScroll).move(lines)
