"""The chunks of one file on their way into the catalog: in memory while they are few, on the disk when they are many."""

import tempfile
from collections.abc import Iterator

from searchkit.ingest.sandbox.messages import from_line
from searchkit.types import Chunk

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
