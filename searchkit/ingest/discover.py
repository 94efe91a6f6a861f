"""Finds a folder's files: honours the rules of what is left out, follows no links, reports unreadable folders."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from searchkit.errors import UsageError
from searchkit.files import TO_CATALOG, path_to_text
from searchkit.ingest.rules import ALWAYS_IGNORED, IGNORE_FILES, Rules, Verdict, line_for, rules_of
from searchkit.reports import LeftOut, LeftOutRule

__all__ = ["ALWAYS_IGNORED", "IGNORE_FILES", "OFFLINE", "FoundFile", "UnreadableFolder", "discover"]

OFFLINE = "offline"  # the kind of a file that is only in the cloud
_PLACEHOLDER = re.compile(r"\.(.+)\.icloud")
_DATALESS = 0x40000000  # macOS: st_flags of a file whose content would be fetched
_RECALLED = 0x00001000 | 0x00040000 | 0x00400000  # Windows: offline, recall on open, recall on data access
_TRASHED = re.compile(r".*[:;!]2,[A-S]*T[A-Z]*")  # the flags of a deleted mail in a Maildir
_MAILDIR = ("cur", "new")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file; `relative` is its path below the root in catalog form.

    `kind` is "" for a regular file, OFFLINE for one that is only in the cloud; links, pipes, sockets and devices are named,
    never opened or followed.
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


def discover(root: Path, excluded: frozenset[Path] = frozenset()) -> Iterator[FoundFile | UnreadableFolder | LeftOut]:
    """Walk a root, folder by folder in the order of names, without `excluded` paths; yield what is left out too.

    Rules come from the ignore files in the root and below, and from the .gitignore files of the repository around it.
    Raises UsageError if the root itself is not a folder that can be listed.
    """
    pending = [(str(root), "", rules_of(root, excluded))]
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
        below = _rules_within(rules, folder, relative, entries)
        folders = []
        for entry in entries:
            name = relative + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            verdict = below.verdict(name, entry.name, entry.path, is_folder=is_folder)
            if verdict is None and not is_folder and _is_trashed(entry.name, relative):
                verdict = Verdict(LeftOutRule.DELETED_MAIL)
            if verdict is not None:
                yield from _left_out(root, entry, name, verdict)
            elif is_folder:
                folders.append((entry.path, name + "/", below))
            elif found := _found(entry, name):
                yield found
        pending.extend(reversed(folders))


def left_out_of(root: Path, excluded: frozenset[Path]) -> Iterator[LeftOut]:
    """Yield what rules leave out of a root. Raises UsageError as `discover` does."""
    for entry in discover(root, excluded):
        if isinstance(entry, LeftOut):
            yield entry
        elif isinstance(entry, FoundFile) and entry.kind == OFFLINE:
            yield LeftOut(entry.path, LeftOutRule.OFFLINE, whole_folder=False)


def _rules_within(rules: Rules, folder: str, relative: str, entries: "list[os.DirEntry[str]]") -> Rules:
    names = [entry.name for entry in entries if entry.name.startswith(".")]
    return rules.within(Path(folder), relative, names) if names else rules


def _is_trashed(name: str, relative: str) -> bool:
    return "2," in name and relative.rstrip("/").rpartition("/")[2] in _MAILDIR and _TRASHED.fullmatch(name) is not None


def _left_out(root: Path, entry: "os.DirEntry[str]", relative: str, verdict: Verdict) -> Iterator[FoundFile | LeftOut]:
    """What a rule leaves out; a placeholder stands for its file, whose text is kept."""
    if verdict.rule is LeftOutRule.INTERNAL:
        return
    is_folder = entry.is_dir(follow_symlinks=False)
    placeholder = None if is_folder else _PLACEHOLDER.fullmatch(entry.name)
    if placeholder and verdict.rule is LeftOutRule.HIDDEN:
        real = relative[: len(relative) - len(entry.name)] + placeholder[1]
        yield FoundFile(Path(entry.path).with_name(placeholder[1]), real.translate(TO_CATALOG), 0, 0, 0, OFFLINE)
        return
    line = ""
    if verdict.rule not in (LeftOutRule.FORGOTTEN, LeftOutRule.DELETED_MAIL):
        line = line_for(verdict, relative[len(verdict.folder) :], is_folder=is_folder)
    yield LeftOut(
        Path(entry.path), verdict.rule, is_folder, verdict.source, verdict.pattern, line, root / verdict.folder
    )


def _found(entry: "os.DirEntry[str]", relative: str) -> FoundFile | None:
    """The entry as a file, None if it no longer exists."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    kind = _kind_of(status)
    size_bytes = status.st_size if kind in ("", OFFLINE) else 0
    name = relative.translate(TO_CATALOG)
    return FoundFile(Path(entry.path), name, size_bytes, status.st_mtime_ns, status.st_ctime_ns, kind)


def _kind_of(status: os.stat_result) -> str:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return OFFLINE if is_only_in_the_cloud(status) else ""
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


if sys.platform == "darwin":

    def is_only_in_the_cloud(status: os.stat_result) -> bool:
        """True if reading the file would fetch it."""
        return bool(status.st_flags & _DATALESS)

elif sys.platform == "win32":

    def is_only_in_the_cloud(status: os.stat_result) -> bool:
        """True if reading the file would fetch it."""
        return bool(status.st_file_attributes & _RECALLED)

else:

    def is_only_in_the_cloud(status: os.stat_result) -> bool:  # noqa: ARG001
        """True if reading the file would fetch it; Linux does not say."""
        return False
