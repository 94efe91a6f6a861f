"""Who asks: names each caller to the pools, where callers take turns, and stops the work for one that has gone."""

import asyncio
from contextlib import suppress

from searchkit.serve.http.middleware.asgi import App, Message, Receive, Scope, Send, header
from searchkit.serve.http.middleware.guards import OPEN_PATHS
from searchkit.serve.pool import CALLER

# Of what is open to anyone no body is read; the SDK of MCP has tasks of its own, which must not be cancelled from outside.
_UNWATCHED = OPEN_PATHS | {"/mcp"}


class CallerWatch:
    """Passes a request on as its caller's, and cancels it when the caller disconnects before it is answered.

    A caller is a program on a machine: its address with its token and User-Agent, however many connections it has. It must
    see requests whose body has been read (see BodyLimit): after that, only the end of the connection can come.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See above."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        CALLER.set(caller_of(scope))
        if scope["path"] in _UNWATCHED:
            await self._app(scope, receive, send)
            return
        body = await receive()
        gone = asyncio.ensure_future(receive())
        answered = asyncio.ensure_future(self._app(scope, _replaying(body, gone), send))
        try:
            await asyncio.wait({gone, answered}, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done() and gone.result()["type"] == "http.disconnect":
                answered.cancel()
                with suppress(asyncio.CancelledError):
                    await answered
                return
            await answered
        finally:
            gone.cancel()
            answered.cancel()


def caller_of(scope: Scope) -> str:
    """Name whoever sent a request, for turns in the pools."""
    address = (scope.get("client") or ("", 0))[0]
    return "\n".join((address, header(scope, b"authorization"), header(scope, b"user-agent")))


def _replaying(body: Message, gone: "asyncio.Future[Message]") -> Receive:
    """Return a `receive` that gives the body once, and then waits for the client to disconnect."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return body
        return await asyncio.shield(gone)

    return receive
