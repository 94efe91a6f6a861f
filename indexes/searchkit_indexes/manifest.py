"""The manifest of an index folder: written last, so a folder without one is unfinished."""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 5
_FILE = "manifest.json"
_PIECE_BYTES = 1 << 20


class IndexDamagedError(Exception):
    """An index folder does not match its manifest. The index must be rebuilt from the vectors."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of an index. `fingerprint`: of the model; `count`: vectors, with `last_id` as the largest id.

    `trained_count`: number of vectors when the codes were trained. `effort`: lists or nodes that a search visits to reach
    `recall`, measured on `queries` queries (None if not measured); `goal`: its target. `token`: stored in the catalog as well;
    a different one belongs to another state of the catalog. `sizes`, `checksums`: by file name.
    """

    spec: str
    fingerprint: str
    count: int
    last_id: int
    trained_count: int
    effort: int
    goal: float
    recall: float | None
    token: str
    queries: int
    memory_bytes: int
    sizes: Mapping[str, int]
    checksums: Mapping[str, int]


def checksum(path: Path) -> int:
    """Compute the CRC-32 of a file: fast enough to verify an index whenever it is opened."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            value = zlib.crc32(piece, value)
    return value


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are complete."""
    content = {"format": FORMAT, **asdict(manifest)}
    with (folder / _FILE).open("w", encoding="utf-8") as file:
        json.dump({**content, "seal": _seal(content)}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read a manifest and check the sizes of the files. Raises IndexDamagedError."""
    try:
        content = json.loads((folder / _FILE).read_text("utf-8"))
        if content.pop("seal") != _seal(content) or content.pop("format") != FORMAT:
            raise IndexDamagedError(f"{folder} has another format, or a damaged manifest")
        manifest = Manifest(**content)
        actual = {name: (folder / name).stat().st_size for name in manifest.sizes}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamagedError(f"{folder} has no usable manifest: {error}") from error
    if actual != manifest.sizes:
        raise IndexDamagedError(f"{folder} has files of other sizes than were written")
    return manifest


def verify_files(folder: Path) -> Manifest:
    """Read the manifest and verify the checksum of every file. Raises IndexDamagedError."""
    manifest = read_manifest(folder)
    try:
        for name, expected in manifest.checksums.items():
            if checksum(folder / name) != expected:
                raise IndexDamagedError(f"{folder / name} does not match its checksum")
    except OSError as error:
        raise IndexDamagedError(f"{folder} cannot be read: {error}") from error
    return manifest


def _seal(content: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
