"""MCP over standard input and output: for one client, which has started this process.

Standard output carries the protocol alone: whatever else the process writes goes to standard error. If the input ends
before everything is answered, as at the end of a pipe, the answers are still sent.
"""

import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, cast

import anyio

from searchkit.library import Library
from searchkit.serve.pool import LibraryPool

_STDOUT, _STDERR = 1, 2
_LEAVE_SECONDS = 5.0
_ANSWER_SECONDS = 20.0  # for what was asked before the input ended; a client that is gone waits for nothing


def serve_stdio(library: Library, collections: Sequence[str] = ()) -> None:
    """Answer until standard input ends. One thread is enough: a single client can wait for its answers in turn."""
    out = take_stdout()
    if sys.stdin is None:  # closed already
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    pool = LibraryPool(library, workers=1)
    pool.warm_up(collections)  # while the protocol's modules load
    try:
        _run(pool, Wire(sys.stdin.buffer, out), collections)
    finally:
        pool.close(_LEAVE_SECONDS)


def take_stdout() -> io.BufferedWriter:
    """Return standard output for the caller alone, and redirect file descriptor 1, which native libraries use, to stderr."""
    sys.stdout.flush()
    private = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return os.fdopen(private, "wb")


class Wire:
    """The lines of the protocol. Iterating gives the lines that come in; it is written to like a file."""

    def __init__(self, lines_in: Iterable[bytes], out: io.BufferedWriter) -> None:
        self._lines = iter(lines_in)
        self._out = out
        self._asked: set[str] = set()
        self._all_answered = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines that come in, until the input ends and what they ask is answered."""
        while line := await anyio.to_thread.run_sync(next, self._lines, b""):
            text = _without_lone_surrogates(line.decode("utf-8", "replace"))
            self._note(_read(text))
            yield text
        if self._asked:
            with anyio.move_on_after(_ANSWER_SECONDS):
                await self._all_answered.wait()

    async def write(self, text: str) -> None:
        """Send lines. If nobody reads them any more, nothing happens: then the input ends as well."""
        with suppress(BrokenPipeError):
            await anyio.to_thread.run_sync(self._write, text.encode())
        self._note(_read(text))

    def _note(self, message: dict[str, Any]) -> None:
        """Keep account of what has been asked and not answered."""
        if message.get("method") == "notifications/cancelled":
            self._asked.discard(_text(message.get("params", {}).get("requestId")))
        elif "method" not in message:
            self._asked.discard(_text(message.get("id")))
        elif "id" in message:
            self._asked.add(_text(message["id"]))
            self._all_answered = anyio.Event()
        if not self._asked:
            self._all_answered.set()

    async def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def _write(self, content: bytes) -> None:
        self._out.write(content)
        self._out.flush()


def _run(pool: LibraryPool, wire: Wire, collections: Sequence[str]) -> None:
    from mcp.server.stdio import stdio_server

    from searchkit.serve.mcp.server import mcp_server

    async def serve() -> None:
        server = mcp_server(pool, collections)
        line = cast("Any", wire)  # it has those methods of a file that are used
        async with stdio_server(stdin=line, stdout=line) as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)


def _leave(_: int, __: FrameType | None) -> None:
    """Exit at once: nothing is written here, so nothing is lost, and a thread that waits for input cannot be woken."""
    os._exit(0)


def _without_lone_surrogates(text: str) -> str:
    r"""Replace half a surrogate pair (`\ud83d`): models cut emojis in half, and such JSON would never be answered."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return json.dumps(_read(text), ensure_ascii=False).encode("utf-8", "replace").decode() + "\n"


def _text(message_id: object) -> str:
    """Return an id as text in which 1 and "1" differ."""
    return json.dumps(message_id)


def _read(text: str) -> dict[str, Any]:
    """Parse a message; {} if it is not one."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
