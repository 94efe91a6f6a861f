"""A model hub on loopback: answers like the real one where searchkit asks it, and breaks where a test tells it to."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from tests.support.loopback_server import QuietHandler, loopback_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "a" * 34
_LFS_SUFFIXES = {".safetensors", ".bin", ".onnx", ".model"}
_LFS_BYTES = 1_000_000
_PIECE_BYTES = 1 << 20
_COMMIT_ID = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Request:
    """One GET of a file, as the server that has the content saw it: the first byte asked for, and bytes sent."""

    file: str
    begin: int
    sent_bytes: int
    token: str


@dataclass
class Repository:
    """A folder as a repository. What a test may set: who may read it, and what goes wrong with which file.

    `breaks`: offsets of a file after which the connection is cut, used up one by one; `dead_end`: an offset behind
    which nothing of a file is ever sent. `changed`: files of which one byte is altered on the way. `claimed_bytes`:
    sizes that the listing claims.
    """

    folder: Path
    gated: bool = False
    readers: tuple[str, ...] = ()
    breaks: dict[str, list[int]] = field(default_factory=dict)
    dead_end: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    claimed_bytes: dict[str, int] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by its path in the repository."""
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in found}

    def listing(self) -> dict[str, object]:
        """The API's description of the repository."""
        siblings = [self._sibling(name, path) for name, path in self.files.items()]
        return {"id": "x/y", "sha": COMMIT, "gated": "manual" if self.gated else False, "siblings": siblings}

    def is_lfs(self, name: str) -> bool:
        """True if the hub would keep the file outside git."""
        return Path(name).suffix in _LFS_SUFFIXES or self.files[name].stat().st_size > _LFS_BYTES

    def _sibling(self, name: str, path: Path) -> dict[str, object]:
        size = self.claimed_bytes.get(name, path.stat().st_size)
        sibling: dict[str, object] = {"rfilename": name, "size": size, "blobId": "f" * 40}
        if self.is_lfs(name):
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return {**sibling, "lfs": {"sha256": sha256, "size": size, "pointerSize": 134}}
        content = path.read_bytes()
        return {**sibling, "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}


@dataclass
class LoopbackHub:
    """The state of the two servers: the hub itself, and the one (of another origin) that large files come from."""

    endpoint: str = ""
    storage: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    answers: list[HTTPStatus] = field(default_factory=list)  # instead of the next listings
    agents: set[str] = field(default_factory=set)
    listed: list[str] = field(default_factory=list)  # REPOSITORY/REVISION of each listing that was asked for

    def fetched(self, file: str) -> list[Request]:
        """The requests for a file's content, in order."""
        return [request for request in self.requests if request.file == file]

    def sent_bytes(self, file: str) -> int:
        """Bytes of a file that went over the wire, in all."""
        return sum(request.sent_bytes for request in self.fetched(file))


@contextmanager
def loopback_hub(**repositories: Repository) -> Iterator[LoopbackHub]:
    """A running hub. Repositories are named OWNER__NAME here."""
    hub = LoopbackHub(repositories={name.replace("__", "/"): given for name, given in repositories.items()})
    with loopback_server(_Handler, hub=hub) as hub.endpoint, loopback_server(_Handler, hub=hub) as hub.storage:
        yield hub


class _Handler(QuietHandler):
    hub: ClassVar[LoopbackHub]

    def do_GET(self) -> None:
        self.hub.agents.add(self.headers.get("User-Agent", ""))
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/models/"):
            repository, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            self.hub.listed.append(f"{repository}/{revision}")
            self._checked(repository, revision, lambda found: self._json(found.listing()))
        elif path.startswith("/storage/"):
            owner, name, file = path.removeprefix("/storage/").split("/", 2)
            self._content(self.hub.repositories[f"{owner}/{name}"], file)
        else:
            repository, _, rest = path[1:].partition("/resolve/")
            revision, _, file = rest.partition("/")
            self._checked(repository, revision, lambda found: self._resolve(repository, found, file))

    def _checked(self, repository: str, revision: str, answer: Callable[[Repository], None]) -> None:
        """The hub's refusals, in its order: a bad token, no repository, no revision."""
        found = self.hub.repositories.get(repository)
        if self._token not in ("", TOKEN, "hf_other"):
            self._refuse(HTTPStatus.UNAUTHORIZED, "", "Invalid credentials in Authorization header")
        elif self.hub.answers and self.path.startswith("/api/"):
            self._refuse(self.hub.answers.pop(0), "", "")
        elif found is None and not self._token:
            self._refuse(HTTPStatus.UNAUTHORIZED, "", "Invalid username or password.")
        elif found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "RepoNotFound", "Repository not found")
        elif revision not in ("", "main") and not _COMMIT_ID.fullmatch(revision):  # it has every commit
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            answer(found)

    def _resolve(self, name: str, repository: Repository, file: str) -> None:
        if repository.gated and self._token not in repository.readers:
            status = HTTPStatus.FORBIDDEN if self._token else HTTPStatus.UNAUTHORIZED
            self._refuse(status, "GatedRepo", f"Access to model {name} is restricted.")
        elif file not in repository.files:
            self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
        elif repository.is_lfs(file):
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", f"{self.hub.storage}/storage/{name}/{file}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._content(repository, file)

    def _content(self, repository: Repository, file: str) -> None:
        path = repository.files[file]
        size = path.stat().st_size
        wanted = self.headers.get("Range", "")
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        end = repository.breaks[file].pop(0) if repository.breaks.get(file) else size
        end = max(min(end, repository.dead_end.get(file, end)), begin)
        self.hub.requests.append(Request(file, begin, end - begin, self._token))
        self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - begin))
        self.end_headers()
        with path.open("rb") as content:
            content.seek(begin)
            while piece := content.read(min(_PIECE_BYTES, end - content.tell())):
                changed = file in repository.changed and content.tell() == size
                self.wfile.write(piece[:-1] + bytes([piece[-1] ^ 1]) if changed else piece)
        # Where that was less than announced, the connection now ends early.

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        self.send_response(status)
        for header, value in (("X-Error-Code", code), ("X-Error-Message", message), ("Content-Length", "0")):
            if value:
                self.send_header(header, value)
        self.end_headers()

    @property
    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")
