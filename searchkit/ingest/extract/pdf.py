"""PDF: text page by page, running headers dropped, hyphenation joined, headings from the outline."""

import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import pypdf
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import Destination

from searchkit.errors import UnreadableFileError
from searchkit.types import Block, ExtractedDocument

_EDGE_LINES = 2  # running headers and footers take up to this many lines
# Ligatures and Arabic letters by their shape, as fonts name them; words are looked for in letters. Soft hyphens within a
# line part a word that the page shows whole.
_LETTERS = {
    code: unicodedata.normalize("NFKC", chr(code))
    for code in (*range(0xFB00, 0xFB07), *range(0xFB50, 0xFDFC), *range(0xFE70, 0xFEFD))
} | {0xAD: ""}


def extract_pdf(content: bytes) -> ExtractedDocument:
    """A block a paragraph. The title is the metadata's.

    Raises UnreadableFileError for damaged and password-protected files, and for scans without text.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports every oddity; the outcome is reported instead
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFileError("password-protected PDF")
        pages = [page.extract_text() for page in reader.pages]
        outline = _outline(reader)
        title = _title(reader)
    except DependencyError as error:
        if "cryptography" in str(error):
            raise UnreadableFileError("encrypted with AES: pip install cryptography to have it read") from error
        raise UnreadableFileError(f"something is not installed that it needs: {error}") from error
    except PyPdfError as error:
        raise UnreadableFileError(f"damaged PDF: {error}") from error
    if pages and not any(page.strip() for page in pages):
        count = "its one page" if len(pages) == 1 else f"any of its {len(pages)} pages"
        raise UnreadableFileError(f"no text on {count}: a scan that needs OCR")
    return ExtractedDocument(title, tuple(_blocks(_without_running_lines(pages), outline)))


def _blocks(pages: list[list[str]], outline: list[tuple[int, int, str]]) -> Iterator[Block]:
    path: list[tuple[int, str]] = []
    entries = iter(outline)
    upcoming = next(entries, None)
    for number, lines in enumerate(pages):
        while upcoming and upcoming[0] <= number:
            path = [(depth, name) for depth, name in path if depth < upcoming[1]] + [(upcoming[1], upcoming[2])]
            upcoming = next(entries, None)
        headings = tuple(name for _, name in path)
        for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
            text = _joined(paragraph)
            if text:
                yield Block(text, headings=headings, page=number + 1)


def _joined(paragraph: str) -> str:
    """The paragraph's lines; a word parted at a line's end becomes one again."""

    def rejoined(parted: re.Match[str]) -> str:
        return parted[1] if parted[1].islower() else parted[0]

    whole = re.sub(r"(?<=[^\W\d_])[-\u00ad\u2010]\n([^\W\d_])", rejoined, paragraph).translate(_LETTERS)
    return re.sub(r"[ \t]+", " ", whole).strip()


def _without_running_lines(pages: list[str]) -> list[list[str]]:
    """Lines of each page, less those that stand at the edge of most pages: headers, and page numbers in all their forms.

    Pages that say all the same keep it.
    """
    split = [[line.rstrip() for line in page.split("\n")] for page in pages]
    if len(pages) < 3:
        return split
    seen = Counter(
        key for page, lines in enumerate(split) for key in {key for i in _edges(lines) for key in _keys(lines[i], page)}
    )
    running = {key for key, count in seen.items() if count > len(pages) / 2}
    kept = []
    for page, lines in enumerate(split):
        dropped = {i for i in _edges(lines) if not running.isdisjoint(_keys(lines[i], page))}
        kept.append([line for i, line in enumerate(lines) if i not in dropped])
    return kept if any(line.strip() for lines in kept for line in lines) else split


def _edges(lines: list[str]) -> list[int]:
    """Positions of the first and last lines that hold anything."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return filled[:_EDGE_LINES] + filled[_EDGE_LINES:][-_EDGE_LINES:]


def _keys(line: str, page: int) -> set[str]:
    """What makes a line the same as another page's: its words, with the first or last number counted from the page's.

    Numbers that do not count the pages tell lines apart, such as the totals at the foot of bills.
    """
    text = " ".join(line.split())
    numbers = [number for number in re.finditer(r"\d+", text) if len(number.group()) <= 6]
    from_page = {
        f"{text[: number.start()]}\0{int(number.group()) - page}\0{text[number.end() :]}"
        for number in (numbers[:1] + numbers[-1:])
    }
    return {text} | from_page


def _title(reader: pypdf.PdfReader) -> str:
    title = reader.metadata.title if reader.metadata else None
    return " ".join(title.split()) if isinstance(title, str) else ""


def _outline(reader: pypdf.PdfReader) -> list[tuple[int, int, str]]:
    """(page index, depth, title) of the bookmarks, by page. A broken outline counts as none: the text is what matters."""
    found: list[tuple[int, int, str]] = []

    def visit(entries: object, depth: int) -> None:
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Destination):
                page = reader.get_destination_page_number(entry)
                if page is not None and page >= 0 and entry.title:
                    found.append((page, depth, " ".join(entry.title.split())))
            else:
                visit(entry, depth + 1)

    try:
        visit(reader.outline, 0)
    except (PyPdfError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return []
    return sorted(found, key=lambda entry: entry[0])
