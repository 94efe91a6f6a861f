"""The measurements, and the file in which they are stored."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """Searches in one way. `filtered_recall` is None if filters are not supported; `note` says so."""

    setting: str
    recall: float
    p50_ms: float
    p99_ms: float
    filtered_recall: float | None = None
    filtered_p50_ms: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine at one size. Megabytes are 10⁶ bytes.

    `rss_mb`, `pss_mb`: what the process grew by from before opening to after 200 searches, with shared pages counted in
    full and by share; `library_mb`: what importing the library took before that. `state`: measured, or the reason why not.
    """

    engine: str
    size: int
    state: str = "measured"
    version: str = ""
    build_seconds: float | None = None
    build_peak_mb: float | None = None
    disk_mb: float | None = None
    open_seconds: float | None = None
    first_search_ms: float | None = None
    library_mb: float | None = None
    rss_mb: float | None = None
    pss_mb: float | None = None
    add_seconds: float | None = None
    remove_seconds: float | None = None
    changes: str = ""
    points: tuple[Point, ...] = field(default=())


@dataclass(slots=True)
class Results:
    """All results of a run, written whenever one is added. `sets`: how each set of vectors was made, by its size."""

    file: Path
    machine: dict[str, str]
    sets: dict[str, Any] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)

    def has(self, engine: str, size: int) -> bool:
        """True if this one need not be measured again; failures are tried again."""
        done = [one for one in self.measured if not one.state.startswith("failed")]
        return any((one.engine, one.size) == (engine, size) for one in done)

    def put(self, measured: Measured) -> None:
        """Add a result, in place of an earlier one of the same engine and size."""
        others = [one for one in self.measured if (one.engine, one.size) != (measured.engine, measured.size)]
        self.measured = [*others, measured]
        self.save()

    def save(self) -> None:
        """Write the file completely, or leave the old one."""
        content = {"machine": self.machine, "sets": self.sets, "measured": [asdict(one) for one in self.measured]}
        beside = self.file.with_suffix(".part")
        beside.write_text(json.dumps(content, indent=1), "utf-8")
        beside.replace(self.file)

    def load(self) -> None:
        """Take over the measurements of an earlier run."""
        if self.file.exists():
            content = json.loads(self.file.read_text("utf-8"))
            self.sets = content["sets"]
            self.measured = [measured_from(one) for one in content["measured"]]


def measured_from(fields: dict[str, Any]) -> Measured:
    """From JSON."""
    return Measured(**{**fields, "points": tuple(Point(**point) for point in fields["points"])})


def at_size(measured: Sequence[Measured], size: int) -> list[Measured]:
    """The results of one size that could be searched."""
    return [one for one in measured if one.size == size and one.points]
