"""Guards against strangers: requests from foreign web pages are refused, and requests without the token.

A page can make its own host name resolve to 127.0.0.1 (DNS rebinding); the Host and Origin headers that a browser then
sends give it away. The token is made once, and kept in a file that only the user can read.
"""

import hmac
import ipaddress
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from searchkit.errors import SearchkitError
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, write_atomically
from searchkit.home import Home
from searchkit.maintenance.callers import Caller
from searchkit.serve.http.error_responses import ErrorResponse
from searchkit.serve.http.middleware.asgi import App, Receive, Scope, Send, header, headers, refuse, without_body
from searchkit.serve.http.options import ServeOptions, is_loopback

# Open to anyone: these say nothing about what is indexed, only whether the server is up and how to talk to it.
OPEN_PATHS = frozenset({"/", "/health", "/openapi.json", "/tools/openapi.json"})
_TOKEN_BYTES = 32
_MIN_CHARACTERS = 16  # of a token that a user has written into the file


class HostGuard:
    """Lets in requests that call this machine by one of its own names, and come from no web page or a configured one."""

    def __init__(self, app: App, options: ServeOptions) -> None:
        self._app = app
        self._names = {name.lower() for name in (*options.names, options.host)}
        self._takes_addresses = not options.is_loopback
        self._origins = set(options.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        error = self._objection(scope) if scope["type"] == "http" else None
        if error:
            await refuse(scope, receive, send, error)
        else:
            await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> ErrorResponse | None:
        host = header(scope, b"host")
        if len(headers(scope, b"host")) != 1 or not self._is_own(_name_in(host)):
            return ErrorResponse(
                421,
                "foreign_host",
                f"This server is not called '{host[:80]}'. Call it by the address it printed, or allow the name:"
                " searchkit serve --allow-host NAME",
            )
        origins = [origin for origin in headers(scope, b"origin") if origin]
        foreign = [origin for origin in origins if not self._is_known(origin, host)]
        if foreign or (not origins and header(scope, b"sec-fetch-site").lower() == "cross-site"):
            return ErrorResponse(
                403,
                "foreign_origin",
                f"Web pages of '{foreign[0][:80] if foreign else 'other sites'}' may not use this server. To allow a page:"
                " searchkit serve --allow-origin http://localhost:3000",
            )
        return None

    def _is_own(self, name: str) -> bool:
        """Return True for a known name, or any address: a name can be rebound to this machine, an address cannot."""
        return self._is_ours(name) or (self._takes_addresses and _is_address(name))

    def _is_known(self, origin: str, host: str) -> bool:
        """Return True for pages that are configured, of this machine, or of the very host that was called."""
        authority = origin.partition("://")[2]
        return origin in self._origins or self._is_ours(_name_in(authority)) or authority.lower() == host.lower()

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or name in self._names


class TokenGuard:
    """Lets in requests that carry the token. `others`: applications for callers with tokens of their own."""

    def __init__(self, app: App, token: str, others: Sequence[tuple[Caller, App]] = ()) -> None:
        self._app = app
        self._token = token
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in OPEN_PATHS and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, without_body(scope, receive), send)
            return
        kind, _, shown = header(scope, b"authorization").partition(" ")
        if kind.lower() == "bearer" and is_token(shown.strip(), self._token):
            await self._app(scope, receive, send)
            return
        theirs = [app for caller, app in self._others if caller.has(shown.strip())]
        if kind.lower() == "bearer" and theirs:
            await theirs[0](scope, receive, send)
            return
        await refuse(scope, receive, send, _no_token() if not shown.strip() else _wrong_token())


def read_or_make_token(home: Home) -> str:
    """Return the token of a data directory; make one if there is none. Raises SearchkitError for an unsafe one."""
    file = home.token
    if file.is_symlink():
        raise SearchkitError(
            f"{file} is a symbolic link, and the token must be a file of its own.",
            remedy="Delete the link to get a new token.",
        )
    try:
        if not file.exists():
            make_private_folder(home.path)
            write_atomically(file, f"{secrets.token_urlsafe(_TOKEN_BYTES)}\n".encode())
        _keep_private(file)
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SearchkitError(
            f"The token in {file} cannot be read or written ({error}).", remedy="Repair or delete the file."
        ) from error
    if len(token) < _MIN_CHARACTERS or not (token.isascii() and token.isprintable()) or " " in token:
        raise SearchkitError(
            f"The token in {file} is not {_MIN_CHARACTERS} or more letters and digits.",
            remedy="Delete the file to get a new token.",
        )
    return token


def is_token(shown: str, token: str) -> bool:
    """Compare tokens in constant time, however much of a wrong one is right."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _keep_private(file: Path) -> None:
    """Take read access from others. On Windows, which has no such modes, the folder is private."""
    if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(PRIVATE_FILE_MODE)


def _no_token() -> ErrorResponse:
    message = (
        "The token is missing. Send it as `Authorization: Bearer TOKEN`, or as the API key."
        " To see it: searchkit serve --token"
    )
    return ErrorResponse(401, "no_token", message, {"www-authenticate": "Bearer"})


def _wrong_token() -> ErrorResponse:
    message = "The token is wrong. To see the right one: searchkit serve --token"
    return ErrorResponse(401, "wrong_token", message, {"www-authenticate": 'Bearer error="invalid_token"'})


def _name_in(authority: str) -> str:
    """Return the host of `HOST:PORT`, "" if there is no valid one."""
    try:
        parts = urlsplit(f"//{authority}")
        name = parts.hostname or ""
        is_sound = parts.username is None and not (parts.path or parts.query or parts.fragment)
        return name if is_sound and (parts.port is None or parts.port >= 0) else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
