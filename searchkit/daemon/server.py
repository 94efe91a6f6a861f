"""The daemon's end of the socket: answers searches of the same user's programs, alongside whatever else the process serves."""

import asyncio
import logging
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from searchkit.daemon.client import is_answering
from searchkit.daemon.protocol import (
    LONGEST_REQUEST,
    Address,
    error_line,
    forget_address,
    read_request_line,
    response_line,
    write_address,
)
from searchkit.errors import SearchkitError
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder
from searchkit.home import Home
from searchkit.search.request import SearchRequest, SearchResponse

Find = Callable[[SearchRequest], Awaitable[SearchResponse]]

_log = logging.getLogger(__name__)
_LONGEST_PATH = 100  # bytes, where the system's limit for a socket's path is 104 to 108
_READ_SECONDS = 5.0
_WRITE_SECONDS = 10.0
_CLOSE_SECONDS = 5.0


class DaemonSocket:
    """Answers the searches of a data directory's user with `find`, between `open` and `close`."""

    def __init__(self, home: Home, find: Find) -> None:
        self._home = home
        self._find = find
        self._server: asyncio.Server | None = None
        self._address: Address | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen and publish the address, unless another daemon of the data directory answers already.

        Raises OSError if the data directory cannot be written.
        """
        if await asyncio.to_thread(is_answering, self._home):
            return
        make_private_folder(self._home.path)
        key = secrets.token_urlsafe(32)
        if hasattr(socket, "AF_UNIX"):
            path = self._socket_path()
            self._server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST_REQUEST)
            Path(path).chmod(PRIVATE_FILE_MODE)
            self._address = Address(path, 0, key)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_REQUEST)
            self._address = Address("", self._server.sockets[0].getsockname()[1], key)
        write_address(self._home, self._address)

    async def close(self) -> None:
        """Take no new searches, and answer those under way."""
        if self._server is None or self._address is None:
            return
        forget_address(self._home, self._address)
        self._server.close()
        if self._answering:
            await asyncio.wait(self._answering, timeout=_CLOSE_SECONDS)
        if self._address.socket:
            Path(self._address.socket).unlink(missing_ok=True)
        if self._folder:
            self._folder.cleanup()
        self._server = self._address = None

    def _socket_path(self) -> str:
        """Return a path in the data directory, or in a temporary folder if that would be too long for a socket."""
        path = str(self._home.path / f"engine-{secrets.token_hex(4)}.sock")
        if len(path.encode()) <= _LONGEST_PATH:
            self._remove_leftovers()
            return path
        self._folder = tempfile.TemporaryDirectory(prefix="searchkit-")  # only the user can look into it
        return str(Path(self._folder.name) / "engine.sock")

    def _remove_leftovers(self) -> None:
        """Remove the sockets of daemons that were killed: nobody answers there."""
        for path in self._home.path.glob("engine-*.sock"):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink(missing_ok=True)
                except OSError:
                    continue

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        with suppress(OSError, asyncio.TimeoutError):  # the client has disconnected, or uses another protocol
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), _READ_SECONDS)
            text, request = read_request_line(line)
            key = text.encode()
        except (ValueError, TypeError, KeyError, AttributeError, SearchkitError):
            return
        if self._address is None or not secrets.compare_digest(key, self._address.key.encode()):
            return
        writer.write(await self._line(request))
        await asyncio.wait_for(writer.drain(), _WRITE_SECONDS)

    async def _line(self, request: SearchRequest) -> bytes:
        try:
            return response_line(await self._find(request))
        except SearchkitError as error:
            return error_line(error)
        except Exception as error:  # noqa: BLE001 (the client searches by itself; logged without its text)
            _log.error("a search over the socket failed: %s", type(error).__name__)
            return error_line(None)
