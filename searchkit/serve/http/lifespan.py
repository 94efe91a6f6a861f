"""What lives beside the HTTP server for as long as it does, over the same engine: each an async context manager.

A companion is entered when the server listens, and left when its last request has been answered, before the engine closes.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from searchkit.daemon.protocol import Found, SearchRequest
from searchkit.daemon.search import find_with
from searchkit.daemon.server import DaemonSocket
from searchkit.serve.http.state import AppState

Companion = Callable[[AppState], AbstractAsyncContextManager[object]]

_log = logging.getLogger(__name__)


@asynccontextmanager
async def warm_engine(state: AppState) -> AsyncIterator[None]:
    """Searches of the command and the terminal UI, over a socket. Without it they search by themselves."""

    async def find(request: SearchRequest) -> Found:
        return await state.pool.run(lambda library: find_with(library, request))

    socket = DaemonSocket(state.home, find)
    try:
        await socket.open()
    except OSError as error:
        _log.warning("searches of the command are not answered here: %s", error)
    try:
        yield
    finally:
        await socket.close()


COMPANIONS: tuple[Companion, ...] = (warm_engine,)


@asynccontextmanager
async def lifespan(state: AppState) -> AsyncIterator[None]:
    """All of them."""
    async with AsyncExitStack() as stack:
        for start in COMPANIONS:
            await stack.enter_async_context(start(state))
        yield
