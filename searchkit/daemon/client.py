"""Asks a running engine. Whatever goes wrong on the way, the caller searches by itself, and nobody notices."""

import socket

from searchkit.daemon.address import Address, read_address
from searchkit.daemon.protocol import LONGEST_LINE, read_answer_line, request_line
from searchkit.errors import SearchkitError
from searchkit.home import Home
from searchkit.search.request import SearchRequest, SearchResponse

_CONNECT_SECONDS = 0.25  # it is on this machine; one that does not answer at once is not there
_ANSWER_SECONDS = 10.0  # an engine that is so busy is slower than loading the model here
_BUFFER = 1 << 16


def ask_daemon(home: Home, request: SearchRequest) -> SearchResponse | None:
    """What the engine of a data directory finds; None if none runs, or it cannot answer.

    Raises what `Library.search` raises for a request that makes no sense.
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
    """Whether an engine of the data directory can be connected to."""
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
                raise ConnectionError("the engine broke off")
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
