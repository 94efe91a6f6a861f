"""Reads PDF: text page by page, without running headers, hyphenation joined, headings from the outline, scans by OCR.

PDFium reads the files; pypdf reads those that PDFium refuses, and repairs them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.pdf import ocr
from searchkit.ingest.extract.pdf.lines import Line, compounds, joined, paragraph_starts, without_running_lines
from searchkit.ingest.extract.pdf.outline import Bookmark, attachment_names, bookmarks, metadata, title
from searchkit.ingest.extract.pdf.page import PageText, picture_of, read_page
from searchkit.types import Block, BlockKind, ExtractedDocument

_LOCKED = "open it in a PDF viewer with the password, save or print it without one, and index that"
_DAMAGED = "open it in a PDF viewer and save or print it again, or get the file again"

_HOPELESS = 200  # after this many pages in a row that cannot be opened, the file's number of pages is not believed


@dataclass(frozen=True, slots=True)
class _Contents:
    pages: Sequence[PageText]
    unreadable: Sequence[int]  # page numbers, from 1
    scanned: int  # pages that are pictures and were not read
    trouble: UnreadableFileError | None = None  # the reason for the last of them


def extract_pdf(content: bytes) -> ExtractedDocument:
    """Read one block per paragraph, then the page's form fields and notes. The title is the metadata's.

    Raises UnreadableFileError for damaged and password-protected files, and where no page has text.
    """
    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)  # it reports oddities; the outcome is reported instead
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise UnreadableFileError("password-protected PDF", remedy=_LOCKED) from error
        return _repaired(content, str(error))
    try:
        return _read(document, content)
    finally:
        document.close()


def _read(document: pypdfium2.PdfDocument, content: bytes) -> ExtractedDocument:
    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        document.init_forms()
    contents = _contents(document)
    about = metadata(document, content)
    if contents.unreadable:
        about["unreadable_pages"] = ", ".join(map(str, contents.unreadable))
    attachments = attachment_names(document)
    _require_text(contents)
    blocks = _blocks(contents.pages, bookmarks(document), attachments)
    return ExtractedDocument(title(document, content), blocks, about, contents.scanned)


def _contents(document: pypdfium2.PdfDocument) -> _Contents:
    """Read all pages, one open at a time: PDFium keeps an open page's fonts and pictures in memory."""
    pages: list[PageText] = []
    unreadable: list[int] = []
    scanned, trouble = 0, None
    for index in range(len(document)):
        text = PageText()
        pages.append(text)
        try:
            with closing(document[index]) as page:
                read_page(page, text)
                if text.scanned:
                    text.lines.extend(_recognised(page))
        except UnreadableFileError as error:
            scanned, trouble = scanned + 1, error
        except pypdfium2.PdfiumError:
            unreadable.append(index + 1)
            if unreadable[-_HOPELESS : -_HOPELESS + 1] == [index + 2 - _HOPELESS]:
                break
    return _Contents(pages, unreadable, scanned, trouble)


def _recognised(page: pypdfium2.PdfPage) -> list[Line]:
    """Read the lines of a page that is a picture, with empty lines between paragraphs. Raises UnreadableFileError without OCR."""
    remedy = ocr.missing()
    if remedy:
        raise UnreadableFileError("", remedy=remedy)
    return [Line(line) for line in ocr.read(picture_of(page)).split("\n")]


def _require_text(contents: _Contents) -> None:
    """Check that there is any text. Raises UnreadableFileError if no page has any."""
    pages = contents.pages
    if any(page.fields or page.notes or any(line.text.strip() for line in page.lines) for page in pages):
        return
    if pages and len(contents.unreadable) == len(pages):
        raise UnreadableFileError("damaged PDF: none of its pages can be opened", remedy=_DAMAGED)
    count = "its one page" if len(pages) == 1 else f"any of its {len(pages)} pages"
    if contents.trouble:
        scans = "a scan that needs OCR" if contents.scanned == 1 else "scans that need OCR"
        reason = str(contents.trouble) or scans
        raise UnreadableFileError(f"no text on {count}: {reason}", remedy=contents.trouble.advice)
    if pages:
        raise UnreadableFileError(f"no text on {count}")


def _repaired(content: bytes, reason: str) -> ExtractedDocument:
    """Read the document as far as pypdf can repair it."""
    from searchkit.ingest.extract.pdf.repair import repaired_lines  # few files need it, and it takes a while to import

    pages = [PageText([Line(line) for line in lines]) for lines in repaired_lines(content, reason, remedy=_DAMAGED)]
    _require_text(_Contents(pages, (), 0))
    return ExtractedDocument("", _blocks(pages, (), ()))


def _blocks(pages: Sequence[PageText], outline: Sequence[Bookmark], attachments: Sequence[str]) -> Iterator[Block]:
    by_page: dict[int, list[Bookmark]] = {}
    for bookmark in outline:
        by_page.setdefault(bookmark.page, []).append(bookmark)
    path: list[Bookmark] = []
    kept = without_running_lines([page.lines for page in pages])
    hyphenated = compounds(kept)
    for index, lines in enumerate(kept):
        turns = _turns(lines, by_page.get(index, ()))
        starts = sorted({0, *turns, *paragraph_starts(lines), max(1, len(lines))})
        for start, end in pairwise(starts):
            for bookmark in turns.get(start, ()):
                path = _under(path, bookmark)
            text = joined((line.text for line in lines[start:end]), hyphenated)
            if text:
                yield Block(text, headings=_names(path), page=index + 1)
        yield from _beside(pages[index], _names(path), index + 1)
    if attachments:
        yield Block("\n".join(f"Attachment: {name}" for name in attachments), BlockKind.TABLE)


def _beside(page: PageText, headings: tuple[str, ...], number: int) -> Iterator[Block]:
    """The notes and form fields on the page, which are not part of its text."""
    if page.fields:
        yield Block("\n".join(page.fields), BlockKind.TABLE, headings, number, place="form fields")
    for note in page.notes:
        yield Block(note, BlockKind.PARAGRAPH, headings, number, place="note")


def _names(path: Sequence[Bookmark]) -> tuple[str, ...]:
    return tuple(bookmark.title for bookmark in path)


def _under(path: Sequence[Bookmark], bookmark: Bookmark) -> list[Bookmark]:
    return [above for above in path if above.depth < bookmark.depth] + [bookmark]


def _turns(lines: Sequence[Line], outline: Sequence[Bookmark]) -> Mapping[int, list[Bookmark]]:
    """The lines of a page at which its bookmarks begin."""
    turns: dict[int, list[Bookmark]] = {}
    said = [_letters(line.text) for line in lines] if outline else []
    at = 0
    for bookmark in outline:
        at = max(at, _line_of(bookmark, lines, said, at))
        turns.setdefault(at, []).append(bookmark)
    return turns


def _line_of(bookmark: Bookmark, lines: Sequence[Line], said: Sequence[str], first: int) -> int:
    """The line with the bookmark's title, else the nearest below its target, else the first.

    `said`: the letters of each line.
    """
    wanted = _letters(bookmark.title)
    for i in range(first, len(lines)):
        if wanted in said[i] and len(said[i]) < len(wanted) + 12:  # the rest is its number
            return i
    top = bookmark.top
    if top is None:
        return 0
    below = [
        (top - line.top, i) for i, line in enumerate(lines[first:], first) if line.top is not None and line.top < top
    ]
    return min(below)[1] if below else first


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
