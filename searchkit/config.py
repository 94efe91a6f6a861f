"""Settings: command-line flag over environment over config.toml over default. Unknown keys are refused."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

from searchkit.errors import ConfigError
from searchkit.files import make_private_folder, write_atomically
from searchkit.home import DatabaseUrl, Home, databases_in
from searchkit.types import Storage

_KEYS, _LLM, _SERVE, _COLLECTIONS = "keys", "llm", "serve", "collections"  # tables of the file
_TABLES = (_LLM, _SERVE, _COLLECTIONS)
_ALIASES = "aliases"  # a table in [serve]
_BARE = re.compile(r"[A-Za-z0-9_-]+")  # keys of TOML that need no quotes
_ENVIRONMENT = "SEARCHKIT_"
_LLM_VARIABLES = MappingProxyType({"base_url": "SEARCHKIT_LLM_URL"})


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """The table [llm]: the language model that answers. "" and 0 mean that one is looked for.

    `base_url`: of an OpenAI-compatible server. `model`: its name there. `api_key_env`: the environment variable with the
    server's key. `gguf`: a file to run in this process instead. `context`: tokens of the model's window.
    """

    base_url: str = ""
    model: str = ""
    api_key_env: str = ""
    gguf: str = ""
    context: int = 0


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The table [serve]: defaults of the options of `searchkit serve`.

    `token`: True to require one. `allow_hosts`, `allow_origins`: names and origins of web pages, separated by commas.
    `aliases`: further names of models and collections, for clients that insist on one (the table [serve.aliases]).
    """

    host: str = "127.0.0.1"
    port: int = 7749
    token: bool = True
    allow_hosts: str = ""
    allow_origins: str = ""
    allow_indexing: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's settings. `model`: for new collections, "" for the best one installed.

    Files above `max_file_megabytes` are not read; one that takes longer than `max_file_seconds`, or its reader more than
    `max_reader_megabytes` of memory, is skipped. `read_contained`: True to read the files inside files: attachments, what is
    embedded, what is in archives. Collections above `lazy_above_passages` are embedded only as questions ask
    for their passages; 0: none are. `storage`: the form of the vectors of new collections, see Storage. `history`: True if the
    terminal UI stores its queries for later sessions; `keep_opened`: True if opened hits are recorded with their queries, to
    learn from; `auto_adapt`: True if index runs adapt the model to the collection where that helps; `pdf_viewer`: the program
    that the UI opens PDF files with, perhaps with `{page}` and `{path}` among its arguments, "" for the system's; `keys`: the
    UI's keys by the names of their actions, in place of the usual ones (the table [keys] of the file). `llm`: the table [llm];
    `serve`: the table [serve]; `collections`: where those live that have a table [collections.NAME].
    """

    model: str = ""
    max_file_megabytes: int = 64
    max_file_seconds: int = 60
    max_reader_megabytes: int = 512
    lazy_above_passages: int = 0
    storage: str = Storage.STANDARD.value
    read_contained: bool = True
    history: bool = True
    keep_opened: bool = False
    auto_adapt: bool = False
    pdf_viewer: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    llm: LlmSettings = field(default_factory=LlmSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
    collections: Mapping[str, DatabaseUrl] = field(default_factory=dict)


_Table = TypeVar("_Table", Settings, LlmSettings, ServeSettings)
_AnyTable = Settings | LlmSettings | ServeSettings


def load_settings(home: Home) -> Settings:
    """Read `home`/config.toml, then SEARCHKIT_MODEL, SEARCHKIT_MAX_FILE_MEGABYTES and so on, which override it; keys have none.

    Those of [llm] are SEARCHKIT_LLM_URL, SEARCHKIT_LLM_MODEL and so on, of [serve] SEARCHKIT_SERVE_PORT and so on.

    Raises ConfigError for an unknown key or an impossible value.
    """
    settings = saved_settings(home)
    llm = _with_environment(settings.llm, f"{_ENVIRONMENT}LLM_", _LLM_VARIABLES)
    serve = _with_environment(settings.serve, f"{_ENVIRONMENT}SERVE_")
    found = replace(_with_environment(settings, _ENVIRONMENT), llm=llm, serve=serve)
    if found.storage not in list(Storage):
        raise ConfigError(f"storage must be one of {', '.join(Storage)}, not {found.storage!r} ({home.config}).")
    return found


def saved_settings(home: Home) -> Settings:
    """Read `home`/config.toml alone: what is to be saved again with a change. Raises ConfigError as `load_settings` does."""
    file = home.config
    values: dict[str, object] = {}
    if file.is_file():
        try:
            values = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not valid TOML: {error}") from error
    llm = _with_all(LlmSettings(), values.pop(_LLM, {}), origin=f"{file}, [{_LLM}]")
    serve = _with_all(ServeSettings(), values.pop(_SERVE, {}), origin=f"{file}, [{_SERVE}]")
    collections = databases_in(values.pop(_COLLECTIONS, {}), origin=str(file))
    settings = _with_all(Settings(), values, origin=str(file))
    return replace(settings, llm=llm, serve=serve, collections=collections)


def save_settings(home: Home, settings: Settings) -> None:
    """Write config.toml; only what differs from the defaults, tables last."""
    lines = _lines(settings)
    if settings.keys:
        lines += [f"\n[{_KEYS}]\n", *(f"{as_toml(name)} = {as_toml(keys)}\n" for name, keys in settings.keys.items())]
    for name, table in ((_LLM, settings.llm), (_SERVE, settings.serve)):
        if changed := _lines(table):
            lines += [f"\n[{name}]\n", *changed]
    if settings.serve.aliases:
        named = (f"{_key(name)} = {as_toml(meant)}\n" for name, meant in settings.serve.aliases.items())
        lines += [f"\n[{_SERVE}.{_ALIASES}]\n", *named]
    for name, url in settings.collections.items():
        lines += [f"\n[{_COLLECTIONS}.{_key(name)}]\n", f"url = {as_toml(url.full)}\n"]
        lines += [f"name = {as_toml(url.collection)}\n"] if url.collection else []
    make_private_folder(home.path)
    write_atomically(home.config, "".join(lines).encode())


def _lines(settings: _AnyTable) -> list[str]:
    """The values that differ from the defaults, as lines of TOML; no tables."""
    default = type(settings)()
    return [f"{name} = {as_toml(value)}\n" for name, value in _plain(settings) if value != getattr(default, name)]


def _plain(settings: _AnyTable) -> list[tuple[str, object]]:
    """Names and values except tables."""
    return [
        (each.name, getattr(settings, each.name))
        for each in fields(settings)
        if each.name not in (_KEYS, _ALIASES, *_TABLES)
    ]


def _with_all(settings: _Table, values: object, *, origin: str) -> _Table:
    if not isinstance(values, dict):
        raise ConfigError(f"{origin} must be a table, not {values!r}.")
    for key, value in values.items():
        settings = _with(settings, key, value, origin=origin)
    return settings


def _with_environment(settings: _Table, prefix: str, named: Mapping[str, str] = MappingProxyType({})) -> _Table:
    """Read settings from environment variables: those `named`, else the prefix with the setting's name."""
    for name, value in _plain(settings):
        variable = named.get(name, f"{prefix}{name.upper()}")
        if text := os.environ.get(variable):
            settings = _with(settings, name, _from_text(value, text, variable), origin=variable)
    return settings


def _with(settings: _Table, key: str, value: object, *, origin: str) -> _Table:
    known: dict[str, object] = {
        each.name: getattr(settings, each.name) for each in fields(settings) if each.name not in _TABLES
    }
    if key not in known:
        near = difflib.get_close_matches(key, [*known, *_TABLES], n=1)
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
        return 'a table of texts: its name in brackets, and below it lines such as NAME = "TEXT"'
    if isinstance(example, bool):
        return "true or false"
    return "a positive whole number" if isinstance(example, int) else "text"


def _from_text(example: object, text: str, origin: str) -> object:
    """Parse the value of an environment variable."""
    if isinstance(example, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return _integer(text, origin) if isinstance(example, int) else text


def _integer(text: str, origin: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{origin} must be a whole number, not {text!r}.") from None


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else as_toml(name)


def as_toml(value: object) -> str:
    """Write a string, a number, a boolean or a list of them as TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):  # JSON's escapes but for pairs of surrogates, which TOML does not know
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
