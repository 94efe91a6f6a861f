"""What a key is called in running text, as the user has set it."""

from typing import Any

from textual.screen import Screen

_SHORTER = {"escape": "Esc"}


def key_of(screen: Screen[Any], name: str) -> str:
    """The first key that does what goes by this name in the table [keys], such as `Ctrl+N`; the name itself if none does."""
    found = (active.binding for active in screen.active_bindings.values() if active.binding.id == name)
    return next((spelled(binding.key) for binding in found), name)


def spelled(key: str) -> str:
    """`ctrl+n` as it is printed on keyboards: `Ctrl+N`."""
    return "+".join(_SHORTER.get(part, part.replace("_", " ").capitalize()) for part in key.split("+"))
