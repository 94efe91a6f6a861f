"""Limits on requests: per second and address, at once, and the size and duration of a body."""

import asyncio
import time
from collections.abc import Callable

from searchkit.display import size
from searchkit.serve.http.error_responses import RETRY_SECONDS, ErrorResponse
from searchkit.serve.http.middleware.asgi import App, Receive, Scope, Send, header, refuse, replay
from searchkit.serve.http.options import Limits

_RETRY = {"retry-after": str(RETRY_SECONDS)}
_ADDRESSES = 1024  # counted at a time; beyond that, idle ones are forgotten


class RateLimit:
    """Limits the requests per second of each address; a second's worth may come at once (a token bucket)."""

    def __init__(self, app: App, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._per_second = per_second
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # by address: requests left at a time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self.takes((scope.get("client") or ("", 0))[0]):
            message = f"More than {self._per_second:,} requests per second. Try again in a moment."
            await refuse(scope, receive, send, ErrorResponse(429, "too_many_requests", message, _RETRY))
            return
        await self._app(scope, receive, send)

    def takes(self, address: str) -> bool:
        """Count a request of an address; return True if it is allowed."""
        now = self._clock()
        left, before = self._left.get(address, (float(self._per_second), now))
        left = min(float(self._per_second), left + (now - before) * self._per_second)
        if len(self._left) >= _ADDRESSES:
            self._left = {each: state for each, state in self._left.items() if now - state[1] < 1}
        self._left[address] = (max(0.0, left - 1) if left >= 1 else left, now)
        return left >= 1


class RequestLimit:
    """Limits the number of requests in progress."""

    def __init__(self, app: App, most: int) -> None:
        self._app = app
        self._most = most
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self.running >= self._most:
            message = f"{self._most} requests are in progress already. Try again in a moment."
            await refuse(scope, receive, send, ErrorResponse(503, "busy", message, _RETRY))
            return
        self.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1


class BodyLimit:
    """Reads the whole body before the application sees the request; refuses one that is too long or too slow.

    A body that is declared too long is not read at all.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._max_bytes = limits.body_bytes
        self._seconds = limits.body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = header(scope, b"content-length")
        if declared.isdecimal() and int(declared[:20]) > self._max_bytes:
            await refuse(scope, receive, send, self._too_long())
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            message = f"The body did not arrive within {self._seconds:.0f} seconds."
            await refuse(scope, receive, send, ErrorResponse(408, "too_slow", message))
            return
        if body is None:
            return  # the client has gone
        if len(body) > self._max_bytes:
            await refuse(scope, receive, send, self._too_long())
            return
        await self._app(scope, replay(bytes(body), receive), send)

    async def _read(self, receive: Receive) -> bytearray | None:
        """Read the body, or enough of it to show that it is too long; None if the client disconnects."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body") or len(body) > self._max_bytes:
                return body

    def _too_long(self) -> ErrorResponse:
        message = f"The body is longer than {size(self._max_bytes)}. Send less at once."
        return ErrorResponse(413, "too_long", message)
