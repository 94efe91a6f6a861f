"""ASGI for the middleware: its types, headers, how to refuse a request unread, and the outermost layer.

There an unexpected error leaves the process as one sentence, and the log contains no private text: a line names the route
(`/v1/vector_stores/{collection}/search`), never what was asked.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from searchkit.serve.http.error_responses import ErrorResponse, body_of, internal_error

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1_000_000
_OF_BODIES = (b"content-length", b"transfer-encoding")


def header(scope: Scope, name: bytes) -> str:
    """Return the value of a header, "" if it is missing."""
    return next(iter(headers(scope, name)), "")


def headers(scope: Scope, name: bytes) -> list[str]:
    """Return all values of a header that may occur several times."""
    return [bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name]


def without_body(scope: Scope, receive: Receive) -> Receive:
    """Drop the body of a request: whatever is still on its way is not waited for."""
    scope["headers"] = [(key, value) for key, value in scope["headers"] if key not in _OF_BODIES]
    return replay(b"", receive)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once, and then waits for the client to disconnect."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def refuse(scope: Scope, receive: Receive, send: Send, error: ErrorResponse) -> None:
    """Answer with an error.

    If the body is still on its way, a little more of it is read, so that the client gets to see the answer; then the
    connection is closed.
    """
    body = body_of(error, scope["path"])
    has_body = bool(header(scope, b"transfer-encoding")) or header(scope, b"content-length") not in ("", "0")
    shown = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
    if has_body:
        shown["connection"] = "close"
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in shown.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": has_body})
    if has_body:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _read_some(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read_some(receive: Receive) -> None:
    read = 0
    while read < _LINGER_BYTES:
        message = await receive()
        read += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


log = logging.getLogger("searchkit.serve")


class ErrorBoundary:
    """Turns unexpected errors into a plain 500, refuses oversized heads, and logs each request."""

    def __init__(self, app: App, head_bytes: int) -> None:
        self._app = app
        self._head_bytes = head_bytes
        self.is_draining = False  # while the server stops, every response closes its connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and handle what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 0, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.is_draining:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > self._head_bytes:
                await refuse(
                    scope, receive, noting, ErrorResponse(431, "head_too_long", "The head of the request is too long.")
                )
            else:
                await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if status == 0 and not self.is_draining:  # stopped at once: nobody is left to answer
                raise
        except Exception as error:  # noqa: BLE001 (the last place where anything can be caught)
            log.error("%s %s: %s", scope["method"], route_of(scope), error_summary(error))
            if status == 0:
                await refuse(scope, receive, noting, internal_error())
        log.info("%s %s %d %.0f ms", scope["method"], route_of(scope), status, (time.monotonic() - start) * 1e3)


def route_of(scope: Scope) -> str:
    """Return the route's path pattern, which contains no ids or names; "-" if no route matched or a guard refused it."""
    route = scope.get("route")
    from starlette.routing import Route  # the command imports this module where the server's packages may be missing

    return route.path if isinstance(route, Route) else "-"


def error_summary(error: BaseException) -> str:
    """Name the kind of an error and where it was raised, without its message, which may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"
