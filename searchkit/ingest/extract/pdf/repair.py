"""Reads by pypdf what PDFium does not: damaged files, in which it searches for objects, pages whose letters PDFium mistakes, and
files that belong to other things than pages.
"""

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum

import pypdf
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, StreamObject

from searchkit.errors import UnreadableFileError

# Errors that pypdf raises for content that its authors did not foresee.
_FAILURES: tuple[type[Exception], ...] = (
    PyPdfError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,  # NotImplementedError and RecursionError are such
    NameError,
    OSError,
)
_UNREAD: tuple[type[Exception], ...] = (
    *_FAILURES,
    DependencyError,
)  # the latter: encryption that needs another library


def repaired_lines(content: bytes, reason: str, *, remedy: str) -> list[list[str]]:
    """Read the lines of each page. Raises UnreadableFileError if nothing can be read; `reason`: why PDFium refused."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports every oddity; the outcome is reported instead
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFileError("password-protected PDF, and damaged", remedy=remedy)
        pages = [_lines(page) for page in reader.pages]
    except DependencyError as error:
        raise UnreadableFileError("damaged PDF, and encrypted by a method that is not read", remedy=remedy) from error
    except _FAILURES as error:
        raise UnreadableFileError(_damage(content, str(error) or reason), remedy=remedy) from error
    if not any(line.strip() for lines in pages for line in lines):
        raise UnreadableFileError(_damage(content, reason), remedy=remedy)
    return pages


def all_files(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Read the names and contents of the files embedded anywhere, also those that only a table or a picture refers to."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            return
        numbers = {*reader.xref_objStm, *(number for of_one in reader.xref.values() for number in of_one)}
    except _UNREAD:
        return
    for number in sorted(numbers):
        with suppress(*_UNREAD):
            yield from list(map(_named_file, _specifications(reader.get_object(number))))


def _named_file(specification: DictionaryObject) -> tuple[str, bytes]:
    streams = specification["/EF"]
    if not isinstance(streams, DictionaryObject):
        raise ValueError("no streams")
    stream = streams["/UF" if "/UF" in streams else "/F"]
    if not isinstance(stream, StreamObject):
        raise ValueError("no stream")
    name = next((str(specification[key]) for key in ("/UF", "/F") if key in specification), "file")
    return name, stream.get_data()


def _specifications(value: object) -> Iterator[DictionaryObject]:
    """The file specifications with embedded files in an object itself, at any depth; not in those that it refers to."""
    if isinstance(value, DictionaryObject):
        if "/EF" in value:
            yield value
        for each in value.values():
            yield from _specifications(each)
    elif isinstance(value, ArrayObject):
        for each in value:
            yield from _specifications(each)


class Lock(StrEnum):
    """What keeps a file from being read: nothing, a password, or something else, such as a certificate or a shop's protection."""

    NONE = ""
    PASSWORD = "password"  # noqa: S105
    OTHER = "other"


def lock_of(content: bytes) -> Lock:
    """What is needed to open an encrypted file."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        return Lock.PASSWORD if reader.is_encrypted and not reader.decrypt("") else Lock.NONE
    except NotImplementedError:
        return Lock.OTHER
    except _UNREAD:  # PDFium knows the method, and has asked for the password
        return Lock.PASSWORD


def lines_of_pages(content: bytes, indexes: Sequence[int]) -> dict[int, list[str]]:
    """Read the lines of some pages of a file that is whole, as far as pypdf can."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        return {index: _lines(reader.pages[index]) for index in indexes}
    except _UNREAD:
        return {}


def _damage(content: bytes, reason: str) -> str:
    """Say what is wrong, if possible in words that make sense without the PDF standard."""
    if not content.strip(b"\0\r\n\t "):
        return "damaged PDF: it is empty"
    if b"%PDF-" not in content[:1024]:
        return "damaged PDF: it does not begin like one"
    if b"%%EOF" not in content[-2048:]:
        return "damaged PDF: its end is missing"
    return f"damaged PDF: {reason}"


def _lines(page: pypdf.PageObject) -> list[str]:
    try:
        return page.extract_text().split("\n")
    except _FAILURES:  # the other pages may be whole
        return []
