"""Who may ask: requests that a web page elsewhere has brought about are refused, and those that do not know the token.

A page can have its own name mean 127.0.0.1 (DNS rebinding); the Host and Origin that a browser then sends tell it apart.
"""

import ipaddress
from urllib.parse import urlsplit

from searchkit.serve.asgi import App, Receive, Scope, Send, header, refuse
from searchkit.serve.options import ServeOptions, is_loopback
from searchkit.serve.replies import Refusal
from searchkit.serve.token import is_token

# What says nothing of what is indexed: whether the server lives, and how to talk to it.
OPEN_PATHS = frozenset({"/", "/health", "/openapi.json", "/tools/openapi.json"})


class HostGuard:
    """Lets in who calls this machine by a name that is its own, from no web page or from one that is configured."""

    def __init__(self, app: App, options: ServeOptions) -> None:
        self._app = app
        self._names = {name.lower() for name in (*options.names, options.host)}
        self._takes_addresses = not options.is_loopback
        self._origins = set(options.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal:
            await refuse(scope, receive, send, refusal)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        host = header(scope, b"host")
        hosts = [value for key, value in scope["headers"] if key == b"host"]
        if len(hosts) != 1 or not self._is_own(_name_in(host)):
            return Refusal(
                421,
                "foreign_host",
                f"This server is not called '{host[:80]}'. Call it by the address it has printed, or let it have that name:"
                " searchkit serve --allow-host NAME",
            )
        origin = header(scope, b"origin")
        is_foreign = bool(origin) and not self._is_known(origin)
        if is_foreign or (not origin and header(scope, b"sec-fetch-site") == "cross-site"):
            return Refusal(
                403,
                "foreign_origin",
                f"Web pages of '{origin[:80] or 'other sites'}' may not use this server. To let one:"
                " searchkit serve --allow-origin http://localhost:3000",
            )
        return None

    def _is_own(self, name: str) -> bool:
        if is_loopback(name) or name in self._names:
            return True
        return self._takes_addresses and _is_address(
            name
        )  # a page's name may be made to mean this machine, an address not

    def _is_known(self, origin: str) -> bool:
        return origin in self._origins or self._is_own(_name_in(origin.partition("://")[2]))


class TokenGuard:
    """Lets in who shows the token."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        kind, _, shown = header(scope, b"authorization").partition(" ")
        if kind.lower() == "bearer" and is_token(shown.strip(), self._token):
            await self._app(scope, receive, send)
            return
        await refuse(scope, receive, send, _no_token() if not shown.strip() else _wrong_token())


def _no_token() -> Refusal:
    message = "The token is missing. Send it as `Authorization: Bearer TOKEN`, or as the API key. It is: searchkit serve --token"
    return Refusal(401, "no_token", message, {"www-authenticate": "Bearer"})


def _wrong_token() -> Refusal:
    message = "The token is wrong. The right one: searchkit serve --token"
    return Refusal(401, "wrong_token", message, {"www-authenticate": 'Bearer error="invalid_token"'})


def _name_in(authority: str) -> str:
    """The host of `HOST:PORT`, "" for what is none."""
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
