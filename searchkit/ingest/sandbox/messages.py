"""What an index run and its workers agree on: limits, which a worker sets itself before it opens a file, and messages.

Messages are lines of JSON, so that nothing a worker sends is executed.
"""

import base64
import json
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from searchkit.types import Chunk

CHUNKS_AT_ONCE = 256  # in one line of an answer
MOST_LIMITS = 20  # times the limit that a file may take in total while its text keeps coming, as from OCR
_FORBIDDEN = (
    "socket.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.spawn",
    "os.startfile",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "shutil.",
    "ftplib.",
    "smtplib.",
    "urllib.",
    "webbrowser.",
)
_PROGRAMS = frozenset(("tesseract", "unrar", "unar", "lsar", "7z", "7zz", "bsdtar"))  # OCR, and what unpacks RAR
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for one file. `memory_bytes`: of the worker; `text_characters`: of the text that it returns. `contained`: True
    to read the files inside files too.
    """

    file_bytes: int
    seconds: int
    memory_bytes: int = 512_000_000
    text_characters: int = 200_000_000
    contained: bool = True


@dataclass(frozen=True, slots=True)
class Setup:
    """The arguments of a worker. `count_tokens` is sent pickled, only from the run to the worker."""

    count_tokens: Callable[[str], int]
    max_tokens: int
    limits: Limits

    def encode(self) -> str:
        """Encode as text for a command's standard input. Raises TypeError if the counter cannot be pickled."""
        try:
            return base64.b64encode(pickle.dumps(self)).decode()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"count_tokens of an embedder is sent to worker processes and must be picklable: {error}"
            ) from error

    @classmethod
    def decode(cls, text: str) -> "Setup":
        """Decode the text made by `encode`."""
        setup = pickle.loads(base64.b64decode(text))  # noqa: S301 (it comes from the process that started us)
        assert isinstance(setup, cls)
        return setup


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read. `format`: "" to detect it from the content; `known_hash`: if the content has it, the file is not read."""

    path: str
    format: str
    size_bytes: int
    known_hash: str = ""


class Chunks(Protocol):
    """A file's chunks, wherever they are stored."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Chunk]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The outcome of reading a file inside a file. `inside`: its name there. `reason`: "" if it was read; then its text is the
    next `chunk_count` of the reading's chunks, which else are dropped. `mtime_ns`: None if the file around it does not say.
    """

    inside: str
    format: str = ""
    content_hash: str = ""
    size_bytes: int = 0
    mtime_ns: int | None = None
    reason: str = ""
    remedy: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    scanned_pages: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    chunk_count: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """The outcome of reading a file.

    `reason` is "" if it was read; then `chunks` has its text, and after it that of its `parts`, unless it was `unchanged`.
        The sizes and times are those of
        the file when reading began, None if it could not be opened (`is_lasting` is then False: try again next time).
    """

    job: Job
    format: str = ""
    content_hash: bytes | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    reason: str = ""
    remedy: str = ""
    is_lasting: bool = True
    unchanged: bool = False
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    scanned_pages: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    chunks: Chunks = ()
    parts: tuple[Part, ...] = ()

    @property
    def own_chunks(self) -> int:
        """The number of chunks that are the file's own."""
        return len(self.chunks) - sum(part.chunk_count for part in self.parts)


def to_line(message: Mapping[str, Any]) -> bytes:
    """One line; lone surrogates of file names survive as escapes."""
    return json.dumps(message).encode("ascii") + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """Parse the message on a line."""
    message: dict[str, Any] = json.loads(line)
    return message


_IN_MEMORY_BYTES = 4_000_000


class ChunkSpool:
    """Stores the workers' lines as received, and turns them into chunks on request, any number of times."""

    def __init__(self) -> None:
        self._lines = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 (it outlives this call)
        self._count = 0

    def add(self, line: bytes, count: int) -> None:
        """Store a line with `count` chunks."""
        self._lines.write(line)
        self._count += count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Chunk]:
        if not self._count:
            return
        self._lines.seek(0)
        for line in self._lines:
            yield from (Chunk(**chunk) for chunk in from_line(line)["chunks"])

    def close(self) -> None:
        """Drop the stored lines."""
        self._lines.close()
        self._count = 0

    def __del__(self) -> None:
        self._lines.close()  # a run that is stopped leaves readings that nobody uses


class ForbiddenError(PermissionError):
    """A reader tried something that no reader needs: the network, another program, a change to the disk."""


def limit_resources(memory_bytes: int) -> None:
    """Limit memory, core files and open files. Linux limits a process's data; elsewhere only time is limited."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    _, hardest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hardest), hardest))


def limit_time(seconds: int) -> None:
    """End this process after that many seconds, even if no other process is left to end it; 0 removes the limit."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def forbid_side_effects() -> None:
    """Forbid Python code in this process to use the network, start programs or write outside its own folder.

    It guards against libraries' side effects, not against hostile machine code.
    """
    own_folder = Path(tempfile.gettempdir()).resolve()

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN) and not _is_inside(arguments[0] if arguments else None, own_folder):
            raise ForbiddenError(f"a reader may not use {event}")
        if event == "subprocess.Popen" and Path(os.fsdecode(arguments[0])).stem not in _PROGRAMS:
            raise ForbiddenError(f"a reader may not start {arguments[0]}")
        if event == "open" and _writes(arguments) and not _is_inside(arguments[0], own_folder):
            raise ForbiddenError(f"a reader may not write {arguments[0]}")

    sys.addaudithook(refuse)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(int(flags or 0) & _WRITING)


def _is_inside(path: object, folder: Path) -> bool:
    """True if a path is in the folder; open files and null devices count as inside."""
    if isinstance(path, int) or path == os.devnull:
        return True
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.path.realpath(os.fsdecode(path))).is_relative_to(folder)
