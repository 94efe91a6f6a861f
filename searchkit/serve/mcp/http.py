"""MCP over Streamable HTTP: as a part of another server, or as a server of its own (`searchkit mcp --http`).

Each request is independent, without a session, so that clients notice nothing of a server that was restarted.
"""

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from searchkit.errors import Action, Option, Remedy, UsageError
from searchkit.library import Library
from searchkit.serve.http.middleware.asgi import App, Receive, Scope, Send
from searchkit.serve.http.middleware.guards import TokenGuard
from searchkit.serve.http.middleware.rate_limits import BodyLimit
from searchkit.serve.http.options import Limits
from searchkit.serve.mcp.server import mcp_server
from searchkit.serve.pool import LibraryPool

_PATH = "/mcp"
_HOST = "127.0.0.1"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_BODY_BYTES = 1_000_000
_WORKERS = 2
_LEAVE_SECONDS = 5


class McpOverHttp:
    """An ASGI application that answers MCP, whatever the path. It works while `running` is entered, which it can be once."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return the context for the lifespan of the server that this is a part of."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. GET is refused: this server never speaks first, so there is nothing to listen to."""
        if scope["type"] == "http" and scope["method"] != "POST":
            await Response("This address answers POST alone.\n", 405, {"allow": "POST"})(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


def streamable_http_app(pool: LibraryPool, collections: Sequence[str] = (), *, is_guarded: bool = False) -> McpOverHttp:
    """Return the tools as an application. `collections`: the only ones to show; none named means all.

    Requests that name another host, or come from a web page of another machine, are refused, unless `is_guarded` says
    that this has been checked before. To put it into another application:
    `routes.append(Route("/mcp", endpoint=app))`, and in its lifespan `async with app.running(): yield`.
    """
    hosts = [*_LOOPBACK, *(f"{name}:*" for name in _LOOPBACK)]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=not is_guarded,
        allowed_hosts=hosts,
        allowed_origins=[f"http://{host}" for host in hosts],
    )
    manager = StreamableHTTPSessionManager(
        mcp_server(pool, collections),
        json_response=True,
        stateless=True,
        security_settings=security,
        max_request_body_size=_BODY_BYTES,
    )
    return McpOverHttp(manager)


def serve_http(
    library: Library, port: int, token: str, collections: Sequence[str], on_ready: Callable[[str], None]
) -> None:
    """Serve on this machine alone until a signal comes. `token`: that clients must send, "" for none; `port` 0: any.

    `on_ready` is given the URL. Raises UsageError for a port that is taken.
    """
    listening = _listen(port)
    pool = LibraryPool(library, workers=_WORKERS)
    pool.warm_up(collections)
    config = uvicorn.Config(
        _application(pool, token, collections),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=Limits().requests,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has ended
        signal.signal(number, lambda *_: None)
    on_ready(f"http://{_HOST}:{listening.getsockname()[1]}{_PATH}")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        pool.close(_LEAVE_SECONDS)


def _application(pool: LibraryPool, token: str, collections: Sequence[str]) -> App:
    mcp = streamable_http_app(pool, collections)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with mcp.running():
            yield

    application: App = BodyLimit(Starlette(routes=[Route(_PATH, endpoint=mcp)], lifespan=lifespan), Limits())
    return TokenGuard(application, token) if token else application


def _listen(port: int) -> socket.socket:
    try:
        listening = socket.create_server((_HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        another = Remedy(Action.CHANGE_OPTION, option=Option.PORT, sentence="Choose another")
        raise UsageError(f"Port {port} cannot be used: {reason}.", remedy=another) from error
    # With its protocol named: asyncio then sends small packets at once (TCP_NODELAY).
    return socket.socket(listening.family, listening.type, socket.IPPROTO_TCP, fileno=listening.detach())
