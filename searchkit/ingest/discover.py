"""Finds a folder's files: honours ignore rules, follows no links, reports unreadable folders."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pathspec import GitIgnoreSpec

from searchkit.errors import UsageError
from searchkit.files import TO_CATALOG, path_to_text

_OUR_FILE = ".searchkitignore"
IGNORE_FILES = (".gitignore", _OUR_FILE)
# Nobody searches for these: caches, editors' and systems' leftovers. Hidden files are excluded by their dot.
ALWAYS_IGNORED = (
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
    """A file; `relative` is its path below the root in catalog form.

    `kind` is "" for a regular file; links, pipes, sockets and devices are named, never opened or followed.
    """

    path: Path
    relative: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class UnreadableFolder:
    """A folder that could not be listed: the documents below it must be kept."""

    path: Path
    relative: str
    reason: str


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """The patterns of one file: for files, and for folders, where patterns that end in / count like any other.

    The last pattern that matches decides; pathspec, asked about a folder, would let "*" win over a later "!*/".
    `is_ours`: only a .searchkitignore may include hidden files again; a .gitignore names them for git only.
    """

    of_files: GitIgnoreSpec
    of_folders: GitIgnoreSpec
    is_ours: bool = False

    def decision(self, name: str, *, is_folder: bool) -> bool | None:
        """True to ignore, False to keep, None if no pattern matches."""
        return (self.of_folders if is_folder else self.of_files).check_file(name).include


@dataclass(frozen=True, slots=True)
class _Level:
    """An ignore file and where it lies: `above` leads from there to the root, `below` from the root to there."""

    ignore_file: _IgnoreFile
    above: str = ""
    below: str = ""

    def decision(self, relative: str, *, is_folder: bool) -> bool | None:
        """Apply the file to a path below the root."""
        return self.ignore_file.decision(self.above + relative[len(self.below) :], is_folder=is_folder)


@dataclass(frozen=True, slots=True)
class _Rules:
    """Ignore files from the outermost to the deepest."""

    levels: tuple[_Level, ...]
    excluded: frozenset[str]

    def ignore(self, relative: str, name: str, path: str, *, is_folder: bool) -> bool:
        """Ask the deepest file that matches; hidden files are excluded unless a .searchkitignore names them."""
        if path in self.excluded:
            return True
        hidden = name.startswith(".")
        if hidden and (name == ".git" or name in IGNORE_FILES):
            return True
        for level in reversed(self.levels):
            if hidden and not level.ignore_file.is_ours:
                continue
            decision = level.decision(relative, is_folder=is_folder)
            if decision is not None:
                return decision
        return hidden

    def within(self, folder: Path, relative: str) -> "_Rules":
        """The rules that apply in a folder."""
        read = [found for name in IGNORE_FILES if (found := _read_ignore_file(folder / name))]
        return _Rules((*self.levels, *(_Level(each, below=relative) for each in read)), self.excluded) if read else self


def discover(root: Path, excluded: frozenset[Path] = frozenset()) -> Iterator[FoundFile | UnreadableFolder]:
    """Walk a root, folder by folder in the order of names, without `excluded` paths.

    Rules come from the ignore files in the root and below, and from the .gitignore files of the repository around it.
    Raises UsageError if the root itself is not a folder that can be listed.
    """
    pending = [(str(root), "", _rules_of(root, excluded))]
    while pending:
        folder, relative, rules = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not relative:
                raise UsageError(
                    f"{root} cannot be read ({error.strerror}). Nothing of it was changed in the index."
                ) from error
            reason = f"folder cannot be read ({error.strerror})"
            yield UnreadableFolder(Path(folder), path_to_text(Path(relative[:-1])), reason)
            continue
        below = rules.within(Path(folder), relative) if _has_ignore_file(entries) else rules
        folders = []
        for entry in entries:
            name = relative + entry.name
            if entry.is_dir(follow_symlinks=False):
                if not below.ignore(name, entry.name, entry.path, is_folder=True):
                    folders.append((entry.path, name + "/", below))
            elif not below.ignore(name, entry.name, entry.path, is_folder=False) and (found := _found(entry, name)):
                yield found
        pending.extend(reversed(folders))


def _rules_of(root: Path, excluded: frozenset[Path]) -> _Rules:
    """The rules that apply before the root's own ignore files are read."""
    levels = [_Level(_ignore_file(ALWAYS_IGNORED))]
    repository = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if repository is not None and repository != root:
        outer = [folder for folder in reversed(root.parents) if folder.is_relative_to(repository)]
        around = [
            _Level(read, above=f"{root.relative_to(folder).as_posix()}/")
            for folder in outer
            if (read := _read_ignore_file(folder / ".gitignore"))
        ]
        # A folder that git ignores and the user names is wanted all the same.
        if not any(level.ignore_file.decision(level.above[:-1], is_folder=True) for level in around):
            levels += around
    return _Rules(tuple(levels), frozenset(str(path) for path in excluded))


def _has_ignore_file(entries: Sequence["os.DirEntry[str]"]) -> bool:
    return any(entry.name in IGNORE_FILES for entry in entries)


def _found(entry: "os.DirEntry[str]", relative: str) -> FoundFile | None:
    """The entry as a file, None if it no longer exists."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    kind = "" if stat.S_ISREG(status.st_mode) else _kind_of(status.st_mode)
    size_bytes = 0 if kind else status.st_size
    name = relative.translate(TO_CATALOG)
    return FoundFile(Path(entry.path), name, size_bytes, status.st_mtime_ns, status.st_ctime_ns, kind)


def _kind_of(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _read_ignore_file(path: Path) -> _IgnoreFile | None:
    """The rules of an ignore file, None if there is none; an invalid pattern is ignored, as git does."""
    try:
        if not path.is_file():  # a pipe of that name would never end
            return None
        lines = path.read_text("utf-8-sig", errors="surrogateescape").split("\n")
    except OSError:
        return None
    return replace(_ignore_file(lines), is_ours=path.name == _OUR_FILE)


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
