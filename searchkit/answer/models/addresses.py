"""Addresses of model servers: as a user writes them, and whether they stay on this machine."""

import ipaddress
from urllib.parse import urlsplit

from searchkit.errors import UsageError


def base_url(given: str) -> str:
    """`http://HOST:PORT/v1` from what a user writes: without the scheme, without the path, or with a slash behind it.

    Raises UsageError for what is no such address.
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
        raise UsageError(f"'{given}' is no address of a model server.", remedy="Write such as http://127.0.0.1:11434.")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def server_root(base: str) -> str:
    """The address without its /v1, below which servers have what OpenAI's has not."""
    return base.removesuffix("/v1")


def is_loopback(base: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
