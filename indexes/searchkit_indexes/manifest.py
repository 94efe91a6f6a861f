"""What lies in an index folder: written last, so a folder without one was never finished."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 2
_FILE = "manifest.json"


class IndexDamagedError(Exception):
    """An index folder is not what its manifest says. The index must be rebuilt from the vectors."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`fingerprint`: of the model; `count` vectors, the largest of whose ids is `last_id`; by file name, bytes and checksum."""

    structure: str
    dimension: int
    fingerprint: str
    count: int
    last_id: int
    sizes: Mapping[str, int]
    checksums: Mapping[str, str]


def checksum(path: Path) -> str:
    """BLAKE2b-128 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Seal a folder whose other files are written."""
    content = {"format": FORMAT, **asdict(manifest)}
    with (folder / _FILE).open("w", encoding="utf-8") as file:
        json.dump({**content, "seal": _seal(content)}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder whose files have the sizes it names. Raises IndexDamagedError otherwise."""
    try:
        content = json.loads((folder / _FILE).read_text("utf-8"))
        if content.pop("seal") != _seal(content) or content.pop("format") != FORMAT:
            raise IndexDamagedError(f"{folder} has another format, or a manifest that is not as it was written")
        manifest = Manifest(**content)
        actual = {name: (folder / name).stat().st_size for name in manifest.sizes}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamagedError(f"{folder} has no usable manifest: {error}") from error
    if actual != manifest.sizes:
        raise IndexDamagedError(f"{folder} holds files of other sizes than were written")
    return manifest


def verify_files(folder: Path) -> None:
    """Read every file of a folder. Raises IndexDamagedError if one is not as it was written."""
    for name, expected in read_manifest(folder).checksums.items():
        if checksum(folder / name) != expected:
            raise IndexDamagedError(f"{folder / name} is not as it was written")


def _seal(content: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
