"""What lies in an index folder: written last, so a folder without one was never finished."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
_FILE = "manifest.json"


class IndexDamagedError(Exception):
    """An index folder is not what its manifest says. The index must be rebuilt from the vectors."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`fingerprint`: of the model; `count` vectors, the largest of whose ids is `last_id`; bytes by file name."""

    structure: str
    dimension: int
    fingerprint: str
    count: int
    last_id: int
    sizes: Mapping[str, int]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Seal a folder whose other files are written."""
    with (folder / _FILE).open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **asdict(manifest)}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder whose files have the sizes it names. Raises IndexDamagedError otherwise."""
    try:
        content = json.loads((folder / _FILE).read_text("utf-8"))
        if content.pop("format") != FORMAT:
            raise IndexDamagedError(f"{folder} has another format")
        manifest = Manifest(**content)
        actual = {name: (folder / name).stat().st_size for name in manifest.sizes}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamagedError(f"{folder} has no usable manifest: {error}") from error
    if actual != manifest.sizes:
        raise IndexDamagedError(f"{folder} holds files of other sizes than were written")
    return manifest
