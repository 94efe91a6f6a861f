"""The state kept between sessions: the theme and the queries. Settings made by hand are in config.toml."""

import json
from collections.abc import Sequence
from pathlib import Path

from searchkit import Home
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, write_atomically

MOST_QUERIES = 500
_THEME, _SPEED = "theme", "indexed_bytes_per_second"
_USUAL_SPEED = 86e6 / 610  # docs/benchmarks/reading.md: two packages of documentation with the small model


def load_theme(home: Home) -> str:
    """Read the name of the theme chosen last, "" if none was or the file cannot be read."""
    theme = _saved(home).get(_THEME, "")
    return theme if isinstance(theme, str) else ""


def save_theme(home: Home, theme: str) -> None:
    """Keep a theme for the next session. Raises OSError."""
    _save(home, _THEME, theme)


def load_speed(home: Home) -> float:
    """Read how many bytes of files a second this machine indexed last; that of a benchmark where it has not."""
    speed = _saved(home).get(_SPEED, 0)
    return float(speed) if isinstance(speed, int | float) and speed > 0 else _USUAL_SPEED


def save_speed(home: Home, bytes_a_second: float) -> None:
    """Keep how fast this machine has indexed. Raises OSError."""
    _save(home, _SPEED, round(bytes_a_second))


def _saved(home: Home) -> dict[str, object]:
    try:
        saved = json.loads(home.theme.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) else {}


def _save(home: Home, name: str, value: object) -> None:
    make_private_folder(home.path)
    write_atomically(home.theme, json.dumps({**_saved(home), name: value}).encode())


class History:
    """The queries of this session and those before it, oldest first, each once, and a position among them.

    `home`: the data directory, where a file keeps them that only the user can read; None to keep nothing beyond the session.
    """

    def __init__(self, home: Home | None) -> None:
        self._file = home.history if home else None
        self._queries = list(_read(self._file))
        self._at = len(self._queries)
        self._draft = ""
        self._drafts: set[str] = set()

    def add(self, query: str, *, is_draft: bool = False) -> None:
        """Add a query at the end, and move there.

        `is_draft`: it led to nothing. It is left out if a known query begins with it, and goes when a query goes on with it.
        """
        cleaned = " ".join(query.split())
        folded = cleaned.casefold()
        is_junk = is_draft and any(len(known) > len(folded) and known.startswith(folded) for known in self._folded())
        if cleaned and not is_junk:
            if is_draft and cleaned not in self._queries:
                self._drafts.add(cleaned)
            elif not is_draft:
                self._drafts.discard(cleaned)
            others = [known for known in self._queries if known != cleaned and not self._is_begun(known, folded)]
            self._queries = [*others, cleaned][-MOST_QUERIES:]
        self._at = len(self._queries)

    def _folded(self) -> list[str]:
        return [known.casefold() for known in self._queries]

    def _is_begun(self, known: str, folded: str) -> bool:
        return known in self._drafts and folded.startswith(known.casefold())

    def earlier(self, current: str) -> str:
        """Move to the query before this one; what was being typed is kept at the end."""
        if self._at == len(self._queries):
            self._draft = current
        self._at = max(0, self._at - 1)
        return self._shown(current)

    def later(self, current: str) -> str:
        """Move to the query after this one, and at the end to what was being typed."""
        if self._at == len(self._queries):
            return current
        self._at += 1
        return self._shown(current)

    def save(self) -> None:
        """Write the file, with the queries that other sessions have added meanwhile. Raises OSError."""
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
    """Read the queries of a file, none if it is missing or cannot be read."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines() if file else []
    except OSError:
        return []
    return [line for line in lines if line.strip()][-MOST_QUERIES:]
