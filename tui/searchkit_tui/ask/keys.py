"""The keys of the ask screen, by the names that the table [keys] of config.toml knows them by."""

from textual.binding import Binding

from searchkit_tui.ask.session import SOURCES

ASK_KEYS = [
    *(
        Binding(
            f"{number}",
            f"jump({number})",
            "Source" if number == 1 else f"Source {number}",
            tooltip="Read the passage of this number",
            key_display="1-9" if number == 1 else None,
            show=number == 1,
            id=f"ask_source_{number}",
        )
        for number in range(1, SOURCES + 1)
    ),
    Binding("l", "list_sources", "All sources", tooltip="The list of passages", id="ask_list"),
    Binding("o", "open_source", "Open", tooltip="Open the passage's file where it stands", id="ask_open"),
    Binding("slash", "edit", "Ask another", tooltip="Change the question", key_display="/", id="ask_edit"),
    Binding(
        "escape", "stop_or_back", "Stop, back", tooltip="Stop the answer, then leave", id="ask_back", priority=True
    ),
]
