"""The help, made from the active bindings, so that it is right whatever keys the user has chosen."""

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from searchkit_tui.widgets.dialogs import Dialog

_KEY_STYLE = "bold $text-primary"
_KEY_CELLS = 26
_LEAST_TEXT_CELLS = 12
_UNEXPLAINED = frozenset({"ctrl+c", "super+c"})
_MOVES_FOCUS = "app.focus_previous"
_QUERIES = (
    ('"notice period"', "must occur as written"),
    ('-draft  -"first draft"', "must not occur"),
    ("type:pdf,md  -type:code", "file types, or suffixes"),
    ("path:reports/*.md", "the path below the indexed folder"),
    ("folder:notes", "in a folder of that name, at any depth"),
    ('from:anna  to:"Max Weber"', "mail by a name or address, or a part of one"),
    ("subject:invoice  has:attachment", "mail with words in its subject, or with files"),
    ("since:2025-03  until:2w", "the document's date: 2025, 2025-03-01, 7d, 2w, 3m, 1y"),
)


class HelpScreen(Dialog[None]):
    """A note, if there is one, then keys, then the syntax of queries, then the keys of the query box."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,enter,q", "close", "Close", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
        Binding("down", "scroll(1)", "Down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", show=False),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False),
    ]

    def __init__(self, bindings: Sequence[ActiveBinding], note: str = "") -> None:
        super().__init__()
        self._bindings_shown = bindings
        self._note = note
        self._text_cells = _LEAST_TEXT_CELLS

    def compose(self) -> ComposeResult:
        """Lay out one text that scrolls."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            yield Static(id="help", markup=False)

    def on_resize(self) -> None:
        """Wrap texts beside their keys, not below them."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        text = self.query_one("#help", Static)
        self._text_cells = max(text.size.width - _KEY_CELLS, _LEAST_TEXT_CELLS)
        text.update(self._text())

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines, up if negative."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _text(self) -> Content:
        keys = [self._line(active) for active in _each_once(self._bindings_shown) if not isinstance(active.node, Input)]
        editing = [self._line(active) for active in _each_once(self._bindings_shown) if isinstance(active.node, Input)]
        queries = [self._row(form, meaning) for form, meaning in _QUERIES]
        sections = (("Keys", keys), ("Query syntax", queries), ("Keys of the query box", editing))
        parts = [
            Content("\n").join([Content.assemble((f"{title}\n", "bold underline")), *lines])
            for title, lines in sections
        ]
        config = Content("Keys can be changed in config.toml, in the table [keys]; see docs/tui.md.")
        notes = [Content(self._note)] if self._note else []
        return Content("\n\n").join([*notes, *parts, config])

    def _line(self, active: ActiveBinding) -> Content:
        same = [each.binding for each in self._bindings_shown if _action(each) == _action(active)]
        keys = " or ".join(dict.fromkeys(self.app.get_key_display(binding) for binding in same))
        return self._row(keys, active.binding.tooltip or active.binding.description)

    def _row(self, left: str, right: str) -> Content:
        gap = "  " if len(left) >= _KEY_CELLS else " " * (_KEY_CELLS - len(left))
        lines = textwrap.wrap(right, self._text_cells)
        return Content.assemble((left, _KEY_STYLE), gap, f"\n{' ' * _KEY_CELLS}".join(lines))


class ScreenWithHelp(Screen[None]):
    """A screen that explains its keys on f1."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "help", "Help", tooltip="Keys", show=False, id="help")]

    @property
    def help_note(self) -> str:
        """The beginning of the help, above the keys; "" for none."""
        return ""

    def action_help(self) -> None:
        """Show the help."""
        show_help(self, self.help_note)


def show_help(screen: Screen[Any], note: str) -> None:
    """Show the help of a screen."""
    screen.app.push_screen(HelpScreen(list(screen.active_bindings.values()), note))


def _each_once(bindings: Sequence[ActiveBinding]) -> list[ActiveBinding]:
    """Keep the first binding of each action that needs an explanation."""
    explained = [
        each
        for each in bindings
        if each.binding.description and each.binding.key not in _UNEXPLAINED and each.binding.action != _MOVES_FOCUS
    ]
    return list({_action(each): each for each in reversed(explained)}.values())[::-1]


def _action(active: ActiveBinding) -> tuple[object, str]:
    """Identify an action by its node and its name."""
    return active.node, active.binding.action
