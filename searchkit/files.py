"""Writes files privately, whole or not at all; and converts paths to text, whatever the bytes of a name."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FOLDER_MODE = 0o700
PRIVATE_FILE_MODE = 0o600
_ABANDONED_SECONDS = 3600  # a folder that is still being written changes more often

# Bytes of a file name that are not UTF-8 arrive from Python as the surrogates U+DC80..U+DCFF, which SQLite refuses.
# They are stored as private-use characters, which convert back to the same bytes.
TO_CATALOG = {0xDC80 + i: 0x10FF00 + i for i in range(128)}
_FROM_CATALOG = {private: surrogate for surrogate, private in TO_CATALOG.items()}


def path_to_text(path: Path) -> str:
    """Convert a path to text that SQLite and JSON can store, whatever the bytes of its name."""
    return path.as_posix().translate(TO_CATALOG)


def path_from_text(text: str) -> Path:
    """Convert text made by `path_to_text` back to a path."""
    return Path(text.translate(_FROM_CATALOG))


def file_path(root: str, name: str) -> Path:
    """The absolute path of a file, from its root and the path below that, both in catalog form."""
    return path_from_text(root) / path_from_text(name)


def make_private_folder(path: Path) -> Path:
    """Create a folder, and its parents, that only the user can read."""
    for folder in (*reversed(path.parents), path):  # mkdir would apply its mode only to the last one
        if not folder.exists():
            folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return path


def others_can_write(folder: Path) -> bool:
    """True if other users can create and replace files in a folder; False where there are no such modes, and if it is missing."""
    try:
        return os.name != "nt" and bool(stat.S_IMODE(folder.stat().st_mode) & 0o022)
    except OSError:
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never part of it."""
    import tempfile  # slow to load, and searches write nothing

    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to the target when the block ends without an error.

    Raises FileExistsError if the target appeared meanwhile.
    """
    import shutil
    import tempfile
    import time

    make_private_folder(target.parent)
    for left in target.parent.glob(f".{target.name}.*"):  # by a process that was killed
        if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        publish_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(folder: Path, target: Path) -> None:
    """Rename a finished folder to the target, once all of it is on the disk. Raises FileExistsError if the target is there."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(PRIVATE_FILE_MODE)
            sync_file(file)
    sync_folder(folder)
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    folder.rename(target)
    sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until a folder's entries are on the disk; do nothing where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_size_bytes(path: Path, *, own_only: bool = False) -> int:
    """Count the bytes of all files below a folder; `own_only`: of those without a hard link elsewhere."""
    files = (entry.stat() for entry in path.rglob("*") if entry.is_file())
    return sum(file.st_size for file in files if not own_only or file.st_nlink == 1)
