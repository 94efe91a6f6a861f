"""The outermost layer: no error of ours leaves the process as more than a sentence, and the log holds no text of anybody's.

A line of the log names the route (`/v1/vector_stores/{collection}/search`), not what was asked of it.
"""

import asyncio
import logging
import time
import traceback
from pathlib import Path

from searchkit.serve.http.error_responses import ErrorResponse, internal_error
from searchkit.serve.http.middleware.asgi import App, Message, Receive, Scope, Send, refuse

log = logging.getLogger("searchkit.serve")


class ErrorBoundary:
    """Answers what went wrong with a plain 500, refuses heads that are too long, and logs."""

    def __init__(self, app: App, head_bytes: int) -> None:
        self._app = app
        self._head_bytes = head_bytes
        self.is_draining = False  # told to stop: every answer closes its connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and look at what comes of it."""
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
            if status == 0 and not self.is_draining:  # told to stop at once: nobody is left to be told
                raise
        except Exception as error:  # noqa: BLE001 (the last place where anything can be caught)
            log.error("%s %s: %s", scope["method"], route_of(scope), error_summary(error))
            if status == 0:
                await refuse(scope, receive, noting, internal_error())
        log.info("%s %s %d %.0f ms", scope["method"], route_of(scope), status, (time.monotonic() - start) * 1e3)


def route_of(scope: Scope) -> str:
    """The pattern of the path, which holds no ids and no names; "-" where none fits, or the request was refused before."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "-"


def error_summary(error: BaseException) -> str:
    """What kind of error it is, and where: without its message, which may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"
