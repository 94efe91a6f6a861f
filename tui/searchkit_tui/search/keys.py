"""The keys of the search screen. Footer, help, palette and the table [keys] of config.toml all go by these bindings.

An id names what a key does; the table [keys] gives it another key by that name. Keys have priority where the query box
has them for itself but no use for them.
"""

from textual.binding import Binding

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
    Binding("ctrl+y", "copy", "Copy", tooltip="Copy the passage with its source", show=False, id="copy", priority=True),
    Binding(
        "ctrl+t", "next_mode", "Mode", tooltip="By meaning and words, by meaning, by words", id="mode", priority=True
    ),
    Binding("ctrl+f", "filters", "Filters", tooltip="Choose types, folders and dates", id="filters", priority=True),
    Binding("ctrl+s", "similar", "Similar", tooltip="Passages like the hit", show=False, id="similar", priority=True),
    Binding("ctrl+up,alt+up", "history(-1)", "Earlier query", show=False, id="earlier", priority=True),
    Binding("ctrl+down,alt+down", "history(1)", "Later query", show=False, id="later", priority=True),
    Binding(
        "escape",
        "back",
        "Back",
        tooltip="Leave, stop or clear what was last; never quits",
        show=False,
        id="back",
    ),
    Binding("f2,ctrl+l", "collections", "Collections", tooltip="Add, watch, re-index, forget", id="collections"),
    Binding("f3,ctrl+g", "ask", "Ask", tooltip="Have the question answered from your files", show=False, id="ask"),
    Binding("ctrl+n", "index_folder", "Index a folder", tooltip="Make a folder searchable", show=False, id="index"),
    Binding("f1", "help", "Help", tooltip="Keys, and what a query may hold", id="help"),
]
# What is of no use in the palette: it needs the key held or pressed again.
MOVEMENTS = frozenset("up down page_up page_down preview_up preview_down earlier later back help".split())
