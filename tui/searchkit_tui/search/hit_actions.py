"""What can be done with the selected hit, or with several that are marked: open, read, copy, print on leaving."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.screen import Screen

from searchkit.display import plural
from searchkit_tui.rendering.hit_content import citation, copied
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.results_pane import ResultsPane
from searchkit_tui.settings.keys import HIT_ACTIONS, key_of
from searchkit_tui.widgets.dialogs import Choose, Confirm
from searchkit_tui.widgets.open_hit import Answer, HitOpener, OpenedHits

if TYPE_CHECKING:  # the engine is loaded when the box is ready to type into
    from searchkit import Library

_MANY = 8  # programs or windows, above which one is asked first
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STEP = 1  # to the hit below, as the next one is often wanted too


class HitActions:
    """The actions of a screen on its hits.

    `open_library`: the library they come from. `opened`: where hits that are opened or copied are noted. `leave`: ends the UI
    with the paths of files.
    """

    def __init__(
        self,
        screen: Screen[None],
        results: ResultsPane,
        open_library: "Callable[[], Library]",
        opened: OpenedHits,
        leave: Callable[[Sequence[Path]], None],
    ) -> None:
        self._screen = screen
        self._results = results
        self._open_library = open_library
        self._opened = opened
        self._leave = leave

    @property
    def chosen(self) -> list[Answer]:
        """The marked hits with their queries, in the order of marking; without any, the selected one."""
        hit = self._results.selected_hit
        return list(self._results.marked.values()) or ([(hit, self._results.answered_query)] if hit else [])

    @property
    def paths(self) -> list[Path]:
        """The files of the chosen hits, each once."""
        return list(dict.fromkeys(hit.path for hit, _ in self.chosen))

    def run(self, name: str) -> None:
        """Run one of HIT_ACTIONS on the chosen hits; without hits, nothing."""
        actions: Mapping[str, Callable[[], None]] = {
            "open": self.open,
            "read": lambda: self._opener.read(self.chosen),
            "folder": lambda: self._opener.open_folders([hit for hit, _ in self.chosen]),
            "copy": lambda: self._copy("\n".join(copied(hit) for hit, _ in self.chosen), "Copied with its source"),
            "copy_path": lambda: self._copy("\n".join(map(pasted_path, self.paths)), "Path copied"),
            "copy_citation": lambda: self._copy("\n".join(citation(hit) for hit, _ in self.chosen), "Citation copied"),
            "print": lambda: self._leave(self.paths),
        }
        if self.chosen:
            actions[name]()

    def open(self) -> None:
        """Open the chosen hits; ask first where there are many."""
        count = len(self.chosen)
        if count <= _MANY:
            self._opener.open(self.chosen)
            return

        def done(answer: bool | None) -> None:
            if answer:
                self._opener.open(self.chosen)

        text = "Each may open in a program or a window of its own."
        self._screen.app.push_screen(Confirm(f"Open {plural(count, 'hit')}?", text, "Open them", no="Don't"), done)

    def choose(self) -> None:
        """Show all actions with their keys, and run the one that is chosen."""
        if not (chosen := self.chosen):
            return
        offered = {each.name: each for each in HIT_ACTIONS if not (each.of_screen and self._results.marked)}
        if not chosen[0][0].alike:
            offered.pop("alike", None)

        def run(name: str | None) -> None:
            if name and (action := offered[name].of_screen):
                self._screen.call_next(self._screen.run_action, action)
            elif name:
                self.run(name)

        what = plural(len(chosen), "marked hit") if self._results.marked else chosen[0][0].path.name
        titles = {name: each.of_several if len(chosen) > 1 else each.title for name, each in offered.items()}
        choices = [(name, _entry(titles[name], key_of(self._screen, each.key))) for name, each in offered.items()]
        self._screen.app.push_screen(Choose(visible(what, one_line=True), "", choices), run)

    def toggle_mark(self) -> None:
        """Mark the selected hit, or take its mark away, and go to the next."""
        self._results.toggle_mark()
        self._results.select(_STEP)

    @property
    def _opener(self) -> HitOpener:
        return HitOpener(self._screen.app, self._open_library(), self._opened)

    def _copy(self, text: str, title: str) -> None:
        """Copy through the terminal (OSC 52), so also over SSH."""
        self._screen.app.copy_to_clipboard(text)
        for hit, query in self.chosen:
            self._opened.note(query, hit)
        names = [visible(path.name, one_line=True) for path in self.paths]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self._screen.notify(f"{names[0]}{more}", title=title, timeout=2, markup=False)


def pasted_path(path: Path) -> str:
    """A path to paste; one with control characters, which could end a command line, as a quoted word of a shell."""
    text = str(path)
    if not _CONTROL.search(text):
        return text
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    escaped = _CONTROL.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in found.group().encode()), plain)
    return f"$'{escaped.encode('utf-8', 'replace').decode()}'"


def _entry(title: str, key: str) -> Content:
    return Content.assemble(f"{title:<44} ", (key, "$text-primary"))
