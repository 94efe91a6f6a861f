"""Settings: command-line flag over environment over config.toml over default. Unknown keys are refused."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.paths import make_private_folder, write_atomically

_FILE = "config.toml"
_TABLE = "keys"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user can set. `model`: for new collections, "" for the best one installed.

    Files above `max_file_megabytes` are not read; one that takes longer than `max_file_seconds`, or its reader more than
    `max_reader_megabytes` of memory, is given up. `history`: whether the terminal UI keeps the queries of former sessions;
    `keys`: its keys by the names of what they do, in place of the usual ones (the table [keys] of the file).
    """

    model: str = ""
    max_file_megabytes: int = 64
    max_file_seconds: int = 60
    max_reader_megabytes: int = 512
    history: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def load_settings(home: Path) -> Settings:
    """Settings from `home`/config.toml, then from SEARCHKIT_MODEL, SEARCHKIT_MAX_FILE_MEGABYTES and so on; keys have none.

    Raises ConfigError for a key or a value that makes no sense.
    """
    file = home / _FILE
    values: dict[str, object] = {}
    if file.is_file():
        try:
            values = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not valid TOML: {error}") from error
    settings = Settings()
    for key, value in values.items():
        settings = _with(settings, key, value, origin=str(file))
    for each in fields(Settings):
        variable = f"SEARCHKIT_{each.name.upper()}"
        if each.name != _TABLE and (text := os.environ.get(variable)):
            settings = _with(settings, each.name, _from_text(settings, each.name, text, variable), origin=variable)
    return settings


def save_settings(home: Path, settings: Settings) -> None:
    """Write config.toml; only what differs from the defaults."""
    default = Settings()
    lines = []
    for each in fields(Settings):
        value = getattr(settings, each.name)
        if each.name != _TABLE and value != getattr(default, each.name):
            lines.append(f"{each.name} = {_toml(value)}\n")
    if settings.keys:
        lines += [f"\n[{_TABLE}]\n", *(f"{_toml(name)} = {_toml(keys)}\n" for name, keys in settings.keys.items())]
    write_atomically(make_private_folder(home) / _FILE, "".join(lines).encode())


def _with(settings: Settings, key: str, value: object, *, origin: str) -> Settings:
    known = {each.name: getattr(settings, each.name) for each in fields(Settings)}
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
        raise ConfigError(f"{origin}: there is no setting {key!r}.{hint}")
    if not _fits(value, known[key]):
        raise ConfigError(f"{origin}: {key} must be {_wanted(known[key])}, not {value!r}.")
    changed: dict[str, Any] = {key: value}
    return replace(settings, **changed)


def _fits(value: object, example: object) -> bool:
    if isinstance(example, Mapping):
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return type(value) is type(example) and (not isinstance(value, int) or isinstance(value, bool) or value >= 1)


def _wanted(example: object) -> str:
    if isinstance(example, Mapping):
        return 'a table of texts, such as [keys] and below it: open = "ctrl+j"'
    if isinstance(example, bool):
        return "true or false"
    return "a positive whole number" if isinstance(example, int) else "text"


def _from_text(settings: Settings, name: str, text: str, origin: str) -> object:
    """A value as an environment variable says it."""
    example = getattr(settings, name)
    if isinstance(example, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return _integer(text, origin) if isinstance(example, int) else text


def _integer(text: str, origin: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{origin} must be a whole number, not {text!r}.") from None


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
