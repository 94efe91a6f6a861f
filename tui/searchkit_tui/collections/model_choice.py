"""Which model a collection is to use, and what switching means."""

from textual.content import Content

from searchkit.config import load_settings
from searchkit.display import on_one_line, plural
from searchkit.embedding.store import BUNDLED, GET_A_MODEL
from searchkit.library import Library
from searchkit_tui.widgets.dialogs import Choose

_NO_OTHER = "No other model is installed. "


def model_choices(library: Library, current: str) -> list[tuple[str, Content]]:
    """The installed models, each with what it is; reads the disk."""
    cards = {card.name: card for card in library.models.installed()}
    default = load_settings(library.home).model
    choices = []
    for name in library.models.names():
        card = cards.get(name)
        about = f"{card.dimension} dimensions, {card.quantization.value}" if card else "not converted yet"
        about += ", small, English" if name == BUNDLED else ""
        about += ", for new collections" if name == default else ""
        about += " · in use" if name == current else ""
        choices.append((name, Content.assemble((on_one_line(name), "bold"), f"  {about}")))
    return choices


def choose_model(collection: str, passages: int, choices: list[tuple[str, Content]]) -> Choose:
    """The dialog."""
    text = (
        f"Vectors of different models cannot be compared, so those of {plural(passages, 'passage')} are made again:"
        " indexing starts at once and can be stopped and continued. Until it is done, words find everything and meaning"
        " what is done so far."
    )
    if len(choices) < 2:
        text += f" {_NO_OTHER}{GET_A_MODEL}"
    return Choose(f"A model for {on_one_line(collection)}", text, choices)
