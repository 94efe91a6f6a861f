"""The list of hits."""

from collections.abc import Sequence

from textual.widgets import OptionList
from textual.widgets.option_list import Option

from searchkit.types import Hit
from searchkit_tui.hit_content import entry


class ResultList(OptionList, can_focus=False):
    """Hits, best first, one of them selected. It never takes the focus: keys come from the screen."""

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self.hits: tuple[Hit, ...] = ()

    def show(self, hits: Sequence[Hit]) -> None:
        """Replace all hits and select the first."""
        self.hits = tuple(hits)
        self.set_options(Option(entry(hit)) for hit in hits)
        self.highlighted = 0 if hits else None

    @property
    def selected_hit(self) -> Hit | None:
        """The hit under the cursor, None if there are no hits."""
        return None if self.highlighted is None else self.hits[self.highlighted]

    def select_next(self, step: int) -> None:
        """Move the selection down, or up for a negative step; it stops at either end."""
        if self.highlighted is not None:
            self.highlighted = min(max(self.highlighted + step, 0), len(self.hits) - 1)
