"""ASGI for the middleware: its types, headers, and how to refuse a request without reading its body."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from searchkit.serve.http.error_responses import ErrorResponse, body_of

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
