"""Who may ask: requests that a web page elsewhere has brought about are refused, and those that do not know the token.

A page can have its own name mean 127.0.0.1 (DNS rebinding); the Host and Origin that a browser then sends tell it apart.
"""

import ipaddress
from urllib.parse import urlsplit

from searchkit.serve.http.error_responses import ErrorResponse
from searchkit.serve.http.middleware.asgi import App, Receive, Scope, Send, header, headers, refuse, without_body
from searchkit.serve.http.options import ServeOptions, is_loopback
from searchkit.serve.http.token import is_token

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
                f"This server is not called '{host[:80]}'. Call it by the address it has printed, or let it have that name:"
                " searchkit serve --allow-host NAME",
            )
        origins = [origin for origin in headers(scope, b"origin") if origin]
        foreign = [origin for origin in origins if not self._is_known(origin, host)]
        if foreign or (not origins and header(scope, b"sec-fetch-site").lower() == "cross-site"):
            return ErrorResponse(
                403,
                "foreign_origin",
                f"Web pages of '{foreign[0][:80] if foreign else 'other sites'}' may not use this server. To let one:"
                " searchkit serve --allow-origin http://localhost:3000",
            )
        return None

    def _is_own(self, name: str) -> bool:
        """A name may be made to mean this machine (DNS rebinding), an address not."""
        return self._is_ours(name) or (self._takes_addresses and _is_address(name))

    def _is_known(self, origin: str, host: str) -> bool:
        """Of this machine, configured, or what was called itself: an address alone says nothing, every page may have one."""
        authority = origin.partition("://")[2]
        return origin in self._origins or self._is_ours(_name_in(authority)) or authority.lower() == host.lower()

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or name in self._names


class TokenGuard:
    """Lets in who shows the token."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
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
        await refuse(scope, receive, send, _no_token() if not shown.strip() else _wrong_token())


def _no_token() -> ErrorResponse:
    message = "The token is missing. Send it as `Authorization: Bearer TOKEN`, or as the API key. It is: searchkit serve --token"
    return ErrorResponse(401, "no_token", message, {"www-authenticate": "Bearer"})


def _wrong_token() -> ErrorResponse:
    message = "The token is wrong. The right one: searchkit serve --token"
    return ErrorResponse(401, "wrong_token", message, {"www-authenticate": 'Bearer error="invalid_token"'})


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
