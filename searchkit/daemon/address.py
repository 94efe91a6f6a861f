"""The daemon's address: a file in the data directory that only the user can read, removed when the daemon ends."""

import json
from dataclasses import asdict, dataclass

from searchkit import __version__
from searchkit.files import make_private_folder, write_atomically
from searchkit.home import Home


@dataclass(frozen=True, slots=True)
class Address:
    """The path of a Unix socket, or "" and a port of the loopback interface. Clients must send the `key`."""

    socket: str
    port: int
    key: str
    version: str = __version__


def write_address(home: Home, address: Address) -> None:
    """Publish the address of the daemon of a data directory, in place of an earlier one."""
    write_atomically(
        make_private_folder(home.path) / home.daemon_address.name, json.dumps(asdict(address)).encode()
    )  # mkstemp: 0600


def read_address(home: Home) -> Address | None:
    """Read the address; None if there is none, or its daemon is another version of searchkit."""
    try:
        address = Address(**json.loads(home.daemon_address.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return address if address.version == __version__ else None


def forget_address(home: Home, address: Address) -> None:
    """Withdraw an address, unless another daemon has published its own since."""
    if read_address(home) == address:
        home.daemon_address.unlink(missing_ok=True)
