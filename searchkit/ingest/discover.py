"""Which files a folder holds for us: ignore rules honoured, links not followed, unreadable folders reported."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from searchkit.errors import UsageError
from searchkit.paths import path_to_text

_IGNORE_FILES = (".gitignore", ".searchkitignore")
# What no one looks for: caches, editors' and systems' leftovers. Hidden files are left out by their dot.
_ALWAYS_IGNORED = (
    "node_modules/",
    "__pycache__/",
    "*~",
    "~$*",
    "\\#*#",
    "*.swp",
    "*.tmp",
    "*.part",
    "*.crdownload",
    "Thumbs.db",
    "desktop.ini",
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file; `relative` is its path below the root in catalog form."""

    path: Path
    relative: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that could not be listed: what the catalog knows below it must be kept."""

    path: Path
    relative: str
    reason: str


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """The patterns of one file: as they hold for files, and for folders, where those that end in / are like any other.

    The last pattern that matches decides; pathspec, asked about a folder, would let "*" win over a later "!*/".
    """

    of_files: GitIgnoreSpec
    of_folders: GitIgnoreSpec

    def decision(self, name: str, *, is_folder: bool) -> bool | None:
        """True to ignore, False to keep, None if no pattern matches."""
        return (self.of_folders if is_folder else self.of_files).check_file(name).include


@dataclass(frozen=True, slots=True)
class _Rules:
    """Ignore files from the root down, each with the folder that it lies in."""

    levels: tuple[tuple[PurePosixPath, _IgnoreFile], ...]
    excluded: frozenset[Path]

    def ignore(self, relative: PurePosixPath, path: Path, *, is_folder: bool) -> bool:
        """The deepest file that says anything decides."""
        if relative.name.startswith(".") or path in self.excluded:
            return True
        for base, ignore_file in reversed(self.levels):
            decision = ignore_file.decision(relative.relative_to(base).as_posix(), is_folder=is_folder)
            if decision is not None:
                return decision
        return False

    def within(self, folder: Path, relative: PurePosixPath) -> "_Rules":
        read = [found for name in _IGNORE_FILES if (found := _read_ignore_file(folder / name))]
        return _Rules((*self.levels, *((relative, found) for found in read)), self.excluded) if read else self


def discover(root: Path, excluded: frozenset[Path] = frozenset()) -> Iterator[FoundFile | UnreadableFolder]:
    """Walk a root, folder by folder in the order of names. `excluded` paths are passed over.

    Raises UsageError if the root itself is not a folder that can be listed.
    """
    rules = _Rules(((PurePosixPath(), _ignore_file(_ALWAYS_IGNORED)),), excluded)
    pending = [(root, PurePosixPath(), rules)]
    while pending:
        folder, relative, rules = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if folder is root:
                raise UsageError(
                    f"{root} cannot be read ({error.strerror}). Nothing of it was changed in the index."
                ) from error
            yield UnreadableFolder(folder, path_to_text(Path(relative)), f"folder cannot be read ({error.strerror})")
            continue
        below = rules.within(folder, relative)
        folders = []
        for entry in entries:
            path, name = Path(entry.path), relative / entry.name
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if not below.ignore(name, path, is_folder=True):
                    folders.append((path, name, below))
            elif not below.ignore(name, path, is_folder=False) and (found := _found(entry, path, name)):
                yield found
        pending.extend(reversed(folders))


def _found(entry: os.DirEntry[str], path: Path, relative: PurePosixPath) -> FoundFile | None:
    """The entry as a file; None for pipes, sockets and devices, and for what is gone again."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FoundFile(path, path_to_text(Path(relative)), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read_ignore_file(path: Path) -> _IgnoreFile | None:
    """The rules of an ignore file, None if there is none; a pattern that makes no sense is passed over, as git does."""
    try:
        if not path.is_file():  # a pipe of that name would never end
            return None
        lines = path.read_text("utf-8-sig", errors="surrogateescape").split("\n")
    except OSError:
        return None
    return _ignore_file(lines)


def _ignore_file(lines: Sequence[str]) -> _IgnoreFile:
    patterns = [line for line in lines if _is_pattern(line)]
    of_folders = [line.rstrip().removesuffix("/") for line in patterns]
    return _IgnoreFile(GitIgnoreSpec.from_lines(patterns), GitIgnoreSpec.from_lines(filter(_is_pattern, of_folders)))


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
