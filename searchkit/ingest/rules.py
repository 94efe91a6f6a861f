"""Decides what of a folder is left out, and says by which rule: ignore files, hidden files, leftovers, keys and password stores.

What git tracks is not ignored, whatever a .gitignore says.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec

from searchkit.reports import LeftOutRule

OUR_FILE = ".searchkitignore"
IGNORE_FILES = (".gitignore", OUR_FILE)
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
# Private keys, and what programs keep passwords in. What only its content shows to be a key, readers leave out.
SECRETS = (
    *(
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "*.pem",
        "*.ppk",
        "*.p12",
        "*.pfx",
        "*.jks",
        "*.keystore",
        "secring.gpg",
    ),
    *(
        "*.kdbx",
        "*.kdb",
        "*.psafe3",
        "*.agilekeychain",
        "*.opvault",
        "*.1pif",
        "*.enpassdb",
        "*.keychain",
        "*.keychain-db",
    ),
    *("key3.db", "key4.db", "logins.json", "Login Data", "wallet.dat"),
    # As password stores export them.
    *("passwords.csv", "Passwords.csv", "Chrome Passwords.csv", "Microsoft Edge Passwords.csv", "*.1pux"),
)
_SECRET_NAMES = frozenset(SECRETS)
_GIT_HEADER = struct.Struct(">4sII")
_GIT_ENTRY = struct.Struct(">62xH")  # flags, with the name's length; behind times, modes and a hash of 20 bytes
_EXTENDED, _NAME_LENGTH = 0x4000, 0xFFF
_MOST_INDEX_BYTES = 256 << 20
_SPECIAL = re.compile(r"([\\*?\[\]#!])")


def _secret(name: str) -> str:
    """The pattern of SECRETS that a name matches, "" if none does; quicker than asking each of them about every file."""
    if name in _SECRET_NAMES:
        return name
    dot = name.rfind(".")
    ending = f"*{name[dot:].lower()}" if dot >= 0 else ""
    return ending if ending in _SECRET_NAMES else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule by which something is left out. `pattern`: of the ignore file `source`; "" if the rule needs none.

    `folder`: where a line in a .searchkitignore would overrule it; None: where it is itself.
    """

    rule: LeftOutRule
    source: str = ""
    pattern: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The patterns of one file: for files, and for folders, where patterns that end in / count like any other.

    The last pattern that matches decides; pathspec, asked about a folder, would let "*" win over a later "!*/".
    `name`: only a .searchkitignore may include hidden files again; a .gitignore names them for git only.
    """

    of_files: GitIgnoreSpec
    of_folders: GitIgnoreSpec
    patterns: tuple[str, ...]
    of_folders_at: tuple[int, ...]  # the number of each folder pattern among the patterns
    name: str = ""
    rule: LeftOutRule = LeftOutRule.IGNORED

    def decision(self, name: str, *, is_folder: bool) -> tuple[bool, str] | None:
        """(True to ignore, False to keep; the pattern), None if no pattern matches."""
        found = (self.of_folders if is_folder else self.of_files).check_file(name)
        if found.include is None or found.index is None:
            return None
        return found.include, self.patterns[self.of_folders_at[found.index] if is_folder else found.index]


@dataclass(frozen=True, slots=True)
class Level:
    """An ignore file and where it lies: `above` leads from there to the root, `below` from the root to there."""

    ignore_file: IgnoreFile
    above: str = ""
    below: str = ""

    def decision(self, relative: str, *, is_folder: bool) -> tuple[bool, str] | None:
        """Apply the file to a path below the root."""
        return self.ignore_file.decision(self.above + relative[len(self.below) :], is_folder=is_folder)


@dataclass(frozen=True)
class Repository:
    """A git repository: `above` leads from its folder to the root, `below` from the root to its folder."""

    folder: Path
    above: str = ""
    below: str = ""

    def tracks(self, relative: str, *, is_folder: bool) -> bool:
        """True if git tracks a file at a path below the root, or a file in the folder there."""
        name = self.above + relative[len(self.below) :]
        return name in (self._folders if is_folder else self._files)

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(tracked_files(self.folder))

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(name[:at] for name in self._files for at, letter in enumerate(name) if letter == "/")


@dataclass(frozen=True, slots=True)
class Rules:
    """Ignore files from the outermost to the deepest."""

    levels: tuple[Level, ...]
    excluded: frozenset[str]
    repository: Repository | None = field(default=None, compare=False)

    def verdict(self, relative: str, name: str, path: str, *, is_folder: bool) -> Verdict | None:
        """None to keep a path. The deepest file that matches decides; hidden files are excluded unless a .searchkitignore
        names them.
        """
        if path in self.excluded:
            return Verdict(LeftOutRule.FORGOTTEN)
        hidden = name.startswith(".")
        if hidden and (name == ".git" or name in IGNORE_FILES):
            return Verdict(LeftOutRule.INTERNAL)
        for level in reversed(self.levels):
            file = level.ignore_file
            if hidden and file.name != OUR_FILE:
                continue
            decision = level.decision(relative, is_folder=is_folder)
            if decision is None:
                continue
            is_ignored, pattern = decision
            if is_ignored and file.name == IGNORE_FILES[0] and self._is_tracked(relative, is_folder=is_folder):
                return None
            return Verdict(file.rule, file.name, pattern, level.below) if is_ignored else None
        if secret := _secret(name):
            return Verdict(LeftOutRule.SECRET, pattern=secret)
        return Verdict(LeftOutRule.HIDDEN) if hidden else None

    def _is_tracked(self, relative: str, *, is_folder: bool) -> bool:
        return self.repository is not None and self.repository.tracks(relative, is_folder=is_folder)

    def within(self, folder: Path, relative: str, names: Sequence[str]) -> "Rules":
        """The rules that apply in a folder with these names in it."""
        read = [found for name in IGNORE_FILES if name in names and (found := read_ignore_file(folder / name))]
        repository = Repository(folder, below=relative) if ".git" in names and relative else self.repository
        if not read and repository is self.repository:
            return self
        return Rules((*self.levels, *(Level(each, below=relative) for each in read)), self.excluded, repository)


def rules_of(root: Path, excluded: frozenset[Path]) -> Rules:
    """The rules that apply before the root's own ignore files are read."""
    leftovers = replace(ignore_file(ALWAYS_IGNORED), rule=LeftOutRule.LEFTOVER)
    levels = [Level(leftovers)]
    at = next((folder for folder in (root, *root.parents) if _has_git(folder)), None)
    repository = None
    if at is not None:
        repository = Repository(at, above="" if at == root else f"{root.relative_to(at).as_posix()}/")
    if at is not None and at != root:
        outer = [folder for folder in reversed(root.parents) if folder.is_relative_to(at)]
        around = [
            Level(read, above=f"{root.relative_to(folder).as_posix()}/")
            for folder in outer
            if (read := read_ignore_file(folder / ".gitignore"))
        ]
        # A folder that git ignores and the user names is wanted all the same.
        decisions = [level.ignore_file.decision(level.above[:-1], is_folder=True) for level in around]
        if not any(decision is not None and decision[0] for decision in decisions):
            levels += around
    return Rules(tuple(levels), frozenset(str(path) for path in excluded), repository)


def line_for(verdict: Verdict, relative: str, *, is_folder: bool) -> str:
    """The line of a .searchkitignore in the verdict's folder that takes a rule back: its pattern, else that of the file itself."""
    if verdict.pattern:
        return f"!{verdict.pattern}"
    escaped = _SPECIAL.sub(r"\\\1", relative)
    return f"!/{escaped}{'/' if is_folder else ''}"


def read_ignore_file(path: Path) -> IgnoreFile | None:
    """The rules of an ignore file, None if there is none; an invalid pattern is ignored, as git does."""
    try:
        if not path.is_file():  # a pipe of that name would never end
            return None
        lines = path.read_text("utf-8-sig", errors="surrogateescape").split("\n")
    except OSError:
        return None
    return replace(ignore_file(lines), name=path.name)


def ignore_file(lines: Sequence[str]) -> IgnoreFile:
    """The rules of some lines."""
    patterns = [line for line in lines if _is_pattern(line)]
    of_folders = [line.rstrip().removesuffix("/") for line in patterns]
    kept = [number for number, line in enumerate(of_folders) if _is_pattern(line)]
    return IgnoreFile(
        GitIgnoreSpec.from_lines(patterns),
        GitIgnoreSpec.from_lines([of_folders[number] for number in kept]),
        tuple(line.strip() for line in patterns),
        tuple(kept),
    )


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def tracked_files(repository: Path) -> list[str]:
    """Paths of the files that git tracks, below the repository's folder; none if its index cannot be read."""
    try:
        index = _git_folder(repository) / "index"
        if index.stat().st_size > _MOST_INDEX_BYTES:
            return []
        return _names_in_index(index.read_bytes())
    except (OSError, ValueError, struct.error):
        return []


def _has_git(folder: Path) -> bool:
    try:
        return (folder / ".git").exists()
    except PermissionError:  # it may not be looked into
        return False


def _git_folder(repository: Path) -> Path:
    """The folder .git, or that which a file of this name points to, in a submodule or a worktree."""
    at = repository / ".git"
    if at.is_dir():
        return at
    return repository / at.read_text("utf-8").removeprefix("gitdir:").strip()


def _names_in_index(content: bytes) -> list[str]:
    """The names in a git index (versions 2 to 4, see git's index-format)."""
    signature, version, count = _GIT_HEADER.unpack_from(content)
    if signature != b"DIRC" or version not in (2, 3, 4):
        return []
    names, at, name = [], _GIT_HEADER.size, b""
    for _ in range(count):
        (flags,) = _GIT_ENTRY.unpack_from(content, at - 2)
        start = at + 62 + (2 if flags & _EXTENDED else 0)
        if version == 4:
            dropped, start = _offset(content, start)
            end = content.index(b"\0", start)
            name = name[: len(name) - dropped] + content[start:end]
            at = end + 1
        else:
            end = content.index(b"\0", start + (flags & _NAME_LENGTH if flags & _NAME_LENGTH < _NAME_LENGTH else 0))
            name = content[start:end]
            at += (end - at + 8) // 8 * 8
        names.append(name.decode("utf-8", "surrogateescape"))
    return names


def _offset(content: bytes, at: int) -> tuple[int, int]:
    """A number as git packs it, and where it ends."""
    byte = content[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = content[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
