"""The outermost layer: an unexpected error leaves the process as one sentence, and the log contains no private text.

A log line names the route (`/v1/vector_stores/{collection}/search`), never what was asked.
"""

import asyncio
import logging
import time
import traceback
from pathlib import Path

from starlette.routing import Route

from searchkit.serve.http.error_responses import ErrorResponse, internal_error
from searchkit.serve.http.middleware.asgi import App, Message, Receive, Scope, Send, refuse

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
    return route.path if isinstance(route, Route) else "-"


def error_summary(error: BaseException) -> str:
    """Name the kind of an error and where it was raised, without its message, which may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"
