"""Asks the daemon of a data directory. On any failure the caller searches in its own process."""

import socket
from collections.abc import Sequence

from searchkit.daemon.protocol import LONGEST_LINE, Address, read_address, read_answer_line, request_line
from searchkit.errors import SearchkitError
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import Hit

_CONNECT_SECONDS = 0.25  # it is on this machine: if it does not answer at once, it is not running
_ANSWER_SECONDS = 10.0  # a daemon that is busy for longer is slower than loading the model here
_BUFFER = 1 << 16


def find(home: Home, request: SearchRequest) -> SearchResponse:
    """Search by the daemon, or by a library opened for this search. Raises what `Library.find` raises."""
    if response := ask_daemon(home, request):
        return response
    from searchkit.library import Library

    with Library(home) as library:
        return library.find(request)


def ask_daemon(home: Home, request: SearchRequest) -> SearchResponse | None:
    """Have the daemon of a data directory search; None if none runs, or it cannot answer.

    Raises what `Library.find` raises for a request that makes no sense.
    """
    address = read_address(home)
    if address is None:
        return None
    try:
        answer = read_answer_line(_exchange(address, request_line(request, address.key)))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if isinstance(answer, SearchkitError):
        raise answer
    return answer


def is_answering(home: Home) -> bool:
    """Return True if the daemon of a data directory accepts connections."""
    address = read_address(home)
    if address is None:
        return False
    try:
        _connected(address).close()
    except OSError:
        return False
    return True


def _exchange(address: Address, line: bytes) -> bytes:
    with _connected(address) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.sendall(line)
        received = bytearray()
        while not received.endswith(b"\n"):
            part = connection.recv(_BUFFER)
            if not part or len(received) > LONGEST_LINE:
                raise ConnectionError("the daemon broke off")
            received += part
        return bytes(received)


def _connected(address: Address) -> socket.socket:
    if not address.socket:
        return socket.create_connection(("127.0.0.1", address.port), _CONNECT_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(address.socket)
    except BaseException:
        connection.close()
        raise
    return connection


class DaemonLibrary(Library):
    """A Library, except that the daemon searches if one answers."""

    def find(self, request: SearchRequest) -> SearchResponse:
        """See Library."""
        return ask_daemon(self.home, request) or super().find(request)

    def warm_up(self, collections: Sequence[str] = ()) -> None:
        """See Library; does nothing if there is a daemon, which has done it."""
        if not is_answering(self.home):
            super().warm_up(collections)

    def _hits(self, request: SearchRequest) -> list[Hit]:
        response = ask_daemon(self.home, request)
        return list(response.hits) if response else super()._hits(request)
