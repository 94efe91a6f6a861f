"""Documents that a DOCX takes in whole (altChunk): web pages, saved pages with their pictures, plain text, DOCX."""

import posixpath
from collections.abc import Iterable

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.readers import extract
from searchkit.types import Block

_FORMATS = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".mht": "mail",
    ".mhtml": "mail",
    ".txt": "text",
    ".rtf": "rtf",
    ".docx": "docx",
}


def imported_blocks(name: str, content: bytes) -> Iterable[Block]:
    """The blocks of a part that is a document itself. Raises UnreadableFileError if it is of a kind that is not read."""
    format_name = _FORMATS.get(posixpath.splitext(name)[1].lower())
    if format_name is None:
        raise UnreadableFileError(
            f"its text is in an embedded file that is not read ({name})", remedy="open it in Word and save it anew"
        )
    return extract(format_name, content).blocks
