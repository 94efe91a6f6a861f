"""The keys that a user has chosen: checked before they are used, and named in running text."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from textual.keys import Keys
from textual.screen import Screen

from searchkit.errors import ConfigError

_TABLE = "config.toml, [keys]"
_SHORTER = {"escape": "Esc"}
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super"})


def check_keys(keys: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise ConfigError for an unknown name or key, or for one key given to two names."""
    taken: dict[str, str] = {}
    for name, pressed in keys.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(names)}."
            raise ConfigError(f"{_TABLE}: nothing is named {name!r}.{hint}")
        for key in pressed.replace(" ", "").split(","):
            if not _is_key(key):
                raise ConfigError(f"{_TABLE}: {name}: there is no key {key!r}. Keys are such as ctrl+j, f5, alt+o.")
            if taken.setdefault(key, name) != name:
                raise ConfigError(f"{_TABLE}: {key} is given to {taken[key]} and to {name}. Choose another for one.")


def key_of(screen: Screen[Any], name: str) -> str:
    """Find the first key with this name in the table [keys], as in `Ctrl+N`; the name itself if no key has it."""
    found = (active.binding for active in screen.active_bindings.values() if active.binding.id == name)
    return next((spelled(binding.key) for binding in found), name)


def spelled(key: str) -> str:
    """Write `ctrl+n` as keyboards do: `Ctrl+N`."""
    return "+".join(_SHORTER.get(part, part.replace("_", " ").capitalize()) for part in key.split("+"))


def _is_key(key: str) -> bool:
    """True if a terminal can send it: a named key or a character, possibly with ctrl, alt or shift."""
    *modifiers, last = key.split("+")
    known = {each.value for each in Keys}
    return set(modifiers) <= _MODIFIERS and (len(last) == 1 or last in known)
