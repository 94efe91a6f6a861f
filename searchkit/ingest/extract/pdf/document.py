"""Reads PDF: text page by page, without running headers, hyphenation joined, headings from the outline, scans by OCR.

PDFium reads the files; pypdf reads those that PDFium refuses, and repairs them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import ocr
from searchkit.ingest.extract.data.table import column_names, joined_cells
from searchkit.ingest.extract.pdf.lines import (
    Line,
    compounds,
    is_writing,
    joined,
    lines_of_writing,
    paragraph_starts,
    rows_of_columns,
    tables,
    without_running_lines,
)
from searchkit.ingest.extract.pdf.outline import Bookmark, attachment_names, bookmarks, form_lines, metadata, title
from searchkit.ingest.extract.pdf.page import (
    PageText,
    has_invisible_text,
    looks_written,
    picture_of,
    pictures_on,
    read_page,
    read_stamps,
)
from searchkit.ingest.extract.readers import leave_out
from searchkit.types import Block, BlockKind, ExtractedDocument

_LOCKED = "open it in a PDF viewer with the password, save or print it without one, and index that"
_PROTECTED = "open it in the program that it is meant for, and print it to a new PDF if it lets you"
_DAMAGED = "open it in a PDF viewer and save or print it again, or get the file again"

_UNFINISHED = "pages that OCR could not read, in the time for a file or at all"
_STAMP = 60  # characters that a scanner or viewer may have put on a picture
_LETTERHEAD = 400  # characters that may be typed on a scan
_HALF = 0.4  # of the page that a picture covers at least if it is a scan
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
            _refuse_locked(content, error)
        return _repaired(content, str(error))
    try:
        return _read(document, content)
    finally:
        document.close()


def _refuse_locked(content: bytes, error: pypdfium2.PdfiumError) -> None:
    """Raise UnreadableFileError with what would open the file, unless it opens without anything."""
    from searchkit.ingest.extract.pdf.repair import Lock, lock_of  # few files need it, and it takes a while to import

    lock = lock_of(content)
    if lock is Lock.PASSWORD:
        raise UnreadableFileError("password-protected PDF", remedy=_LOCKED) from error
    if lock is Lock.OTHER:
        raise UnreadableFileError(
            "PDF that only its own program opens, without a password", remedy=_PROTECTED
        ) from error


def _read(document: pypdfium2.PdfDocument, content: bytes) -> ExtractedDocument:
    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        document.init_forms()
    contents = _contents(document, content)
    about = metadata(document, content)
    if contents.unreadable:
        about["unreadable_pages"] = ", ".join(map(str, contents.unreadable))
    attachments = attachment_names(document)
    form = form_lines(document)
    is_elsewhere = bool(attachments or form)  # a portfolio has its text in its files
    if not is_elsewhere or len(contents.unreadable) == len(contents.pages):
        _require_text(contents)
    blocks = _blocks(contents.pages, bookmarks(document), attachments)
    if form:
        shown = [text for page in contents.pages for text in (*(line.text for line in page.lines), *page.fields)]
        said = " ".join(" ".join(shown).split())
        unsaid = "\n".join(line for line in form if line not in said)
        blocks = chain(blocks, [Block(unsaid, BlockKind.TABLE, place="form")])
    return ExtractedDocument(title(document, content), blocks, about, contents.scanned)


def _contents(document: pypdfium2.PdfDocument, content: bytes) -> _Contents:
    """Read all pages, one open at a time: PDFium keeps an open page's fonts and pictures in memory."""
    pages: list[PageText] = []
    unreadable: list[int] = []
    for index in range(len(document)):
        text = PageText()
        pages.append(text)
        try:
            with closing(document[index]) as page:
                has_stamps = read_page(document, page, text)
            if has_stamps:
                with closing(document[index]) as page:
                    read_stamps(page, text)
        except pypdfium2.PdfiumError:
            unreadable.append(index + 1)
            if unreadable[-_HOPELESS : -_HOPELESS + 1] == [index + 2 - _HOPELESS]:
                break
    _read_another_way(pages, content)
    scanned, trouble = _recognise(document, pages)
    return _Contents(pages, unreadable, scanned, trouble)


def _read_another_way(pages: Sequence[PageText], content: bytes) -> None:
    """Read pages whose letters are not writing by pypdf, which looks letters up in other ways. Of what stays codes, only lines that
    are writing are kept.
    """
    indexes = [index for index, page in enumerate(pages) if not page.is_writing]
    if not indexes:
        return
    from searchkit.ingest.extract.pdf.repair import lines_of_pages  # few files need it, and it takes a while to import

    found = lines_of_pages(content, indexes)
    for index in indexes:
        lines = found.get(index, [])
        if is_writing("\n".join(lines)) and any(line.strip() for line in lines):
            pages[index].lines, pages[index].is_writing = [Line(line) for line in lines], True
        else:
            leave_out("text layers that are codes")
            pages[index].lines = lines_of_writing(pages[index].lines)


def _recognise(document: pypdfium2.PdfDocument, pages: Sequence[PageText]) -> tuple[int, UnreadableFileError | None]:
    """Read scans and pages without writing by OCR, after what is typed on them. Return the number of those that were not
    read, and the reason for the last of them.
    """
    scanned, trouble = 0, None
    kept = without_running_lines([page.lines for page in pages])
    for index, (page, own) in enumerate(zip(pages, kept, strict=True)):
        length = sum(len(line.text.strip()) for line in own)
        try:
            if not page.is_writing or (page.covered and _is_scan(document, index, page, length)):
                said = {" ".join(line.text.split()) for line in page.lines}
                page.lines += [line for line in _recognised(document, index) if " ".join(line.text.split()) not in said]
            elif page.pictures and _is_bare(document, index):
                page.shown += _read_pictures(document, index)
        except UnreadableFileError as error:
            scanned, trouble = scanned + 1, error
            leave_out(_UNFINISHED, int(not ocr.missing()))
        except pypdfium2.PdfiumError:
            continue
    return scanned, trouble


def _is_scan(document: pypdfium2.PdfDocument, index: int, page: PageText, length: int) -> bool:
    """True if a page is a picture. `length`: of the text that is not on most pages.

    A page without any text is one; a stamp or a letterhead may be typed on others, if they look like paper.
    """
    if not page.lines or (length <= _STAMP and page.covered >= _HALF):
        return not page.lines or _is_bare(document, index)
    if length > _LETTERHEAD or page.covered < _HALF:
        return False
    with closing(document[index]) as opened:
        return looks_written(opened)


def _read_pictures(document: pypdfium2.PdfDocument, index: int) -> list[tuple[str, str]]:
    """(text, place) of the paragraphs in pictures on a page of text. Raises UnreadableFileError without OCR."""
    if remedy := ocr.missing():
        raise UnreadableFileError("", remedy=remedy)
    found = []
    with closing(document[index]) as page:
        for bitmap, box in pictures_on(document, page):
            with closing(bitmap):
                paragraphs = ocr.read(bitmap.to_pil())
            for paragraph in paragraphs:
                place = f"page {index + 1}, picture, {ocr.place_of([paragraph.box], box)}"
                found.append((joined(paragraph.lines), place))
    return found


def _is_bare(document: pypdfium2.PdfDocument, index: int) -> bool:
    """True unless an OCR program has put its reading over the picture."""
    with closing(document[index]) as opened:
        return not has_invisible_text(opened)


def _recognised(document: pypdfium2.PdfDocument, index: int) -> list[Line]:
    """Read the lines of a page that is a picture, with empty lines between paragraphs. Raises UnreadableFileError without OCR."""
    remedy = ocr.missing()
    if remedy:
        raise UnreadableFileError("", remedy=remedy)
    with closing(document[index]) as page, closing(picture_of(page)) as bitmap:
        found = ocr.read(bitmap.to_pil())
    return [
        line for paragraph in found for line in (*(Line(each, box=paragraph.box) for each in paragraph.lines), Line(""))
    ]


def _require_text(contents: _Contents) -> None:
    """Check that there is any text. Raises UnreadableFileError if no page has any."""
    pages = contents.pages
    if any(
        page.fields
        or page.notes
        or page.stamps
        or page.pictured
        or page.shown
        or any(line.text.strip() for line in page.lines)
        for page in pages
    ):
        return
    if pages and len(contents.unreadable) == len(pages):
        raise UnreadableFileError("damaged PDF: none of its pages can be opened", remedy=_DAMAGED)
    count = "its one page" if len(pages) == 1 else f"any of its {len(pages)} pages"
    if contents.trouble:
        advice, scanned = contents.trouble.advice, contents.scanned
        scans = "a scan that needs OCR" if contents.scanned == 1 else "scans that need OCR"
        if not all(page.is_writing for page in pages):
            scans = "letters that only their fonts know, which need OCR"
        reason = str(contents.trouble) or scans
        raise UnreadableFileError(f"no text on {count}: {reason}", remedy=advice, scanned_pages=scanned)
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
    for index, lines in enumerate(map(rows_of_columns, kept)):
        turns = _turns(lines, by_page.get(index, ()))
        found = tables(lines)
        inside = {line for start, rows in found.items() for line in range(start + 1, start + len(rows))}
        behind = {start + len(rows) for start, rows in found.items()}
        breaks = {*found, *behind, *paragraph_starts(lines)} - inside
        starts = sorted({0, *turns, *breaks, max(1, len(lines))})
        for start, end in pairwise(starts):
            for bookmark in turns.get(start, ()):
                path = _under(path, bookmark)
            if len(found.get(start, ())) == end - start:
                yield _table(found[start], _names(path), index + 1)
                continue
            text = joined((line.text for line in lines[start:end]), hyphenated)
            if text:
                boxes = [line.box for line in lines[start:end] if line.box]
                place = f"page {index + 1}, {ocr.place_of(boxes)}" if boxes else ""
                yield Block(text, headings=_names(path), page=index + 1, place=place)
        yield from _beside(pages[index], _names(path), index + 1)
    if attachments:
        yield Block("\n".join(f"Attachment: {name}" for name in attachments), BlockKind.TABLE)


def _table(rows: list[list[str]], headings: tuple[str, ...], page: int) -> Block:
    text = "\n".join(map(joined_cells, rows))
    return Block(text, BlockKind.TABLE, headings, page, columns=column_names(rows))


def _beside(page: PageText, headings: tuple[str, ...], number: int) -> Iterator[Block]:
    """The notes, form fields, stamps and addresses of links on the page, which are not part of its text."""
    if page.fields:
        yield Block("\n".join(page.fields), BlockKind.TABLE, headings, number, place="form fields")
    for note in page.notes:
        yield Block(note, BlockKind.PARAGRAPH, headings, number, place="note")
    if page.stamps:
        yield Block("\n".join(page.stamps), BlockKind.PARAGRAPH, headings, number, place="stamp")
    for words, place in page.shown:
        yield Block(words, BlockKind.PARAGRAPH, headings, number, place=place)
    for words in page.pictured:
        yield Block(words, BlockKind.PARAGRAPH, headings, number, place="picture")
    if page.links:
        yield Block("\n".join(page.links), BlockKind.TABLE, headings, number, place="links")


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
