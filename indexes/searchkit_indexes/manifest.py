"""What lies in an index folder: written last, so a folder without one was never finished."""

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
    """An index folder is not what its manifest says. The index must be rebuilt from the vectors."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`fingerprint`: of the model; `count` vectors, the largest of whose ids is `last_id`; by file name, bytes and checksum.

    `trained_count`: vectors there were when the codes last learned. `effort`: lists or nodes looked at by a search that
    reaches `recall`, which was measured on `queries` queries (None: it was not); `goal`: what it should reach. `token`: what the
    catalog of these vectors was given with them; another one is of another time.
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
    """CRC-32 of a file's content: quick enough to be held against an index whenever it is opened."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            value = zlib.crc32(piece, value)
    return value


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


def verify_files(folder: Path) -> Manifest:
    """The manifest, after every file of the folder was read. Raises IndexDamagedError if one is not as it was written."""
    manifest = read_manifest(folder)
    try:
        for name, expected in manifest.checksums.items():
            if checksum(folder / name) != expected:
                raise IndexDamagedError(f"{folder / name} is not as it was written")
    except OSError as error:
        raise IndexDamagedError(f"{folder} cannot be read: {error}") from error
    return manifest


def _seal(content: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
