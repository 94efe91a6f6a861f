"""The keys of the screens, and those that the user has chosen instead.

Footer, help, palette and the table [keys] of config.toml are all made from these bindings.

The id of a binding names what its key does; the table [keys] gives it another key by that name. Keys of the search screen have
priority where the query box would take them but has no use for them. The keys of the collections screen are in
collections/keys.py, with the actions that they run.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.keys import Keys
from textual.screen import Screen

from searchkit.errors import ConfigError

_TABLE = "config.toml, [keys]"
_SHORTER = {"escape": "Esc"}
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super"})

SOURCES = 9  # of an answer: one for each key

APP_KEYS = [
    Binding("ctrl+q", "quit", "Quit", tooltip="Leave searchkit", id="quit", priority=True),
]
SEARCH_KEYS = [
    Binding(
        "enter", "open", "Open", tooltip="Open the hit in your editor or the system's viewer", id="open", priority=True
    ),
    Binding("up", "select(-1)", "Hit above", show=False, id="up", priority=True),
    Binding("down", "select(1)", "Hit below", show=False, id="down", priority=True),
    Binding("pageup", "select_page(-1)", "Hits a page up", show=False, id="page_up", priority=True),
    Binding("pagedown", "select_page(1)", "Hits a page down", show=False, id="page_down", priority=True),
    Binding(
        "tab",
        "next_view",
        "Document or passage",
        tooltip="Show the passage in its document, or alone",
        show=False,
        id="view",
        priority=True,
    ),
    Binding("shift+up", "scroll_preview(-3)", "Scroll the preview up", show=False, id="preview_up", priority=True),
    Binding("shift+down", "scroll_preview(3)", "Scroll the preview down", show=False, id="preview_down", priority=True),
    Binding(
        "ctrl+o",
        "toggle_preview",
        "Preview",
        tooltip="Show or hide the preview",
        show=False,
        id="preview",
        priority=True,
    ),
    Binding(
        "ctrl+y",
        "hit('copy')",
        "Copy",
        tooltip="Copy the passage with its source",
        show=False,
        id="copy",
        priority=True,
    ),
    *(
        Binding(key, f"hit('{name}')", title, tooltip=tooltip, show=False, id=name, priority=True)
        for key, name, title, tooltip in (
            ("alt+t", "read", "Read the text", "Show the text of the document in your pager"),
            ("alt+o", "folder", "Open the folder", "Show the file in its folder"),
            ("alt+y", "copy_path", "Copy the path", "Copy the path of the file"),
            ("alt+c", "copy_citation", "Copy the citation", "Copy heading, file and page or line"),
            ("alt+w", "print", "Quit and print", "Leave, and print the path of the file"),
        )
    ),
    Binding(
        "shift+tab",
        "mark",
        "Mark",
        tooltip="Mark the hit, to open, copy or print several",
        show=False,
        id="mark",
        priority=True,
    ),
    Binding(
        "alt+m",
        "toggle_alike",
        "More like it",
        tooltip="List the hits that say the same, or fold them again",
        show=False,
        id="alike",
        priority=True,
    ),
    Binding(
        "f4,ctrl+r",
        "hit_actions",
        "Actions",
        tooltip="Everything that can be done with the hit",
        id="actions",
        show=False,
        priority=True,
    ),
    Binding(
        "ctrl+t",
        "next_mode",
        "Mode",
        tooltip="Search by meaning and words, by meaning, or by words",
        show=False,
        id="mode",
        priority=True,
    ),
    Binding("ctrl+f", "filters", "Filters", tooltip="Choose types, folders and dates", id="filters", priority=True),
    Binding(
        "ctrl+s",
        "similar",
        "Similar",
        tooltip="Find passages like the selected one",
        show=False,
        id="similar",
        priority=True,
    ),
    Binding(
        "alt+e",
        "toggle_why",
        "Why this hit",
        tooltip="Show what the hit's rank is made of",
        show=False,
        id="why",
        priority=True,
    ),
    Binding("ctrl+up,alt+up", "history(-1)", "Earlier query", show=False, id="earlier", priority=True),
    Binding("ctrl+down,alt+down", "history(1)", "Later query", show=False, id="later", priority=True),
    Binding(
        "escape",
        "back",
        "Back",
        tooltip="Go back: leave, stop or clear; never quits",
        show=False,
        id="back",
    ),
    Binding("f2,ctrl+l", "collections", "Collections", tooltip="Add, watch, re-index, forget", id="collections"),
    Binding("f3,ctrl+g", "ask", "Ask", tooltip="Answer the question from your files", id="ask"),
    Binding("ctrl+n", "index_folder", "Index a folder", tooltip="Make a folder searchable", show=False, id="index"),
    Binding("f1", "help", "Help", tooltip="Keys and query syntax", id="help"),
]


@dataclass(frozen=True, slots=True)
class HitAction:
    """Something to do with hits. `key`: the name of the binding that does it. `of_screen`: the screen's action, which is on the
    selected hit alone. `of_several`: the title where several hits are marked.
    """

    name: str
    title: str
    key: str
    of_screen: str = ""
    of_several: str = ""


HIT_ACTIONS = (
    HitAction("open", "Open the file where the hit is", "open", of_several="Open the files where the hits are"),
    HitAction(
        "read",
        "Read the text of the document in your pager",
        "read",
        of_several="Read the documents' text in your pager",
    ),
    HitAction("folder", "Open the folder", "folder", of_several="Open the folders"),
    HitAction("copy", "Copy the passage with its source", "copy", of_several="Copy the passages with their sources"),
    HitAction("copy_path", "Copy the path", "copy_path", of_several="Copy the paths"),
    HitAction("copy_citation", "Copy the citation", "copy_citation", of_several="Copy the citations"),
    HitAction("print", "Quit, and print the path", "print", of_several="Quit, and print the paths"),
    HitAction("similar", "Find passages like it", "similar", "similar"),
    HitAction("why", "Show why it stands where it does", "why", "toggle_why"),
    HitAction("alike", "List the hits that say the same, or fold them", "alike", "toggle_alike"),
)
# Actions of no use in the palette, as their keys are held or pressed again and again.
MOVEMENTS = frozenset("up down page_up page_down preview_up preview_down earlier later back help mark".split())
ASK_KEYS = [
    *(
        Binding(
            f"{number}",
            f"jump({number})",
            "Source" if number == 1 else f"Source {number}",
            tooltip="Read the passage with this number",
            key_display="1-9" if number == 1 else None,
            show=number == 1,
            id=f"ask_source_{number}",
        )
        for number in range(1, SOURCES + 1)
    ),
    Binding("l", "list_sources", "All sources", tooltip="Show the list of passages", id="ask_list"),
    Binding("o", "open_source", "Open", tooltip="Open the file at the passage", id="ask_open"),
    Binding("ctrl+up,alt+up", "history(-1)", "Earlier question", show=False, id="earlier", priority=True),
    Binding("ctrl+down,alt+down", "history(1)", "Later question", show=False, id="later", priority=True),
    Binding("slash", "edit", "Ask another", tooltip="Change the question", key_display="/", id="ask_edit"),
    Binding(
        "escape", "stop_or_back", "Stop, back", tooltip="Stop the answer, then leave", id="ask_back", priority=True
    ),
]
TUNE_KEYS = [
    Binding("ctrl+r", "measure", "Measure", tooltip="Measure the indexes again", id="tune_measure", priority=True),
    Binding("s", "set_cheapest", "Set cheapest", tooltip="Use the cheapest that finds enough", id="tune_set"),
    Binding(
        "a", "set_automatic", "Automatic", tooltip="Use the index that suits its size", show=False, id="tune_automatic"
    ),
    Binding(
        "j", "begin_judged", "Judged queries", tooltip="Begin a file of judged queries", show=False, id="tune_judged"
    ),
    Binding("c", "cancel", "Cancel", tooltip="Stop measuring", id="tune_cancel"),
    Binding("escape", "back", "Back", tooltip="Leave; measuring continues", id="tune_back"),
]
SET_SELECTED = Binding(
    "enter", "select_cursor", "Set selected", tooltip="Use the index under the cursor", id="tune_set_selected"
)
EVALUATION_KEYS = [
    Binding("m", "next_metric", "Next metric", tooltip="Show the next metric", id="evaluation_metric"),
    Binding("escape", "back", "Back", tooltip="Leave", id="evaluation_back"),
]


def check_keys(keys: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise ConfigError for an unknown name or key, or for one key given to two names."""
    taken: dict[str, str] = {}
    for name, pressed in keys.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Choose from: {', '.join(names)}."
            raise ConfigError(f"{_TABLE}: nothing is named {name!r}.{hint}")
        for key in pressed.replace(" ", "").split(","):
            if not _is_key(key):
                raise ConfigError(f"{_TABLE}: {name}: there is no key {key!r}. Examples of keys: ctrl+j, f5, alt+o.")
            if taken.setdefault(key, name) != name:
                raise ConfigError(
                    f"{_TABLE}: {key} is given to both {taken[key]} and {name}. Choose another key for one of them."
                )


def key_of(screen: Screen[Any], name: str) -> str:
    """Find the first key with this name in the table [keys], as in `Ctrl+N`; the name itself if no key has it."""
    found = (active.binding for active in screen.active_bindings.values() if active.binding.id == name)
    return next((spelled(binding.key) for binding in found), name)


def spelled(key: str) -> str:
    """Write `ctrl+n` as keyboards do: `Ctrl+N`. A letter alone stays small: it is pressed without shift."""
    if len(key) == 1:
        return key
    return "+".join(_SHORTER.get(part, part.replace("_", " ").capitalize()) for part in key.split("+"))


def _is_key(key: str) -> bool:
    """True if a terminal can send it: a named key or a character, possibly with ctrl, alt or shift."""
    *modifiers, last = key.split("+")
    known = {each.value for each in Keys}
    return set(modifiers) <= _MODIFIERS and (len(last) == 1 or last in known)
