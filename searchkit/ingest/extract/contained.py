"""Finds the files inside files: attachments of mail, files embedded in Office documents and PDFs, members of archives.

Everything stays in memory, within limits on depth, number and size. What is left out because of them is named.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath

from searchkit.errors import UnreadableFileError
from searchkit.formats import CONTAINERS, PRIVATE_KEY, UNSUPPORTED, format_by_name
from searchkit.ingest.extract import unpack
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import LARGER, leave_out, too_large
from searchkit.ingest.extract.unpack import Member

DEEPEST = 5  # a mail in a mail in an archive, and something attached to it
MOST_FILES = 2000
MOST_BYTES = 256 << 20  # of all files in a file together
_WITHOUT_TEXT, _PRIVATE_KEYS = "files in it of kinds without text", "private keys in it"
_UNPACK = "Unpack it, and index the folder."


@dataclass(frozen=True, slots=True)
class ContainedFile:
    """A file inside another one. `inside`: its name there, with those of the files between, such as "attachment report.pdf".

    `reason`: why it is not read, "" if it is. `mtime_ns`: its last change, None if the container does not say.
    """

    inside: str
    format: str
    content: bytes = b""
    mtime_ns: int | None = None
    reason: str = ""
    remedy: str = ""


@dataclass(slots=True)
class _Limits:
    """What is left of the limits for one file on the disk. `names`: those given, so that each is given once."""

    file_bytes: int
    files: int
    size_bytes: int
    names: set[str] = field(default_factory=set)


def contained_files(format_name: str, content: bytes, file_bytes: int) -> Iterator[ContainedFile]:
    """Yield the files that can be read inside a file of a format, and inside those; and those that cannot, with the reason.

    `file_bytes`: the limit for each. Kinds of files without text are left out, as they are in folders.
    """
    yield from _within(format_name, content, "", 1, _Limits(file_bytes, MOST_FILES, MOST_BYTES))


def _within(format_name: str, content: bytes, around: str, depth: int, limits: _Limits) -> Iterator[ContainedFile]:
    if format_name not in CONTAINERS:
        return
    members = _members(format_name, content)
    while True:
        try:
            member = next(members, None)
        except UnreadableFileError as error:  # the file itself has been read; what is behind its damage is lost
            yield ContainedFile(_unused(f"{around}further files", limits), "", reason=str(error), remedy=error.advice)
            return
        if member is None:
            return
        if member.name.endswith(unpack.APPLE):  # read with the archive's own text
            continue
        if what := _left_out(member):
            leave_out(what)
            continue
        inside = _unused(f"{around}{member.label}", limits)
        if depth > DEEPEST or limits.files <= 0 or limits.size_bytes <= 0:
            yield ContainedFile(inside, "", reason=_beyond(depth), remedy=_UNPACK)
            return
        found = _read(member, inside, limits)
        if found is None:
            continue
        limits.files -= 1
        yield found
        if not found.reason:
            yield from _within(found.format, found.content, f"{inside}, ", depth + 1, limits)


def _beyond(depth: int) -> str:
    if depth > DEEPEST:
        return f"it lies in more than {DEEPEST} files, one in the other; it and what follows it there are not read"
    return (
        f"it and what follows it are not read: in one file no more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MB"
    )


def _read(member: Member, inside: str, limits: _Limits) -> ContainedFile | None:
    """Read a member, None if it is of a kind without text."""
    if member.size_bytes is not None and member.size_bytes > limits.file_bytes:
        return ContainedFile(inside, "", reason=too_large(member.size_bytes, limits.file_bytes), remedy=LARGER)
    try:
        content = member.read(min(limits.file_bytes, limits.size_bytes))
    except UnreadableFileError as error:
        return ContainedFile(inside, "", reason=str(error), remedy=error.advice)
    limits.size_bytes -= len(content)
    format_name = format_of(PurePath(member.name), content)
    if format_name in (UNSUPPORTED, PRIVATE_KEY) or not content:
        leave_out(_PRIVATE_KEYS if format_name == PRIVATE_KEY else _WITHOUT_TEXT, int(bool(content)))
        return None
    return ContainedFile(inside, format_name, content, member.mtime_ns)


def _left_out(member: Member) -> str:
    """The kind of what would be left out in a folder too: hidden files, leftovers of systems, kinds without text; else ""."""
    parts = member.name.split("/")
    is_leftover = any(
        part.startswith((".", "~$")) or part in ("__MACOSX", "node_modules", "__pycache__") for part in parts
    )
    if is_leftover:
        return "hidden files in it, and leftovers of systems"
    return _WITHOUT_TEXT if format_by_name(PurePath(member.name)) == UNSUPPORTED else ""


def _unused(inside: str, limits: _Limits) -> str:
    """A name for a file that no other in the container has, its ending kept."""
    stem, ending = posixpath.splitext(inside)
    number, unused = 1, inside
    while unused in limits.names:
        number += 1
        unused = f"{stem} ({number}){ending}"
    limits.names.add(unused)
    return unused


def _members(format_name: str, content: bytes) -> Iterator[Member]:
    """Yield the files directly inside a file. Damage in it ends them."""
    if format_name == "archive":
        yield from unpack.members_of_archive(content)
    elif format_name == "pdf":
        yield from unpack.members_of_pdf(content)
    elif format_name in ("docx", "pptx", "xlsx", "odf", "epub"):
        yield from unpack.members_of_office(content)
    else:
        from searchkit.ingest.extract.mail import attachments

        if format_name == "msg":
            from searchkit.ingest.extract.office.outlook import as_mail

            format_name, content = "mail", as_mail(content)
        for each in attachments(format_name, content):
            yield Member(each.name, f"{each.place}attachment {each.name}", partial(_given, each.content))


def _given(content: bytes, most: int) -> bytes:
    if len(content) > most:
        raise UnreadableFileError(too_large(len(content), most), remedy=LARGER)
    return content
