"""The terminal UI as an application: its library, its screens, its keys, its look."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from searchkit.config import load_settings
from searchkit.home import Home
from searchkit.types import SearchMode
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.search.history import History
from searchkit_tui.search.keys import MOVEMENTS, SEARCH_KEYS
from searchkit_tui.search.screen import SearchScreen
from searchkit_tui.search.session import SearchSession
from searchkit_tui.settings.keymap import check_keys
from searchkit_tui.settings.look import keep_theme, kept_theme
from searchkit_tui.settings.opened_hits import OpenedHits

if TYPE_CHECKING:  # the engine is loaded when the box is there to type into
    from searchkit.library import Library

_APP_KEYS = [
    Binding("ctrl+q", "quit", "Quit", tooltip="Leave searchkit", id="quit", priority=True),
]
_MODES = {
    SearchMode.HYBRID: "Search by meaning and by words",
    SearchMode.SEMANTIC: "Search by meaning alone",
    SearchMode.LEXICAL: "Search by words alone",
}


class SearchApp(App[None]):
    """Search as you type over a library.

    `library`: stays its owner's to close once the app has ended; None for that of `home`, the user's own unless named,
    which is opened behind the first screen. `collections`: search these only; none for all. `mode`: the one to start in.
    `clock`: seconds, to measure searches. Raises ConfigError where config.toml makes no sense.
    """

    TITLE = "searchkit"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*_APP_KEYS]

    def __init__(
        self,
        library: "Library | None" = None,
        *,
        home: Home | None = None,
        collections: Sequence[str] = (),
        mode: SearchMode = SearchMode.HYBRID,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._home = library.home if library else home or Home.default()
        settings = load_settings(self._home)
        if settings.keys:
            check_keys(settings.keys, _names_of_keys())
            self.set_keymap({name: keys.replace(" ", "") for name, keys in settings.keys.items()})
        self._session = SearchSession(library, collections, home=self._home, clock=clock)
        self._history = History(self._home if settings.history else None)
        self._opened = OpenedHits(self._home if settings.keep_opened else None, self._tell_unkept)
        self._start_mode = mode
        if (theme := kept_theme(self._home)) in self.available_themes:
            self.theme = theme

    def get_default_screen(self) -> SearchScreen:
        """Searching is what it starts with."""
        return SearchScreen(self._session, self._start_mode, self._history, self._opened)

    def on_mount(self) -> None:
        """From here on a new theme is the user's choice."""
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))

    def on_unmount(self) -> None:
        """What the session has opened by itself."""
        self._session.close()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: the actions of the screen's bindings, the modes, the themes."""
        offered = {active.binding.action: active.binding for active in screen.active_bindings.values()}
        for binding in offered.values():
            if binding.id and binding.id not in MOVEMENTS and binding.description:
                key = self.get_key_display(binding)
                help_text = f"{binding.tooltip or binding.description} ({key})"
                yield SystemCommand(binding.description, help_text, partial(screen.run_action, binding.action))
        if isinstance(screen, SearchScreen):
            for mode, title in _MODES.items():
                yield SystemCommand(title, f"Mode: {mode}", partial(screen.action_mode, mode.value))
        yield SystemCommand("Theme", "Choose the colours, light or dark; they are kept", self.action_change_theme)
        if show_help := getattr(screen, "action_help", None):
            yield SystemCommand("Help", "Keys, and what a query may hold", show_help)
        yield SystemCommand("Screenshot", "Save a picture of the screen as SVG", self.deliver_screenshot)

    def _tell_unkept(self, reason: str) -> None:
        told = visible(f"What you open is not kept: {reason}", one_line=True)
        self.notify(told, severity="warning", timeout=8, markup=False)

    def _keep_theme(self, theme: str) -> None:
        try:
            keep_theme(self._home, theme)
        except OSError as error:
            self.notify(f"The theme is not kept: {error.strerror}", severity="warning", markup=False)


def _names_of_keys() -> list[str]:
    """All that can have other keys, of all screens."""
    from searchkit_tui.ask.keys import ASK_KEYS
    from searchkit_tui.collections.keys import ALL_KEYS

    return list(dict.fromkeys(str(binding.id) for binding in (*SEARCH_KEYS, *_APP_KEYS, *ALL_KEYS, *ASK_KEYS)))
