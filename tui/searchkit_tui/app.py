"""The terminal UI as an application: its library, its jobs, its screens, its keys, its theme."""

import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.driver import Driver
from textual.screen import Screen

from searchkit import Home
from searchkit.config import load_settings
from searchkit.display import ProgressLines
from searchkit.reports import listen_to_upgrades
from searchkit.types import SearchMode
from searchkit_tui.jobs.job import Job, JobKind
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.screen import SearchScreen
from searchkit_tui.search.session import SearchSession
from searchkit_tui.settings.keys import APP_KEYS, ASK_KEYS, MOVEMENTS, SEARCH_KEYS, check_keys
from searchkit_tui.settings.saved_state import History, load_theme, save_theme
from searchkit_tui.widgets.help_screen import ScreenWithHelp
from searchkit_tui.widgets.open_hit import OpenedHits

if TYPE_CHECKING:  # the engine is loaded when the box is ready to type into
    from searchkit import Library

_MODES = {
    SearchMode.HYBRID: "Search by meaning and by words",
    SearchMode.SEMANTIC: "Search by meaning alone",
    SearchMode.LEXICAL: "Search by words alone",
}
_TERMINAL_DRIVER = "textual.drivers.linux_driver"  # also that of macOS
_LIGHT_THEME, _DARK_THEME = "textual-light", "textual-dark"


class SearchApp(App[tuple[Path, ...]]):
    """Search as you type over a library.

    `library`: its owner closes it after the app has ended; None for the one in `home` (None: the user's own), which is
    opened while the first screen is shown. `collections`: search only these; none for all. `mode`: the one to start in. `clock`:
    seconds, to measure searches. Raises ConfigError for an invalid config.toml.

    `jobs`: the work in the background, shared by all screens. It ends with the paths that the user has left to be printed;
    `prints`: the key that opens chooses them.
    """

    TITLE = "searchkit"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*APP_KEYS]

    def __init__(
        self,
        library: "Library | None" = None,
        *,
        home: Home | None = None,
        collections: Sequence[str] = (),
        mode: SearchMode = SearchMode.HYBRID,
        prints: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._home = library.home if library else home or Home.default()
        settings = load_settings(self._home)
        if settings.keys:
            check_keys(settings.keys, _names_of_keys())
            self.set_keymap({name: keys.replace(" ", "") for name, keys in settings.keys.items()})
        self.jobs = JobRunner(lambda: self._session.library, self._spawn, self._announce)
        self._session = SearchSession(library, collections, home=self._home, clock=clock)
        self._history = History(self._home if settings.history else None)
        self._opened = OpenedHits(self._home if settings.keep_opened else None, self._show_unkept)
        self._start_mode = mode
        self._prints = prints
        self._is_quitting = False
        self._left_undone: list[str] = []
        self._typed_early: list[events.Event] | None = []  # until there is a box to type into
        self._has_chosen_theme = (theme := load_theme(self._home)) in self.available_themes
        if self._has_chosen_theme:
            self.theme = theme
        self._chosen_theme = self.theme

    def get_driver_class(self) -> type[Driver]:
        """Have the usual driver ask what background the terminal has, where there is a terminal that may know."""
        usual = super().get_driver_class()
        if sys.platform == "win32" or usual.__module__ != _TERMINAL_DRIVER:
            return usual
        from searchkit_tui.settings.terminal_driver import TerminalDriver

        return TerminalDriver

    @property
    def follows_terminal(self) -> bool:
        """False if the user has chosen a theme, or no colours."""
        return not self._has_chosen_theme and not self.no_color

    def show_background(self, *, is_light: bool) -> None:
        """Suit the terminal's background, unless the user has chosen a theme."""
        if self.follows_terminal:
            self.theme = self._chosen_theme = _LIGHT_THEME if is_light else _DARK_THEME

    def get_default_screen(self) -> SearchScreen:
        """Start with the search screen."""
        return SearchScreen(
            self._session, self._start_mode, self._history, self._opened, self.jobs, prints=self._prints
        )

    async def action_quit(self) -> None:
        """Quit; while there is work in the background, ask first, and say what becomes of it."""
        undone = self._undone()
        if not undone or self._is_quitting:
            self._left_undone = undone
            self.exit()
            return
        from searchkit_tui.widgets.dialogs import Confirm

        def done(answer: bool | None) -> None:
            self._is_quitting = False
            if answer:
                self._left_undone = self._undone()
                self.exit()

        self._is_quitting = True
        self.push_screen(Confirm("Quit now?", "\n\n".join(undone), "Quit", no="Stay"), done)

    @property
    def left_undone(self) -> list[str]:
        """What was under way when the user quit, with how it goes on."""
        return self._left_undone

    def _undone(self) -> list[str]:
        going = [job for job in self.jobs.active if job.kind is not JobKind.WATCH]
        if not going:
            return []
        from searchkit_tui.jobs.notices import left_undone  # loads the engine, as the job has

        return [left_undone(job) for job in going]

    async def on_event(self, event: events.Event) -> None:
        """Hold back what is typed or pasted before there is a box for it."""
        if self._typed_early is not None and isinstance(event, events.Key | events.Paste):
            self._typed_early.append(event)
        else:
            await super().on_event(event)

    async def on_ready(self) -> None:
        """Type what was held back, before the keys that wait behind this message."""
        early, self._typed_early = self._typed_early or [], None
        for event in early:
            await super().on_event(event)

    def on_mount(self) -> None:
        """Show what upgrades do."""
        listen_to_upgrades(ProgressLines(lambda line: self.notify(line, timeout=8, markup=False)))

    def on_unmount(self) -> None:
        """Close what the session has opened."""
        self._session.close()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """List the commands of the palette: the actions of the screen's bindings, the modes, the themes."""
        offered = {active.binding.action: active.binding for active in screen.active_bindings.values()}
        for binding in offered.values():
            if binding.id and binding.id not in MOVEMENTS and binding.description:
                key = self.get_key_display(binding)
                help_text = f"{binding.tooltip or binding.description} ({key})"
                yield SystemCommand(binding.description, help_text, partial(screen.run_action, binding.action))
        if isinstance(screen, SearchScreen):
            for mode, title in _MODES.items():
                yield SystemCommand(title, f"Mode: {mode}", partial(screen.action_mode, mode.value))
        for name, theme in self.available_themes.items():
            kind = "Dark" if theme.dark else "Light"
            yield SystemCommand(f"{kind} theme: {name}", "Kept for the next time", partial(self.choose_theme, name))
        if isinstance(screen, SearchScreen | ScreenWithHelp):
            yield SystemCommand("Help", "Keys and query syntax", screen.action_help)
        yield SystemCommand("Screenshot", "Save a picture of the screen as SVG", self.deliver_screenshot)

    @on(CommandPalette.OptionHighlighted)
    def _preview_theme(self, highlighted: CommandPalette.OptionHighlighted) -> None:
        """Show a theme while its command is under the cursor, and the chosen one otherwise."""
        title = str(highlighted.highlighted_event.option.prompt).partition("\n")[0]
        name = title.partition(" theme: ")[2].strip()
        self.theme = name if name in self.available_themes else self._chosen_theme

    @on(CommandPalette.Closed)
    def _end_preview(self, closed: CommandPalette.Closed) -> None:
        if not closed.option_selected:
            self.theme = self._chosen_theme

    def choose_theme(self, name: str) -> None:
        """Use a theme from now on, and in the next session."""
        self.theme = self._chosen_theme = name
        self._has_chosen_theme = True
        self._save_theme(name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> object:
        return self.run_worker(work, group="jobs", exit_on_error=False)

    def _announce(self, job: Job) -> None:
        from searchkit_tui.jobs.notices import announce  # loads the engine, as the job has

        announce(self, lambda: self._session.library, job)

    def _show_unkept(self, reason: str) -> None:
        message = visible(f"What you open is not recorded: {reason}", one_line=True)
        self.notify(message, severity="warning", timeout=8, markup=False)

    def _save_theme(self, theme: str) -> None:
        try:
            save_theme(self._home, theme)
        except OSError as error:
            self.notify(f"The theme could not be saved: {error.strerror}", severity="warning", markup=False)


def _names_of_keys() -> list[str]:
    """List the names of all keys that can be changed, of all screens."""
    from searchkit_tui.collections.keys import ALL_KEYS  # not needed to start

    return list(dict.fromkeys(str(binding.id) for binding in (*SEARCH_KEYS, *APP_KEYS, *ALL_KEYS, *ASK_KEYS)))
