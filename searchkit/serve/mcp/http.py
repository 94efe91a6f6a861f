"""Serves MCP over Streamable HTTP: as a part of another server, or alone.

Each request stands for itself, without a session: a server that was started again goes on where the old one was.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response

from searchkit.serve.mcp.server import mcp_server
from searchkit.serve.pool import LibraryPool

if TYPE_CHECKING:
    from searchkit.serve.http.middleware.asgi import Receive, Scope, Send

_BODY_BYTES = 1_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class McpOverHttp:
    """An ASGI application that answers MCP, whatever the path. It works while `running` is entered, which it can be once."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    def running(self) -> AbstractAsyncContextManager[None]:
        """For the lifespan of the server that this is a part of."""
        return self._manager.run()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request. There is nothing to listen to: the server never speaks first."""
        if scope["type"] == "http" and scope["method"] != "POST":
            await Response("This address answers POST alone.\n", 405, {"allow": "POST"})(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


def streamable_http_app(pool: LibraryPool, collections: Sequence[str] = (), *, is_guarded: bool = False) -> McpOverHttp:
    """The tools over HTTP. `collections`: the only ones to show, none named: all.

    Requests that name a host, or come from a web page, that is not this machine are refused, unless `is_guarded` says that
    they have been looked at before. To put it into another application:
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
