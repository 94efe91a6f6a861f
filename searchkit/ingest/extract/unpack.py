"""Unpacks containers in memory, within limits: zip, tar, compressed files, Office packages, PDFs. Nothing goes to the disk."""

import bz2
import gzip
import io
import lzma
import posixpath
import re
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, cast

from searchkit.display.installation import Installation
from searchkit.errors import UnreadableFileError
from searchkit.formats import PICTURE, format_by_name, reads_old_office
from searchkit.ingest.extract.archive import BOMB_BYTES, BOMB_RATIO, MAX_MEMBERS, damaged, locked
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

if TYPE_CHECKING:
    import rarfile
    from pypdfium2 import PdfAttachment, PdfDocument

_KIND = "archive"
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_SEVEN_ZIP, _RAR = b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"
APPLE = ".iwa"  # the ending of the members in which Pages, Numbers and Keynote write text
_MOST_AT_ONCE = 128 << 20  # bytes of a .7z archive, whose files cannot be unpacked one by one
_TAR_AT = 257
_EMBEDDED = re.compile(rb"/EmbeddedFile(?!s)")  # the streams of a PDF that are files
_ASSOCIATED = b"/AFRelationship"  # of a file to what it belongs to; its stream may lack the mark above
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, OverflowError),
)
_LARGEST_OBJECT = 64 << 20
_MOST_STREAMED = 512 << 20  # bytes that a compressed archive may unpack to
_NAMES_IN_A_BLOCK = 40
_PREVIEWS = ("Thumbnails/", "docProps/")  # of the document itself
_MOST_NAMES = 20_000
_PACK_AGAIN = "unpack it, or pack it as .zip or .7z"
_TOO_MUCH = "a file in it unpacks to more than one file may have"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a container. `label`: its name for people, with its kind before it. `read`: takes the most bytes that it may have.

    `size_bytes`, `mtime_ns`: as the container says, None if it does not. Reading raises UnreadableFileError.
    """

    name: str
    label: str
    read: Callable[[int], bytes]
    size_bytes: int | None = None
    mtime_ns: int | None = None


def is_tar(beginning: bytes) -> bool:
    """True for the beginning of a tar archive."""
    return beginning[_TAR_AT : _TAR_AT + 5] == b"ustar"


def is_compressed(beginning: bytes) -> bool:
    """True for a file that gzip, bzip2 or xz has compressed."""
    return beginning.startswith((_GZIP, _XZ)) or (beginning.startswith(_BZIP2) and beginning[4:10] == b"1AY&SY")


def is_other_archive(beginning: bytes) -> bool:
    """True for archives in the formats of 7-Zip and RAR."""
    return beginning.startswith((_SEVEN_ZIP, _RAR))


def extract_archive(content: bytes) -> ExtractedDocument:
    """The names of the files in an archive; what is in them are documents of their own."""
    return ExtractedDocument("", tuple(_names(content)))


def _names(content: bytes) -> Iterator[Block]:
    """The names in blocks of some; those before damage are read. Raises UnreadableFileError if none is."""
    if content.startswith(b"PK") and (comment := _comment_of(content)):
        yield Block(comment, place="comment")
    held: list[str] = []
    for count, member in enumerate(_up_to_damage(content)):
        if count == _MOST_NAMES:
            held.append("… and more files, which are not named here")
            break
        if member.name.endswith(APPLE):
            yield from _of_apple(member)
            continue
        held.append(member.name)
        if len(held) == _NAMES_IN_A_BLOCK:
            yield Block("\n".join(held), BlockKind.TABLE)
            held = []
    if held:
        yield Block("\n".join(held), BlockKind.TABLE)


def _up_to_damage(content: bytes) -> Iterator[Member]:
    members = members_of_archive(content)
    first = next(members, None)
    if first is None:
        return
    yield first
    try:
        yield from members
    except UnreadableFileError as error:
        if not str(error).startswith("damaged"):  # but too much, or locked
            raise
        leave_out("names of files behind damage in an archive")


def _comment_of(content: bytes) -> str:
    """What is written about a zip archive as a whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as container:
            return decode_text(container.comment).strip() if container.comment else ""
    except (*_DAMAGED, UnreadableFileError):
        return ""


def _of_apple(member: Member) -> Iterator[Block]:
    """The text in a member of a document of Pages, Numbers or Keynote."""
    from searchkit.ingest.extract.office.iwork import text_blocks

    try:
        yield from text_blocks(member.name, member.read(_LARGEST_OBJECT))
    except UnreadableFileError:
        leave_out("text of Pages, Numbers or Keynote in a form that is not known")


def members_of_archive(content: bytes) -> Iterator[Member]:
    """Yield the files in a zip or tar archive, or the one in a compressed file. Raises UnreadableFileError for damage."""
    try:
        if content.startswith(b"PK"):
            yield from _of_zip(content)
        elif is_compressed(content):
            yield from _of_compressed(content)
        elif is_tar(content):
            yield from _of_tar(io.BytesIO(content))
        elif content.startswith(_SEVEN_ZIP):
            yield from _of_seven_zip(content)
        elif content.startswith(_RAR):
            yield from _of_rar(content)
        else:
            raise damaged(_KIND, "it is of no known kind")
    except _DAMAGED as error:
        raise damaged(_KIND, str(error)) from error


def _of_zip(content: bytes) -> Iterator[Member]:
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        for info in container.infolist()[:MAX_MEMBERS]:
            if not info.is_dir():
                yield _zip_member(container, info)


def _zip_member(container: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = _name_in_zip(info)

    def read(most: int) -> bytes:
        if info.flag_bits & 1:
            raise locked("file in an archive")
        _refuse_bomb(info.file_size, info.compress_size)
        try:
            with container.open(info) as stream:
                return _at_most(stream, most)
        except _DAMAGED as error:
            raise damaged("file in an archive", str(error)) from error

    return Member(name, name, read, info.file_size, _moment_of(info.date_time))


def _refuse_bomb(size: int, compressed: int) -> None:
    """Raise UnreadableFileError for a member that unpacks to far more than it takes."""
    if size > BOMB_BYTES and size > BOMB_RATIO * max(1, compressed):
        raise UnreadableFileError(f"{_TOO_MUCH}, as harmful files do", remedy="if you trust it, unpack it")


def _of_seven_zip(content: bytes) -> Iterator[Member]:
    """The files of a .7z archive, unpacked together: most are compressed as one."""
    if find_spec("py7zr") is None:
        how = f"{Installation.here().adding('archives')}, or pack it as .zip"
        raise UnreadableFileError("an archive in the format 7z, for which a package is missing", remedy=how)
    import py7zr

    try:
        with py7zr.SevenZipFile(io.BytesIO(content)) as container:
            if container.needs_password():
                raise locked(_KIND)
            files = {info.filename: info for info in container.list()[:MAX_MEMBERS] if info.is_file}
            if sum(info.uncompressed for info in files.values()) > _MOST_AT_ONCE:
                reason = f"an {_KIND} that unpacks to more than {_MOST_AT_ONCE >> 20} MB"
                raise UnreadableFileError(reason, remedy="unpack it")
            unpacked = py7zr.io.BytesIOFactory(_MOST_AT_ONCE)
            container.extract(targets=list(files), factory=unpacked)
    except py7zr.exceptions.PasswordRequired as error:  # its names are locked too
        raise locked(_KIND) from error
    except (py7zr.exceptions.ArchiveError, *_DAMAGED, LookupError) as error:
        raise damaged(_KIND, str(error)) from error
    for name, info in files.items():
        held = unpacked.products.get(name)
        if held is None:
            raise damaged(_KIND, f"{name} is not in it")
        held.seek(0)
        data, label = held.read(), _clean(name)
        moment = int(info.creationtime.timestamp()) * 1_000_000_000 if info.creationtime else None
        yield Member(label, label, partial(_given, data), len(data), moment)


def _of_rar(content: bytes) -> Iterator[Member]:
    """The files of a RAR archive. What is packed in it, one of several programs unpacks."""
    if find_spec("rarfile") is None:
        how = f"{Installation.here().adding('archives')}, or {_PACK_AGAIN}"
        raise UnreadableFileError("an archive in the format RAR, for which a package is missing", remedy=how)
    import rarfile

    try:
        with rarfile.RarFile(io.BytesIO(content), errors="strict") as container:
            for info in container.infolist()[:MAX_MEMBERS]:
                if not info.is_dir():
                    label = _clean(info.filename)
                    moment = int(info.mtime.timestamp()) * 1_000_000_000 if info.mtime else None
                    yield Member(label, label, partial(_from_rar, container, info), info.file_size, moment)
    except rarfile.NeedFirstVolume as error:
        raise UnreadableFileError("a later part of an archive in several", remedy="unpack its first part") from error
    except rarfile.PasswordRequired as error:
        raise locked(_KIND) from error
    except rarfile.Error as error:
        raise damaged(_KIND, str(error)) from error


def _from_rar(container: "rarfile.RarFile", info: "rarfile.RarInfo", most: int) -> bytes:
    import rarfile

    if info.needs_password():
        raise locked("file in an archive")
    _refuse_bomb(info.file_size, info.compress_size)
    try:
        with container.open(info) as stream:
            return _at_most(stream, most)
    except rarfile.RarCannotExec as error:
        how = f"install the program unrar, unar, bsdtar or 7-Zip, or {_PACK_AGAIN}"
        raise UnreadableFileError("packed as RAR, which a program has to unpack", remedy=how) from error
    except (rarfile.Error, *_DAMAGED) as error:
        raise damaged("file in an archive", str(error)) from error


def _moment_of(date_time: tuple[int, int, int, int, int, int]) -> int | None:
    try:
        return int(time.mktime((*date_time, 0, 0, -1))) * 1_000_000_000 if date_time[0] > 1980 else None
    except (ValueError, OverflowError):
        return None


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """The name, which old programs write in the encoding of their system without saying which."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            name = decode_text(name.encode("cp437"))
        except (UnreadableFileError, UnicodeEncodeError):
            name = info.filename
    return _clean(name)


def _clean(name: str) -> str:
    """A name as a label: nothing is written under it, so that one that leads out of the container does no harm."""
    plain = name.replace("\\", "/").encode("utf-8", "replace").decode("utf-8")
    return "/".join(part for part in plain.split("/") if part not in ("", ".", "..")) or "file"


def _of_tar(stream: IO[bytes] | io.RawIOBase) -> Iterator[Member]:
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as container:
        for number, info in enumerate(container):
            if number >= MAX_MEMBERS:
                return
            if not info.isfile():
                continue
            name = _clean(info.name)
            opened = container.extractfile(info)
            mtime_ns = int(info.mtime) * 1_000_000_000 or None
            yield Member(name, name, partial(_at_most, opened), info.size, mtime_ns)


def _of_compressed(content: bytes) -> Iterator[Member]:
    """The members of a compressed tar archive, else the file itself, under the name that it gives."""
    if is_tar(_Decompressed(content).read(_TAR_AT + 8)):
        yield from _of_tar(_Decompressed(content))
        return
    name = _clean(_name_in_gzip(content) or "content")
    yield Member(name, name, lambda most: _at_most(_Decompressed(content), most))


class _Decompressed(io.RawIOBase):
    """The content of a compressed file, read in order. Raises UnreadableFileError where it has become too much."""

    def __init__(self, content: bytes) -> None:
        source = io.BytesIO(content)
        self._stream: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
        if content.startswith(_GZIP):
            self._stream = gzip.GzipFile(fileobj=source)
        else:
            self._stream = bz2.BZ2File(source) if content.startswith(_BZIP2) else lzma.LZMAFile(source)  # noqa: SIM115
        self._left = _MOST_STREAMED

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, "" at the end."""
        found = self._stream.read(self._left + 1 if size < 0 else size)
        self._left -= len(found)
        if self._left < 0:
            raise UnreadableFileError(
                f"an {_KIND} that unpacks to more than {_MOST_STREAMED >> 20} MB", remedy="unpack it"
            )
        return found


def _name_in_gzip(content: bytes) -> str:
    """The name that gzip has stored, "" if it has not."""
    if not content.startswith(_GZIP) or not content[3] & 8:
        return ""
    start = 10 + (2 + int.from_bytes(content[10:12], "little") if content[3] & 4 else 0)
    return content[start : max(start, content.find(b"\0", start, start + 1000))].decode("utf-8", "replace")


def _given(content: bytes, _most: int) -> bytes:
    return content


def _at_most(stream: IO[bytes] | io.RawIOBase | None, most: int) -> bytes:
    """Read a stream to its end. Raises UnreadableFileError if it is longer than `most`."""
    try:
        content = (stream.read(most + 1) or b"") if stream is not None else b""
    except _DAMAGED as error:
        raise damaged("file in an archive", str(error)) from error
    if len(content) > most:
        raise UnreadableFileError(f"{_TOO_MUCH} ({most / 1e6:,.0f} MB)", remedy="unpack it")
    return content


def members_of_office(content: bytes) -> Iterator[Member]:
    """Yield the files embedded in an Office package or a book: those that are packed into an object as well, and pictures."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as container:
            for info in container.infolist():
                member = _zip_member(container, info)
                name = posixpath.basename(member.name)
                if format_by_name(PurePath(name)) == PICTURE and not member.name.startswith(_PREVIEWS):
                    yield Member(name, f"picture {name}", member.read, member.size_bytes)
                elif "/embeddings/" in info.filename.replace("\\", "/").lower():
                    packed = _packed(member) if name.lower().endswith(".bin") else None
                    found = packed or Member(name, name, member.read, member.size_bytes)
                    yield replace(found, label=f"embedded {found.label}")
    except _DAMAGED:
        return  # the document's own reader has said so


def _packed(member: Member) -> Member | None:
    """The file that an OLE object holds, None if it holds none or what reads such objects is not installed."""
    if not reads_old_office() or (member.size_bytes or 0) > _LARGEST_OBJECT:
        return None
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(member.read(_LARGEST_OBJECT))) as ole:
            if ole.exists("\x01Ole10Native"):
                name, data = _native(ole.openstream("\x01Ole10Native").read())
            else:
                stream = next((each for each in ("CONTENTS", "Package") if ole.exists(each)), "")
                name, data = (
                    posixpath.basename(member.name)[: -len(".bin")],
                    ole.openstream(stream).read() if stream else b"",
                )
    except (*_DAMAGED, struct.error, IndexError, UnreadableFileError):
        return None
    return Member(name, name, partial(_given, data), len(data)) if data else None


def _native(stream: bytes) -> tuple[str, bytes]:
    """Name and content of a file in the layout of Ole10Native ([MS-OLEDS] 2.3.6, and what Windows writes into it)."""
    name_end = stream.index(b"\0", 6)
    path_end = stream.index(b"\0", name_end + 1)
    (length,) = struct.unpack_from("<I", stream, path_end + 5)
    at = path_end + 9 + length
    (size,) = struct.unpack_from("<I", stream, at)
    name = stream[6:name_end].decode("cp1252", "replace").replace("\\", "/")
    return _clean(posixpath.basename(name)), stream[at + 4 : at + 4 + size]


def members_of_pdf(content: bytes) -> Iterator[Member]:
    """Yield the files attached to a PDF as a whole, then those on its pages, then those associated with anything else in it."""
    import pypdfium2

    if not any(mark in content for mark in (b"/EmbeddedFile", b"/FileAttachment", b"/ObjStm", _ASSOCIATED)):
        return
    streams = len(_EMBEDDED.findall(content))
    known: set[bytes] = set()
    try:
        with pypdfium2.PdfDocument(content) as document:
            for number in range(document.count_attachments()):
                yield _attached(document.get_attachment(number), known)
            if b"/FileAttachment" in content or streams > len(known):
                yield from _pinned(document, known)
    except pypdfium2.PdfiumError:
        return
    if streams > len(known) or _ASSOCIATED in content:
        from searchkit.ingest.extract.pdf.repair import all_files

        yield from (
            _of_pdf(name, data, known) for name, data in all_files(content) if sha256(data).digest() not in known
        )


def _pinned(document: "PdfDocument", known: set[bytes]) -> Iterator[Member]:
    """The files of annotations. No page's text is read for them, but its content is parsed."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    for page in document:
        for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
            annotation = pdfium.FPDFPage_GetAnnot(page, number)
            file = pdfium.FPDFAnnot_GetFileAttachment(annotation) if annotation else None
            if file:
                yield _attached(pypdfium2.PdfAttachment(file, document), known)
            pdfium.FPDFPage_CloseAnnot(annotation)
        page.close()


def _attached(attachment: "PdfAttachment", known: set[bytes]) -> Member:
    return _of_pdf(attachment.get_name(), bytes(attachment.get_data()), known)


def _of_pdf(name: str, data: bytes, known: set[bytes]) -> Member:
    """A file in a PDF. `known`: the checksums of those before it, to which its own is added."""
    known.add(sha256(data).digest())
    name = _clean(name)
    return Member(name, f"attachment {name}", partial(_given, data), len(data))
