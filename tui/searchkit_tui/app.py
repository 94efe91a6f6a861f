"""The terminal UI as an application: its library, its screens, its look."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from searchkit.library import Library
from searchkit.types import SearchMode
from searchkit_tui.search_screen import SearchScreen
from searchkit_tui.search_session import SearchSession


class SearchApp(App[None]):
    """Search as you type over a library, which stays its owner's to close once the app has ended.

    `collections`: search these only; none for all. `mode`: the one to start in.
    """

    TITLE = "searchkit"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", priority=True)]

    def __init__(
        self, library: Library, *, collections: Sequence[str] = (), mode: SearchMode = SearchMode.HYBRID
    ) -> None:
        super().__init__()
        self._session = SearchSession(library, collections)
        self._start_mode = mode

    def get_default_screen(self) -> SearchScreen:
        """Searching is what it starts with."""
        return SearchScreen(self._session, self._start_mode)
