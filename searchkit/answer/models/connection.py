"""Connections to model servers: addresses as users write them, clients that stay on this machine, replies that can be cut."""

import ipaddress
import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from searchkit.errors import UsageError

if TYPE_CHECKING:
    import httpx2

INFO_SECONDS = 5.0


def base_url(given: str) -> str:
    """Make `http://HOST:PORT/v1` of what a user writes: without the scheme, without the path, or with a slash at the end.

    Raises UsageError for anything that is not such an address.
    """
    text = given.strip()
    if "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    try:
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(
            f"'{given}' is not an address of a model server.", remedy="Write one such as http://127.0.0.1:11434."
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def server_root(base: str) -> str:
    """The address without its /v1, below which servers have what is not part of OpenAI's API."""
    return base.removesuffix("/v1")


def is_loopback(base: str) -> bool:
    """True if what is sent there stays on this machine."""
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_client(base: str, api_key: str = "", seconds: float = INFO_SECONDS) -> "httpx2.Client":
    """Open a client that follows no redirect, which could leave the machine, and uses no proxy on loopback."""
    import httpx2

    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return httpx2.Client(headers=headers, timeout=seconds, trust_env=not is_loopback(base), follow_redirects=False)


class ReplyConnection:
    """The connection of a reply, which another thread can cut while one waits for it."""

    def __init__(self) -> None:
        self._response: httpx2.Response | None = None
        self._is_cut = False

    def hold(self, response: "httpx2.Response") -> None:
        """Remember the response to cut; cut it now if that was asked for already."""
        self._response = response
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Wake the reader; the server sees the connection close, and stops too."""
        self._is_cut = True
        stream = self._response.extensions.get("network_stream") if self._response else None
        connection = stream.get_extra_info("socket") if stream else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
