"""A screen whose keys f1 explains, as it does on the search screen."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen


class HelpedScreen(Screen[None]):
    """The help is made from the bindings that are at work."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "help", "Help", tooltip="Keys", show=False, id="help")]

    @property
    def help_note(self) -> str:
        """What the help begins with, "" for the keys."""
        return ""

    def action_help(self) -> None:
        """Show it."""
        from searchkit_tui.widgets.help_screen import HelpScreen

        self.app.push_screen(HelpScreen(list(self.active_bindings.values()), self.help_note))
