"""What scrolls in the preview: a document, held at a line while nobody scrolls it."""

from textual.containers import VerticalScroll
from textual.message import Message
from textual.scrollbar import ScrollTo
from textual.widget import Widget

_UP, _DOWN, _ANYWHERE = -1, 1, 0


class DocumentScroll(VerticalScroll, can_focus=False):
    """Stays where it was put, relative to one of its parts, also when the width or the parts change around it, until the
    user scrolls it."""

    class EndReached(Message):
        """The user has scrolled to the beginning, or tried to go beyond it (`is_above`), or to the end."""

        def __init__(self, *, is_above: bool) -> None:
            super().__init__()
            self.is_above = is_above

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._part: Widget | None = None
        self._lines_below = 0.0

    def hold(self, part: Widget, lines_below: float) -> None:
        """Show what is so many lines below the beginning of a part at the top (above it, for a negative number)."""
        self._part, self._lines_below = part, lines_below
        # A part that has changed asks for a new layout only when it is idle, which can be after the next refresh.
        self.call_later(self.call_after_refresh, self._go_there)

    def lines_below(self, part: Widget) -> float:
        """Where it stands now, in the terms of `hold`."""
        return self._lines_below if part is self._part else self.scroll_offset.y - part.virtual_region.y

    def move(self, lines: int) -> None:
        """Scroll by so many lines, up for a negative number, as a user's key asks for."""
        self.scroll_relative(y=lines, animate=False)
        self._moved(_UP if lines < 0 else _DOWN)

    def watch_virtual_size(self) -> None:
        """There is a new layout."""
        self.call_after_refresh(self._go_there)

    def on_mouse_scroll_up(self) -> None:
        """The wheel; here and below, the base class does the scrolling."""
        self._moved(_UP)

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self._moved(_DOWN)

    def on_scroll_to(self, _: ScrollTo) -> None:
        """The scroll bar is dragged."""
        self._moved(_ANYWHERE)

    def _moved(self, direction: int) -> None:
        self._part = None
        self.call_after_refresh(self._look_at_ends, direction)

    def _look_at_ends(self, direction: int) -> None:
        if direction <= _ANYWHERE and self.scroll_offset.y <= 0:
            self.post_message(self.EndReached(is_above=True))
        if direction >= _ANYWHERE and self.scroll_offset.y >= self.max_scroll_y:
            self.post_message(self.EndReached(is_above=False))

    def _go_there(self) -> None:
        if self._part is not None:
            top = self._part.virtual_region.y + self._lines_below
            self.scroll_to(y=max(0, top), animate=False, immediate=True)
