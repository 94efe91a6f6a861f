"""Where a running engine listens: a file in the data directory that only the user can read, gone when the engine has ended."""

import json
from dataclasses import asdict, dataclass

from searchkit import __version__
from searchkit.files import make_private_folder, write_atomically
from searchkit.home import Home


@dataclass(frozen=True, slots=True)
class Address:
    """A Unix socket's path, or where there are none ("") a port of the loopback interface. `key` lets a client in."""

    socket: str
    port: int
    key: str
    version: str = __version__


def write_address(home: Home, address: Address) -> None:
    """Tell the clients of a data directory where its engine is, in place of what was told before."""
    write_atomically(
        make_private_folder(home.path) / home.daemon_address.name, json.dumps(asdict(address)).encode()
    )  # mkstemp: 0600


def read_address(home: Home) -> Address | None:
    """Where the engine is; None if none was told of, or it is of another version of searchkit."""
    try:
        address = Address(**json.loads(home.daemon_address.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return address if address.version == __version__ else None


def forget_address(home: Home, address: Address) -> None:
    """Take back what was told, unless another engine has told of itself since."""
    if read_address(home) == address:
        home.daemon_address.unlink(missing_ok=True)
