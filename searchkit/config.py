"""Settings: command-line flag over environment over config.toml over default. Unknown keys are refused."""

import difflib
import os
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.paths import make_private_folder, write_atomically

_FILE = "config.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user can set. `model`: for new collections, "" for the best one installed.

    Files above `max_file_megabytes` are not read; one that takes longer than `max_file_seconds`, or its reader more than
    `max_reader_megabytes` of memory, is given up.
    """

    model: str = ""
    max_file_megabytes: int = 64
    max_file_seconds: int = 60
    max_reader_megabytes: int = 512


def load_settings(home: Path) -> Settings:
    """Settings from `home`/config.toml, then from SEARCHKIT_MODEL and SEARCHKIT_MAX_FILE_MEGABYTES.

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
    for field in fields(Settings):
        variable = f"SEARCHKIT_{field.name.upper()}"
        if text := os.environ.get(variable):
            number = field.type in (int, "int")
            settings = _with(settings, field.name, _integer(text, variable) if number else text, origin=variable)
    return settings


def save_settings(home: Path, settings: Settings) -> None:
    """Write config.toml; only what differs from the defaults."""
    default = Settings()
    lines = []
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value != getattr(default, field.name):
            lines.append(f"{field.name} = {_toml(value)}\n")
    write_atomically(make_private_folder(home) / _FILE, "".join(lines).encode())


def _with(settings: Settings, key: str, value: object, *, origin: str) -> Settings:
    known = {field.name: type(getattr(settings, field.name)) for field in fields(Settings)}
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
        raise ConfigError(f"{origin}: there is no setting {key!r}.{hint}")
    if type(value) is not known[key] or (isinstance(value, int) and value < 1):
        wanted = "a positive whole number" if known[key] is int else "text"
        raise ConfigError(f"{origin}: {key} must be {wanted}, not {value!r}.")
    changed: dict[str, Any] = {key: value}
    return replace(settings, **changed)


def _integer(text: str, origin: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{origin} must be a whole number, not {text!r}.") from None


def _toml(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
