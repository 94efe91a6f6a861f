"""The keys of the tuning and the evaluation screen, by the names that the table [keys] of config.toml knows."""

from textual.binding import Binding

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
