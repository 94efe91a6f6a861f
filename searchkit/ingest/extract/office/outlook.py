"""Reads messages of Outlook as the mails that they are: .msg, and what Exchange packs mail into for others (winmail.dat, TNEF).

.msg needs the extra [office-legacy]. Layouts: [MS-OXMSG], [MS-OXTNEF] and [MS-OXRTFCP].
"""

import datetime
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import damaged
from searchkit.ingest.extract.mail import extract_mail
from searchkit.ingest.extract.office.legacy import opened, read_stream, text_of
from searchkit.ingest.extract.office.rtf import extract_rtf
from searchkit.types import ExtractedDocument

if TYPE_CHECKING:
    import olefile

TNEF = b"\x78\x9f\x3e\x22"  # the first bytes of winmail.dat
_MSG, _WINMAIL = "Outlook message", "message in Outlook's own form (winmail.dat)"
_DEEPEST = 30
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_SENT, _DELIVERED = "00390040", "0E060040"
_KIND_OF_RECIPIENT, _HEAD_OF_PART = "0C150003", 8
_RECIPIENTS = {1: ("To", "0E04"), 2: ("Cc", "0E03"), 3: ("Bcc", "0E02")}  # headers, and where their names are
_SPECIAL = re.compile(r"[^\w\s'-]")  # of names: to be quoted in a header
# Attributes of TNEF; those of a file follow the one that begins it.
_ATTACHMENT_BEGINS, _FILE_DATA, _FILE_NAME = 0x9002, 0x800F, 0x8010
_SUBJECT, _BODY, _MESSAGE_PROPERTIES, _FILE_PROPERTIES = 0x8004, 0x800C, 0x9003, 0x9005
_OF_FILES = frozenset((_FILE_DATA, _FILE_NAME, _FILE_PROPERTIES))
_VARIABLE = frozenset(
    (0x0D, 0x1E, 0x1F, 0x102)
)  # types of properties whose length is said; an object has its kind in front
_OBJECT, _SEVERAL, _NAMED = 0x0D, 0x1000, 0x8000
_LENGTHS = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_RTF_BEGINS = (  # the texts that compressed RTF may refer to from its beginning on
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
_MOST_RTF = 64 << 20


def extract_msg(content: bytes) -> ExtractedDocument:
    """Read a message of Outlook as the mail that it is."""
    return extract_mail(as_mail(content))


def as_mail(content: bytes) -> bytes:
    """A message of Outlook as a mail in MIME, with its attachments. Raises UnreadableFileError."""
    if content.startswith(TNEF):
        try:
            return bytes(_PackedMessage.of(content).mail(0))
        except (struct.error, IndexError, ValueError) as error:
            raise damaged(_WINMAIL, str(error)) from error
    with opened(content, _MSG) as ole:
        return bytes(_StoredMessage(ole, "").mail(0))


def _person(name: str, address: str) -> str:
    """A name with its address; an address in Exchange's own directory says less than the name."""
    name = " ".join(name.split()).strip("'")
    if "@" not in address:
        return name or address
    if not name or name.casefold() == address.casefold():
        return address
    plain = name.replace("\\", "").replace('"', "")
    return f'"{plain}" <{address}>' if _SPECIAL.search(name) else f"{name} <{address}>"


class _Message(ABC):
    """A message by its properties, which are named by their number and type: "0037001F" is a subject in UTF-16."""

    def mail(self, depth: int) -> EmailMessage:
        """Convert it, with what is attached to it."""
        mail = EmailMessage()
        headers = {
            "From": _person(self._string("0C1A"), self._string("5D01") or self._string("0C1F")),
            **self._recipients(),
            "Subject": self._string("0037"),
        }
        for header, value in headers.items():
            if value:
                mail[header] = " ".join(value.split())
        if date := self._date():
            mail["Date"] = format_datetime(date)
        html = self._binary("1013") or self._string("1013").encode()
        plain = self._string("1000")
        mail.set_content(plain or ("" if html else _text_of_rtf(self._binary("1009"))) or " ")
        if html:
            mail.add_alternative(text_of(html), subtype="html")
        for part in self._attached():
            part._attach_to(mail, depth)
        if not mail.keys():
            mail["Subject"] = " "
        return mail

    def _recipients(self) -> dict[str, str]:
        """The people in To, Cc and Bcc with their addresses; where those are not stored, their names."""
        found: dict[str, list[str]] = {header: [] for header, _ in _RECIPIENTS.values()}
        for kind, each in self._people():
            header, _ = _RECIPIENTS.get(kind, _RECIPIENTS[1])
            found[header].append(_person(each._string("3001"), each._string("39FE") or each._string("3003")))
        return {header: ", ".join(found[header]) or self._string(names) for header, names in _RECIPIENTS.values()}

    def _attach_to(self, mail: EmailMessage, depth: int) -> None:
        name = self._string("3707") or self._string("3704") or self._string("3001") or "attachment"
        if data := self._binary("3701"):
            mail.add_attachment(data, "application", "octet-stream", filename=name)
        elif depth < _DEEPEST and (inner := self._inner()) is not None:
            mail.add_attachment(inner.mail(depth + 1))

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A property's value, "" if the message does not have it."""

    @abstractmethod
    def _people(self) -> "Iterator[tuple[int, _Message]]":
        """The recipients: the kind (1 To, 2 Cc, 3 Bcc) and the properties of each."""

    @abstractmethod
    def _attached(self) -> "Iterator[_Message]":
        """What is attached, each by its own properties."""

    @abstractmethod
    def _inner(self) -> "_Message | None":
        """The message that is attached here, None if it is another file."""

    @abstractmethod
    def _times(self) -> dict[str, int]:
        """Moments in tenths of microseconds since 1601."""

    def _string(self, tag: str) -> str:
        wide = self.read(f"{tag}001F")
        return wide.decode("utf-16-le", "replace").strip("\0") if wide else text_of(self.read(f"{tag}001E"))

    def _binary(self, tag: str) -> bytes:
        return self.read(f"{tag}0102")

    def _date(self) -> datetime.datetime | None:
        """The moment of sending, else of delivery."""
        times = self._times()
        moment = times.get(_SENT) or times.get(_DELIVERED)
        try:
            return _EPOCH + datetime.timedelta(microseconds=moment // 10) if moment else None
        except OverflowError:
            return None


class _StoredMessage(_Message):
    """A message in a compound file; `prefix` leads to its storage, "" for the outermost."""

    def __init__(self, ole: "olefile.OleFileIO", prefix: str) -> None:
        self._ole = ole
        self._prefix = prefix

    def read(self, name: str) -> bytes:
        path = f"{self._prefix}__substg1.0_{name}"
        return read_stream(self._ole, path, _MSG) if self._ole.exists(path) else b""

    def _people(self) -> Iterator[tuple[int, _Message]]:
        for each in self._parts("__recip_version1.0_"):
            yield each._fixed(_HEAD_OF_PART).get(_KIND_OF_RECIPIENT, 0) & 0xFF, each

    def _attached(self) -> Iterator[_Message]:
        return self._parts("__attach_version1.0_")

    def _parts(self, start: str) -> "Iterator[_StoredMessage]":
        """What is in the storages directly in this one whose names begin so."""
        within = [part for part in self._prefix.split("/") if part]
        for entry in self._ole.listdir(streams=False, storages=True):
            if entry[:-1] == within and entry[-1].startswith(start):
                yield _StoredMessage(self._ole, f"{self._prefix}{entry[-1]}/")

    def _inner(self) -> _Message | None:
        path = f"{self._prefix}__substg1.0_3701000D"
        return _StoredMessage(self._ole, f"{path}/") if self._ole.exists(path) else None

    def _times(self) -> dict[str, int]:
        return self._fixed(24 if self._prefix else 32)

    def _fixed(self, head: int) -> dict[str, int]:
        """The properties of fixed length; in the table they follow `head` bytes."""
        path = f"{self._prefix}__properties_version1.0"
        table = read_stream(self._ole, path, _MSG) if self._ole.exists(path) else b""
        starts = range(head, len(table) - 15, 16)
        found = (struct.unpack_from("<IIQ", table, at) for at in starts)
        return {f"{tag:08X}": value for tag, _, value in found}


class _PackedMessage(_Message):
    """A message in TNEF, or a file attached to one: its properties, and the files that are attached to it."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}
        self._files: list[_PackedMessage] = []

    @classmethod
    def of(cls, content: bytes) -> "_PackedMessage":
        """Read the attributes one after the other; what a file says in two ways counts in the newer one."""
        message, at = cls(), 6
        while at + 9 <= len(content):
            kind, length = struct.unpack_from("<HxxI", content, at + 1)
            value = content[at + 9 : at + 9 + length]
            if len(value) < length:
                raise ValueError("it is cut off")
            at += 11 + length
            if kind == _ATTACHMENT_BEGINS:
                message._files.append(cls())
            within = message._files[-1] if kind in _OF_FILES and message._files else message
            if name := {_SUBJECT: "0037001E", _BODY: "1000001E", _FILE_NAME: "3704001E", _FILE_DATA: "37010102"}.get(
                kind
            ):
                within._held.setdefault(name, value.rstrip(b"\0") if name.endswith("1E") else value)
            elif kind in (_MESSAGE_PROPERTIES, _FILE_PROPERTIES):
                within._held |= dict(_properties(value))
        return message

    def read(self, name: str) -> bytes:
        return self._held.get(name, b"")

    def _people(self) -> Iterator[tuple[int, _Message]]:
        return iter(())  # the mail that it came with names them

    def _attached(self) -> Iterator[_Message]:
        yield from self._files

    def _inner(self) -> _Message | None:
        found = self._held.get(f"3701{_OBJECT:04X}", b"")[16:]  # behind the kind of the object
        return _PackedMessage.of(found) if found.startswith(TNEF) else None

    def _times(self) -> dict[str, int]:
        found = {name: self.read(name) for name in (_SENT, _DELIVERED)}
        return {name: int.from_bytes(value, "little") for name, value in found.items() if value}


def _properties(table: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, value) of the properties in an attribute of TNEF; of several values the first. Raises struct.error for damage."""
    (count,) = struct.unpack_from("<I", table)
    at = 4
    for _ in range(count):
        kind, number = struct.unpack_from("<HH", table, at)
        at += 4
        if number >= _NAMED:
            is_text, length = struct.unpack_from("<II", table, at + 16)
            at += 24 + (length + -length % 4 if is_text else 0)
        plain = kind & ~_SEVERAL
        values = 1
        if kind & _SEVERAL or plain in _VARIABLE:
            (values,) = struct.unpack_from("<I", table, at)
            at += 4
        for index in range(values):
            length = _LENGTHS.get(plain, 0)
            if plain in _VARIABLE:
                (length,) = struct.unpack_from("<I", table, at)
                at += 4
            elif not length:
                raise ValueError(f"a property of the unknown type {plain:#x}")
            if index == 0:
                yield f"{number:04X}{plain:04X}", table[at : at + length]
            at += length + -length % 4


def _text_of_rtf(compressed: bytes) -> str:
    """The text of a body that exists as compressed RTF alone, "" if there is none or it is damaged."""
    try:
        document = extract_rtf(decompressed(compressed)) if compressed else None
        return "\n\n".join(block.text for block in document.blocks) if document else ""
    except (UnreadableFileError, struct.error, IndexError, ValueError):
        return ""


def decompressed(content: bytes) -> bytes:
    """The RTF of a body: copies of what stands in a window of the last 4,096 bytes, and bytes as they are ([MS-OXRTFCP])."""
    _, length, kind = struct.unpack_from("<II4s", content)
    if kind == b"MELA":
        return content[16 : 16 + length]
    if kind != b"LZFu" or length > _MOST_RTF:
        raise ValueError("no compressed RTF")
    window = bytearray(_RTF_BEGINS.ljust(_WINDOW, b"\0"))
    found, to, at = bytearray(), len(_RTF_BEGINS), 16
    while len(found) < length:
        flags = content[at]
        at += 1
        for bit in range(8):
            if flags >> bit & 1:
                start, more = content[at] << 4 | content[at + 1] >> 4, (content[at + 1] & 15) + 2
                at += 2
                if start == to % _WINDOW:
                    return bytes(found)
            else:
                start, more = -1, 1
            for step in range(more):
                sign = content[at] if start < 0 else window[(start + step) % _WINDOW]
                window[to % _WINDOW] = sign
                found.append(sign)
                to += 1
            at += start < 0
            if len(found) >= length:
                break
    return bytes(found)
