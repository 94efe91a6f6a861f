"""Which files a folder holds for us: ignore rules honoured, links not followed, unreadable folders reported."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from searchkit.errors import UsageError
from searchkit.paths import path_to_text

_IGNORE_FILES = (".gitignore", ".searchkitignore")
# What no one looks for: caches, editors' and systems' leftovers. Hidden files are left out by their dot.
_ALWAYS_IGNORED = GitIgnoreSpec.from_lines(
    [
        "node_modules/",
        "__pycache__/",
        "*~",
        "~$*",
        "#*#",
        "*.swp",
        "*.tmp",
        "*.part",
        "*.crdownload",
        "Thumbs.db",
        "desktop.ini",
    ]
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file; `relative` is its path below the root in catalog form."""

    path: Path
    relative: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that could not be listed: what the catalog knows below it must be kept."""

    path: Path
    relative: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Rules:
    """Ignore files from the root down, each with the folder that it lies in."""

    levels: tuple[tuple[PurePosixPath, GitIgnoreSpec], ...]
    excluded: frozenset[Path]

    def ignore(self, relative: PurePosixPath, path: Path, *, is_folder: bool) -> bool:
        """The deepest file that says anything decides."""
        if relative.name.startswith(".") or path in self.excluded:
            return True
        for base, spec in reversed(self.levels):
            name = path_to_text(Path(relative.relative_to(base))) + ("/" if is_folder else "")
            decision = spec.check_file(name).include
            if decision is not None:
                return decision
        return False

    def within(self, folder: Path, relative: PurePosixPath) -> "_Rules":
        specs = [spec for name in _IGNORE_FILES if (spec := _read_spec(folder / name))]
        return _Rules((*self.levels, *((relative, spec) for spec in specs)), self.excluded) if specs else self


def discover(root: Path, excluded: frozenset[Path] = frozenset()) -> Iterator[FoundFile | UnreadableFolder]:
    """Walk a root, folder by folder in the order of names. `excluded` paths are passed over.

    Raises UsageError if the root itself is not a folder that can be listed.
    """
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UsageError(
            f"{root} cannot be read ({error.strerror}). Nothing of it was changed in the index."
        ) from error
    rules = _Rules(((PurePosixPath(), _ALWAYS_IGNORED),), excluded)
    pending = [(root, PurePosixPath(), rules)]
    while pending:
        folder, relative, rules = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
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
    return FoundFile(path, path_to_text(Path(relative)), status.st_size, status.st_mtime_ns)


def _read_spec(path: Path) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(path.read_text("utf-8", errors="replace").splitlines())
    except OSError:
        return None
