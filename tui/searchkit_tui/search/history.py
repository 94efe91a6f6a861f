"""The queries of this session and those before it, in a file that the user alone can read."""

from collections.abc import Sequence
from pathlib import Path

from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, write_atomically
from searchkit.home import Home

MOST_QUERIES = 500


class History:
    """Queries, the last one last, each once, and a place among them that keys move.

    `home`: the data directory; None to keep nothing beyond the session.
    """

    def __init__(self, home: Home | None) -> None:
        self._file = home.history if home else None
        self._queries = list(_read(self._file))
        self._at = len(self._queries)
        self._draft = ""

    def add(self, query: str) -> None:
        """Keep a query, at the end, and leave the past."""
        cleaned = " ".join(query.split())
        if cleaned:
            others = [known for known in self._queries if known != cleaned]
            self._queries = [*others, cleaned][-MOST_QUERIES:]
        self._at = len(self._queries)

    def earlier(self, current: str) -> str:
        """The query before this one; what is not in the history yet is found again at its end."""
        if self._at == len(self._queries):
            self._draft = current
        self._at = max(0, self._at - 1)
        return self._shown(current)

    def later(self, current: str) -> str:
        """The query after this one, at last what was being written."""
        if self._at == len(self._queries):
            return current
        self._at += 1
        return self._shown(current)

    def save(self) -> None:
        """Write the file anew, together with what other sessions have written to it meanwhile. Raises OSError."""
        if self._file is None or not self._queries:
            return
        others = [known for known in _read(self._file) if known not in self._queries]
        kept = [*others, *self._queries][-MOST_QUERIES:]
        make_private_folder(self._file.parent)
        write_atomically(self._file, "".join(f"{query}\n" for query in kept).encode("utf-8", "replace"))
        self._file.chmod(PRIVATE_FILE_MODE)

    def _shown(self, current: str) -> str:
        if not self._queries:
            return current
        return self._draft if self._at == len(self._queries) else self._queries[self._at]


def _read(file: Path | None) -> Sequence[str]:
    """Queries of a file, none if there is none or it cannot be read."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines() if file else []
    except OSError:
        return []
    return [line for line in lines if line.strip()][-MOST_QUERIES:]
