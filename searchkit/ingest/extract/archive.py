"""Reads zip containers of office documents and e-books: parts by name; harmful containers are refused with the reason.

Nothing is unpacked to disk. Parts that are read whole and parts that are streamed have a cap each on their unpacked
size. XML is parsed without entities, DTD or network.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import IO

from lxml import etree

from searchkit.errors import UnreadableFileError

MAX_MEMBERS = 50_000
MAX_READ_BYTES = 256 << 20  # of all parts read whole: a tree of XML takes several times its text
MAX_STREAMED_BYTES = 1 << 30  # of all parts streamed: a million rows of six cells are 250 MB
BOMB_BYTES = 32 << 20  # a part read whole that is smaller than this is harmless at any ratio
STREAMED_BOMB_BYTES = 256 << 20  # a script's sheet of a million equal rows has 80 MB, and is no bomb
BOMB_RATIO = 400  # sheets of one number in each row reach 60; deflate can do 1,032

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLD_OFFICE = {"WordDocument": "Word 97-2003", "PowerPoint Document": "PowerPoint 97-2003", "Workbook": "Excel 97-2003"}
_AGAIN = "copy or download it again, or open it in its program and save it again"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError)


@lru_cache(maxsize=4096)
def local(tag: object) -> str:
    """A tag's name without its namespace, which differs between editions of one format; "" for a node without a tag."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: etree._Element, name: str) -> str:
    """The value of an attribute by its local name, "" if there is none."""
    return next((str(value) for key, value in element.attrib.items() if local(key) == name), "")


def descendants(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Elements below (or the element itself) with one of these local names, in document order."""
    return element.iter(*(f"{{*}}{name}" for name in names))


def first(element: etree._Element, name: str) -> etree._Element | None:
    """The first element below with this local name."""
    return next((found for found in descendants(element, name) if found is not element), None)


class Archive:
    """A zip container in memory. `kind` names the sort of document in messages, such as "Word document".

    Making one raises UnreadableFileError for another kind of file, a locked one, or one that looks like an attack.
    """

    def __init__(self, content: bytes, kind: str) -> None:
        self.kind = kind
        self._read_left, self._streamed_left = MAX_READ_BYTES, MAX_STREAMED_BYTES
        self._charged: set[str] = set()  # a part that is read twice counts once
        _refuse_others(content, kind)
        with self._one_kind_of_error():
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise UnreadableFileError(
                f"a container of {len(members):,} parts; more than {MAX_MEMBERS:,} are not read", remedy=_AGAIN
            )
        self._members = {_key(member.filename): member for member in members}
        climbing = next((name for name in self._members if ".." in name.split("/")), None)
        if climbing is not None:
            raise UnreadableFileError(
                f"it contains a part whose name leads out of it ({climbing}), as harmful files do",
                remedy="if you trust it, open it in its program and save it again",
            )

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._members

    def names(self) -> list[str]:
        """The parts' names, lower case."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """Read a whole part. Raises KeyError if there is none with that name."""
        member = self._members[_key(name)]
        self._read_left -= self._cost(member, self._read_left, BOMB_BYTES)
        with self._one_kind_of_error():
            return self._zip.read(member)

    def xml(self, name: str) -> etree._Element | None:
        """The root of a part that is XML, None if there is no such part or it is empty."""
        content = self.read(name) if name in self else b""
        return parse_xml(content, self.kind) if content.strip() else None

    def each(self, name: str, *tags: str) -> Iterator[etree._Element]:
        """Yield elements with these local names as they end; each is freed when the next is requested."""
        with self._opened(name) as stream:
            yield from each_element(stream, self.kind, tags)

    def stream(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a part to read it piece by piece."""
        return self._opened(name)

    def children(self, name: str, under: str) -> Iterator[etree._Element]:
        """Yield children of the elements with the local name `under`; each is freed when the next is requested."""
        with self._opened(name) as stream:
            yield from each_child(stream, self.kind, under)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        member = self._members[_key(name)]
        self._streamed_left -= self._cost(member, self._streamed_left, STREAMED_BOMB_BYTES)
        with self._one_kind_of_error(), self._zip.open(member) as stream:
            yield stream

    def _cost(self, member: zipfile.ZipInfo, left: int, harmless: int) -> int:
        """The share of a cap that a part uses: its declared size, which is also the most that unpacking gives."""
        if member.flag_bits & 1:
            raise locked(self.kind)
        if member.file_size > harmless and member.file_size > BOMB_RATIO * max(1, member.compress_size):
            ratio = member.file_size // max(1, member.compress_size)
            raise UnreadableFileError(
                f"a part of it unpacks to {ratio:,} times its size, as harmful files do",
                remedy="if you trust it, open it in its program and save it again",
            )
        cost = 0 if member.filename in self._charged else member.file_size
        if cost > left:
            raise UnreadableFileError(
                f"it unpacks to more than one {self.kind} may ({(MAX_READ_BYTES >> 20):,} MB, or"
                f" {(MAX_STREAMED_BYTES >> 20):,} MB of rows and paragraphs)",
                remedy="split it into smaller ones",
            )
        self._charged.add(member.filename)
        return cost

    @contextmanager
    def _one_kind_of_error(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise damaged(self.kind, str(error)) from error


def damaged(kind: str, detail: str) -> UnreadableFileError:
    """The error for a document that is broken or cut off."""
    return UnreadableFileError(f"damaged or incomplete {kind}: {detail}", remedy=_AGAIN)


def locked(kind: str) -> UnreadableFileError:
    """The error for a document that needs a password."""
    return UnreadableFileError(
        f"password-protected {kind}", remedy="open it with its password and save a copy without one"
    )


def parse_xml(content: bytes, kind: str) -> etree._Element:
    """The root of an XML document. Raises UnreadableFileError if it is not well-formed."""
    try:
        return etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        raise _bad_xml(kind, error) from error


def each_element(stream: IO[bytes], kind: str, tags: tuple[str, ...]) -> Iterator[etree._Element]:
    """Yield elements with these local names as they end; afterwards they are freed with everything before them."""
    wanted = [f"{{*}}{tag}" for tag in tags]
    for _, element in _events(stream, kind, ("end",), wanted):
        yield element
        forget(element)


def each_child(stream: IO[bytes], kind: str, under: str) -> Iterator[etree._Element]:
    """Yield children of the elements with the local name `under`, which are freed afterwards."""
    for _, element in _events(stream, kind, ("end",), None):
        parent = element.getparent()
        if parent is not None and local(parent.tag) == under:
            yield element
            forget(element)


def each_event(stream: IO[bytes], kind: str, tags: tuple[str, ...] = ()) -> Iterator[tuple[str, etree._Element]]:
    """Yield ("start" or "end", element) for elements with these local names; only `forget` frees anything."""
    return _events(stream, kind, ("start", "end"), [f"{{*}}{tag}" for tag in tags])


def _events(
    stream: IO[bytes], kind: str, events: tuple[str, ...], tags: list[str] | None
) -> Iterator[tuple[str, etree._Element]]:
    try:
        yield from etree.iterparse(
            stream,
            events=events,
            tag=tags,
            remove_comments=True,
            remove_pis=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
    except etree.XMLSyntaxError as error:
        raise _bad_xml(kind, error) from error


def _bad_xml(kind: str, error: etree.XMLSyntaxError) -> UnreadableFileError:
    if "Excessive depth" in str(error):
        return UnreadableFileError(f"{_a(kind)} nested too deeply to be read", remedy=_AGAIN)
    return damaged(kind, f"not well-formed XML ({error})")


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeioAEIO" else f"a {kind}"


def forget(element: etree._Element) -> None:
    """Free an element and its preceding siblings."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )


def _key(name: str) -> str:
    """Normalize a part's name: case does not matter, and careless programs write backslashes."""
    return name.replace("\\", "/").lstrip("/").lower()


def _refuse_others(content: bytes, kind: str) -> None:
    """The error for a file that is not a zip container, with what it is instead."""
    if not content.strip(b"\0 \r\n"):
        raise UnreadableFileError(f"an empty file, not {_a(kind)}", remedy=_AGAIN)
    if content.startswith(_OLE):
        if _named(content, "DRMEncryptedTransform"):
            raise UnreadableFileError(
                f"a {kind} that only those may open whom its author has named, without a password",
                remedy="open it in its program, and save a copy without protection if you may",
            )
        if _named(content, "EncryptedPackage"):
            raise locked(kind)
        old = next((name for stream, name in _OLD_OFFICE.items() if _named(content, stream)), None)
        raise UnreadableFileError(
            f"in the old format of {old or 'Office 97-2003'}, under the name of a newer one",
            remedy="open it in its program and save it in the current format",
        )
    if not content.startswith(b"PK"):
        probably = next((name for start, name in _STARTS if start(content[:512].lstrip(b"\xef\xbb\xbf \r\n\t"))), "")
        raise UnreadableFileError(
            f"not {_a(kind)}: its content is {probably or 'something else'}",
            remedy="give it the ending that fits its content" if probably else _AGAIN,
        )


def _named(content: bytes, stream: str) -> bool:
    """True if a compound file has a stream of this name; its directory spells names in UTF-16."""
    return stream.encode("utf-16-le") in content


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda content: content[:16].lower().startswith(beginnings)


_STARTS = (
    (_starts(b"{\\rtf"), "rich text (.rtf)"),
    (_starts(b"%pdf"), "a PDF"),
    (_starts(b"<!doctype html", b"<html"), "a web page (.html)"),
    (_starts(b"<"), "XML or a web page"),
)
