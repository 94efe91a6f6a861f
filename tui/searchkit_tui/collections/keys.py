"""The keys of the collections screen and of those that it opens, by the names that the table [keys] of config.toml knows."""

from textual.binding import Binding

from searchkit_tui.collections.actions import ACTIONS

COLLECTION_KEYS = [
    *(
        Binding(
            each.key,
            f"do('{each.name}')",
            each.label,
            tooltip=f"{each.label}: {each.about}",
            show=each.in_footer,
            id=f"collections_{each.name}",
        )
        for each in ACTIONS
    ),
    Binding("escape", "back", "Back", tooltip="Leave; what is under way goes on", id="collections_back"),
]
MENU_KEY = Binding(
    "enter", "select_cursor", "All actions", tooltip="All that can be done with it", id="collections_menu"
)
TUNE_KEYS = [
    Binding("ctrl+r", "measure", "Measure", tooltip="Measure the indexes anew", id="tune_measure", priority=True),
    Binding("s", "set_cheapest", "Set cheapest", tooltip="Use the cheapest that finds enough", id="tune_set"),
    Binding("a", "set_automatic", "Automatic", tooltip="Use what suits its size", show=False, id="tune_automatic"),
    Binding("c", "cancel", "Cancel", tooltip="Measure no more", id="tune_cancel"),
    Binding("escape", "back", "Back", tooltip="Leave; measuring goes on", id="tune_back"),
]
SET_SELECTED = Binding(
    "enter", "select_cursor", "Set selected", tooltip="Use the index under the cursor", id="tune_set_selected"
)
EVALUATION_KEYS = [
    Binding("m", "next_metric", "Next metric", tooltip="Bars of the next metric", id="evaluation_metric"),
    Binding("escape", "back", "Back", tooltip="Leave", id="evaluation_back"),
]
# All that can have other keys.
ALL_KEYS = [*COLLECTION_KEYS, MENU_KEY, *TUNE_KEYS, SET_SELECTED, *EVALUATION_KEYS]
