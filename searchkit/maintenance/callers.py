"""Those who may see a part of what a server offers: tokens, each with the roots of collections in databases that it opens.

They are kept in a file of the data directory, of which a line of TOML says more than any description:

    [sales]
    sha256 = "9f86d081…"
    sees.archive = ["/srv/archive/sales"]

Tokens are made here, of 32 random bytes, so that a plain hash keeps them. What a caller may not see the database holds back.
"""

import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from searchkit.config import as_toml
from searchkit.errors import ConfigError, UsageError
from searchkit.files import make_private_folder, write_atomically
from searchkit.home import Home, View, databases

_TOKEN_BYTES = 32
_NAME = re.compile(r"[\w-]{1,60}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}")
_AGAIN = "Make that token again."


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token of their own. `sha256`: of the token, in hexadecimal digits."""

    name: str
    sha256: str
    view: View

    def has(self, token: str) -> bool:
        """True if that is their token; takes as long for any other."""
        return hmac.compare_digest(sha256(token.encode("utf-8", "replace")).hexdigest(), self.sha256)


def read_callers(home: Home) -> list[Caller]:
    """All callers of a data directory. Raises ConfigError if the file is not as `make_caller` writes it."""
    try:
        table = tomllib.loads(home.callers.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{home.callers} cannot be read ({error}).", remedy="Repair it, or delete it.") from error
    return [_caller(home, name, values) for name, values in table.items()]


def make_caller(home: Home, name: str, sees: Sequence[tuple[str, str]]) -> str:
    """Make a token that sees these roots, (collection, path) each, in place of one of the same name; returns it.

    Raises UsageError for an impossible name, without roots, and for a collection that lives in no database.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' cannot be a token's name.", remedy="Use letters, digits, _ and -.")
    if not sees:
        raise UsageError(
            f"The token '{name}' would see nothing.", remedy="Say which roots of which collections it sees."
        )
    roots: dict[str, list[str]] = {}
    for collection, path in sees:
        roots.setdefault(collection, []).append(path)
    if elsewhere := sorted(roots.keys() - databases(home).keys()):
        raise UsageError(
            f"The collection '{elsewhere[0]}' lives in no database, which alone could keep a part of it from somebody.",
            remedy="Move it there first, or name another.",
        )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    view = View(tuple((collection, tuple(paths)) for collection, paths in roots.items()))
    others = [caller for caller in read_callers(home) if caller.name != name]
    _write(home, [*others, Caller(name, sha256(token.encode()).hexdigest(), view)])
    return token


def rename_seen(home: Home, old: str, new: str) -> list[str]:
    """Have tokens see a collection under its new name; returns the names of those that see it. Raises ConfigError."""
    callers = read_callers(home)
    seeing = [caller.name for caller in callers if caller.view.of(old)]
    if seeing:
        _write(home, [replace(caller, view=_with_name(caller.view, old, new)) for caller in callers])
    return seeing


def _with_name(view: View, old: str, new: str) -> View:
    """The view with what it sees of a collection under that one's new name."""
    renamed = {new if name == old else name: paths for name, paths in view.roots if name != new}
    return View(tuple(renamed.items()))


def _write(home: Home, callers: Sequence[Caller]) -> None:
    make_private_folder(home.path)
    write_atomically(home.callers, "\n".join(map(_as_toml, callers)).encode())


def _caller(home: Home, name: str, values: object) -> Caller:
    if not (
        isinstance(values, dict) and values.keys() == {"sha256", "sees"} and _HASH.fullmatch(str(values["sha256"]))
    ):
        raise ConfigError(f"{home.callers}: [{name}] is not a token with what it sees.", remedy=_AGAIN)
    return Caller(name, str(values["sha256"]), View(tuple(_roots(home, name, values["sees"]))))


def _roots(home: Home, name: str, sees: object) -> list[tuple[str, tuple[str, ...]]]:
    if not (isinstance(sees, Mapping) and all(_are_paths(paths) for paths in sees.values())):
        raise ConfigError(f"{home.callers}: what [{name}] sees are lists of folders, by collection.", remedy=_AGAIN)
    return [(str(collection), tuple(paths)) for collection, paths in sees.items()]


def _are_paths(paths: object) -> bool:
    return isinstance(paths, list) and bool(paths) and all(isinstance(path, str) for path in paths)


def _as_toml(caller: Caller) -> str:
    sees = "\n".join(f"sees.{as_toml(collection)} = {as_toml(roots)}" for collection, roots in caller.view.roots)
    return f'[{caller.name}]\nsha256 = "{caller.sha256}"\n{sees}\n'
