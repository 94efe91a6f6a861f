"""The messages between an index run and its workers: lines of JSON, so that nothing a worker sends is executed; and the spool."""

import base64
import json
import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from searchkit.types import Chunk

CHUNKS_AT_ONCE = 256  # in one line of an answer


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
