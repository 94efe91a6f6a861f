"""Ids for other programs: text that names a passage or document, opaque to them, safe in a URL, checked on the way back.

`docs:p12.3.9f3a2b1c4d5e6f70` is a passage: its collection, its document's row and its number there, where to look first, and
the beginning of its content's hash, by which it is known. `docs:d12.0c1d2e3f4a5b.9f3a2b1c4d5e` is a document: collection,
row, and the beginnings of the hashes of its file's path and content. Rows and numbers change when files do, and are hints.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

from searchkit.display import on_one_line
from searchkit.errors import UsageError
from searchkit.files import path_to_text

PASSAGE_BYTES = (
    8  # of a passage's hash: it is looked for in a whole collection, and nobody can make another with the same
)
DOCUMENT_BYTES = 6  # of either hash of a document
_PASSAGE = re.compile(r"([^:]{1,900}):p([0-9]{1,18})\.([0-9]{1,9})\.([0-9a-f]{16})")
_DOCUMENT = re.compile(r"([^:]{1,900}):d([0-9]{1,18})\.([0-9a-f]{12})\.([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class PassageId:
    """Names a passage by its content. `document_id`, `ordinal`: where it was, 0 and 0 if that is unknown."""

    collection: str
    document_id: int
    ordinal: int
    content: bytes

    def __str__(self) -> str:
        return f"{_in_url(self.collection)}:p{self.document_id}.{self.ordinal}.{self.content.hex()}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read an id from its text. Raises UsageError."""
        match = _PASSAGE.fullmatch(text.strip())
        if match is None:
            raise _no_id(text, "passage")
        return cls(unquote(match[1]), int(match[2]), int(match[3]), bytes.fromhex(match[4]))


@dataclass(frozen=True, slots=True)
class DocumentId:
    """Names a document by its path, and after a move by its content. `document_id`: its row, 0 if that is unknown."""

    collection: str
    document_id: int
    path: bytes
    content: bytes

    def __str__(self) -> str:
        return f"{_in_url(self.collection)}:d{self.document_id}.{self.path.hex()}.{self.content.hex()}"

    @classmethod
    def of(cls, collection: str, document_id: int, path: Path, content: bytes | None) -> Self:
        """Make the id of a document. `content`: the hash of the file, None if it is unknown."""
        short = (content or bytes(DOCUMENT_BYTES))[:DOCUMENT_BYTES]
        return cls(collection, document_id, path_hash(path), short)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read an id from its text. Raises UsageError."""
        match = _DOCUMENT.fullmatch(text.strip())
        if match is None:
            raise _no_id(text, "document")
        return cls(unquote(match[1]), int(match[2]), bytes.fromhex(match[3]), bytes.fromhex(match[4]))


def is_document_id(text: str) -> bool:
    """Return True if a text has the form of a document's id."""
    return _DOCUMENT.fullmatch(text.strip()) is not None


def path_hash(path: Path) -> bytes:
    """Hash an absolute path."""
    return hashlib.blake2b(path_to_text(path).encode(), digest_size=DOCUMENT_BYTES).digest()


def _in_url(collection: str) -> str:
    """Quote a collection's name. It contains no colon or per cent sign, so decoding it once more or less does no harm."""
    return quote(collection, safe="@")


def _no_id(text: str, kind: str) -> UsageError:
    example = "docs:p12.3.9f3a2b1c4d5e6f70" if kind == "passage" else "docs:d12.0c1d2e3f4a5b.9f3a2b1c4d5e"
    shown = on_one_line(text)[:60]
    remedy = f"Search first: ids come with the results, such as {example}"
    return UsageError(f"'{shown}' is not the id of a {kind}.", remedy=remedy)
