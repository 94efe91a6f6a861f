"""The options of the server, from the command and the table [serve], checked."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from searchkit.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what clients may use. A request beyond them is answered with 408, 413, 429, 431 or 503, and what to do.

    `requests`: in progress at once; `requests_per_second`: of one address, of which a second's worth may come at once.
    `head_seconds`, `body_seconds`: until the head, or the body, of a request has arrived; `send_seconds`: until a client
    has accepted a piece of a response. `drain_seconds`: time to finish for running requests when the server stops.
    """

    body_bytes: int = 8_000_000
    head_bytes: int = 32_768
    connections: int = 512
    requests: int = 64
    requests_per_second: int = 200
    head_seconds: float = 15.0
    body_seconds: float = 20.0
    send_seconds: float = 60.0
    drain_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of the server.

    `names`: further host names of this machine; `origins`: web pages that may use the server. `port`: 0 for any free one.
    `needs_token`: whether requests must carry the token. `workers`: searches at once, 0 for one per core. `aliases`: further
    names of models and collections.
    Raises UsageError for impossible values, and for a server that others could reach without a token.
    """

    host: str = "127.0.0.1"
    port: int = 7749
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    needs_token: bool = True
    allows_indexing: bool = False
    workers: int = 0
    llm: str = ""
    llm_model: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"There is no port {self.port}.", remedy="Ports are 1 to 65535; 0 takes any free one.")
        if not self.is_loopback and not self.needs_token:
            raise UsageError(
                f"At {self.host} others can reach the server, so it needs the token.",
                remedy="Keep the token, or listen on this machine alone.",
            )
        for name in self.names:
            if not _NAME.fullmatch(name) and not _is_address(name):
                raise UsageError(
                    f"'{name}' is not a host name.", remedy="Give one such as host.docker.internal, without a port."
                )
        for origin in self.origins:
            _check_origin(origin)
        object.__setattr__(
            self, "origins", tuple(origin.lower() for origin in self.origins)
        )  # browsers send lower case

    @property
    def is_loopback(self) -> bool:
        """True if only programs on this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return True if a host is this machine, and cannot be made to resolve to another."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or "*" in origin:
        raise UsageError(
            f"'{origin}' is not the origin of a web page.",
            remedy="Give one such as http://localhost:3000, without a path.",
        )
