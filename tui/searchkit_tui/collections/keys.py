"""The keys of the collections screen, by the names that the table [keys] of config.toml knows."""

from textual.binding import Binding

from searchkit_tui.collections.actions import ACTIONS
from searchkit_tui.evaluation.keys import EVALUATION_KEYS, SET_SELECTED, TUNE_KEYS

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
# All that can have other keys.
ALL_KEYS = [*COLLECTION_KEYS, MENU_KEY, *TUNE_KEYS, SET_SELECTED, *EVALUATION_KEYS]
