"""Serves MCP over standard input and output: to one client, which has started this process."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, cast

from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit.serve.mcp.wire import Wire, take_stdout
from searchkit.serve.pool import LibraryPool

_LEAVE_SECONDS = 5.0


def serve_stdio(library: Library, collections: Sequence[str] = ()) -> None:
    """Answer until standard input ends. A single thread searches: one client can wait for its answers in turn."""
    out = take_stdout()
    if sys.stdin is None:  # closed already
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    pool = LibraryPool(library, workers=1)
    pool.submit(lambda own: warm_up(own, collections))  # while the protocol's modules load
    try:
        _run(pool, Wire(sys.stdin.buffer, out), collections)
    finally:
        pool.close(_LEAVE_SECONDS)


def warm_up(library: Library, collections: Sequence[str]) -> None:
    """Load models and indexes, so that the first search need not. What is in the way, that will say."""
    try:
        library.warm_up(collections)
    except SearchkitError:
        return


def _run(pool: LibraryPool, wire: Wire, collections: Sequence[str]) -> None:
    import anyio
    from mcp.server.stdio import stdio_server

    from searchkit.serve.mcp.server import mcp_server

    async def serve() -> None:
        server = mcp_server(pool, collections)
        line = cast("Any", wire)  # has what of a file is used
        async with stdio_server(stdin=line, stdout=line) as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)


def _leave(_: int, __: FrameType | None) -> None:
    """End at once: nothing here writes, so nothing is lost, and a thread that waits for input cannot be woken."""
    os._exit(0)
