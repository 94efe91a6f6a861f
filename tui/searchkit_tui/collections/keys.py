"""The actions of the collections screen: one list, from which keys, footer and menu are made."""

from dataclasses import dataclass

from textual.binding import Binding
from textual.content import Content

from searchkit.display import on_one_line
from searchkit_tui.settings.keys import EVALUATION_KEYS, SET_SELECTED, TUNE_KEYS
from searchkit_tui.widgets.dialogs import Choose


@dataclass(frozen=True, slots=True)
class CollectionAction:
    """An action on a collection. `needs_status`: the collection must be readable."""

    name: str
    key: str
    label: str
    about: str
    needs_collection: bool = True
    needs_status: bool = True
    in_footer: bool = False


ACTIONS = (
    CollectionAction("add", "a", "Add folder", "make a folder searchable", needs_collection=False, in_footer=True),
    CollectionAction("index", "i", "Index", "read what has changed and embed what is new", in_footer=True),
    CollectionAction("watch", "w", "Watch", "index changes as they happen, or stop doing so", in_footer=True),
    CollectionAction("lazy", "l", "Lazy", "embed only what questions ask for, or all again"),
    CollectionAction("problems", "p", "Problems", "files that could not be read, why, and what to do"),
    CollectionAction("cancel", "c", "Cancel job", "stop the job; what is done is kept", needs_collection=False),
    CollectionAction("model", "m", "Switch model", "embed it with another model"),
    CollectionAction("adapt", "d", "Adapt model", "learn from it; used only if it finds more"),
    CollectionAction("tune", "t", "Tune", "measure indexes on its vectors and choose one"),
    CollectionAction(
        "evaluation",
        "e",
        "Evaluations",
        "evaluate with judged queries, or look at a report",
        needs_collection=False,
    ),
    CollectionAction("rebuild", "r", "Rebuild", "rebuild it from undamaged parts and your files", needs_status=False),
    CollectionAction("forget", "x,delete", "Forget", "remove it from searchkit; your files stay", needs_status=False),
)


COLLECTION_KEYS = [
    *(
        Binding(
            each.key,
            f"run('{each.name}')",
            each.label,
            tooltip=f"{each.label}: {each.about}",
            show=each.in_footer,
            id=f"collections_{each.name}",
        )
        for each in ACTIONS
    ),
    Binding("escape", "back", "Back", tooltip="Leave; jobs continue", id="collections_back"),
]
MENU_KEY = Binding(
    "enter", "select_cursor", "All actions", tooltip="Everything that can be done with it", id="collections_menu"
)
# The keys that can be changed, of this screen and of those that it opens.
ALL_KEYS = [*COLLECTION_KEYS, MENU_KEY, *TUNE_KEYS, SET_SELECTED, *EVALUATION_KEYS]


def choose_action(collection: str) -> Choose:
    """Make the menu of all actions."""
    choices = [
        (
            each.name,
            Content.assemble(
                (f"{each.key.split(',')[0]}  ", "bold $text-accent"), (f"{each.label:<13}", "bold"), f" {each.about}"
            ),
        )
        for each in ACTIONS
    ]
    return Choose(on_one_line(collection), "", choices)
