"""The keys that a user has chosen, checked before they are used."""

import difflib
from collections.abc import Mapping, Sequence

from textual.keys import Keys

from searchkit.errors import ConfigError

_TABLE = "config.toml, [keys]"
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super"})


def check_keys(keys: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise ConfigError for a name or a key that there is not, or one key for two things."""
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


def _is_key(key: str) -> bool:
    """Whether a terminal could send it: a named key or a sign, with ctrl, alt or shift before it perhaps."""
    *modifiers, last = key.split("+")
    known = {each.value for each in Keys}
    return set(modifiers) <= _MODIFIERS and (len(last) == 1 or last in known)
