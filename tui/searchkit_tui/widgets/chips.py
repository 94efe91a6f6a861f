"""The demands of the query, as they were understood."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from searchkit_tui.rendering.rewriting import visible

_CHIP_STYLE = "$foreground on $panel"


class Chips(Static):
    """`[type: pdf]  [since 2025-01-01]`: not there at all while the query demands nothing."""

    def show(self, demands: Sequence[str]) -> None:
        """Show these, in place of what was shown."""
        self.display = bool(demands)
        chips = [Content.assemble((f"[{visible(each, one_line=True)}]", _CHIP_STYLE)) for each in demands]
        self.update(Content("  ").join(chips))
