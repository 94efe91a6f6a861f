"""What can be done on the collections screen: one list, of which keys, footer and menu are made."""

from dataclasses import dataclass

from textual.content import Content

from searchkit.display import on_one_line
from searchkit_tui.widgets.dialogs import Choose


@dataclass(frozen=True, slots=True)
class CollectionAction:
    """`name` is that of the screen's method; `needs_status`: of a collection that can be read."""

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
    CollectionAction("watch", "w", "Watch", "take in changes as they happen, or stop doing so", in_footer=True),
    CollectionAction("problems", "p", "Problems", "what could not be read, why, and what to do"),
    CollectionAction(
        "cancel", "c", "Cancel job", "stop what is under way; what is done is kept", needs_collection=False
    ),
    CollectionAction("model", "m", "Switch model", "embed it with another model"),
    CollectionAction("tune", "t", "Tune", "measure the indexes on its own vectors and choose one"),
    CollectionAction(
        "evaluation",
        "e",
        "Evaluations",
        "measure with judged queries of yours, or look at results of searchkit eval retrieval",
        needs_collection=False,
    ),
    CollectionAction("rebuild", "r", "Rebuild", "make it anew from what is sound", needs_status=False),
    CollectionAction("forget", "x,delete", "Forget", "take it out of searchkit; files stay", needs_status=False),
)


def choose_action(collection: str) -> Choose:
    """The menu."""
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
