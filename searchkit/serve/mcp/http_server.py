"""`searchkit mcp --http`: a server of its own, on this machine alone."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.serve.http.middleware.asgi import App
from searchkit.serve.http.middleware.guards import TokenGuard
from searchkit.serve.http.middleware.rate_limits import BodyLimit
from searchkit.serve.http.options import Limits
from searchkit.serve.mcp.http import streamable_http_app
from searchkit.serve.mcp.stdio import warm_up
from searchkit.serve.pool import LibraryPool

DEFAULT_PORT = 7750
PATH = "/mcp"
_HOST = "127.0.0.1"
_WORKERS = 2
_LEAVE_SECONDS = 5


def serve_http(
    library: Library, port: int, token: str, collections: Sequence[str], on_ready: Callable[[str], None]
) -> None:
    """Answer until the process is told to stop. `token`: what clients must show, "" for nothing; `port` 0 takes a free one.

    `on_ready` is given the address. Raises UsageError for a port that is taken.
    """
    listening = _listen(port)
    pool = LibraryPool(library, workers=_WORKERS)
    pool.submit(lambda own: warm_up(own, collections))
    config = uvicorn.Config(
        _application(pool, token, collections),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=Limits().requests,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when it has ended
        signal.signal(number, lambda *_: None)
    on_ready(f"http://{_HOST}:{listening.getsockname()[1]}{PATH}")
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

    application: App = BodyLimit(Starlette(routes=[Route(PATH, endpoint=mcp)], lifespan=lifespan), Limits())
    return TokenGuard(application, token) if token else application


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"Port {port} cannot be used: {reason}. Choose another: --port 0 takes a free one.") from error
