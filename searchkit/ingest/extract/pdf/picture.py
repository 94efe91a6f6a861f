"""Draws a page of a PDF as a picture, with a passage marked on it where its words stand."""

import ctypes
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import SequenceMatcher
from io import BytesIO
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageChops, ImageDraw

from searchkit.errors import UnreadableFileError

_WIDE = 1300  # pixels of a page's width: sharp on dense screens, and below 200 kB for a page of text
_MOST_PIXELS = 4_000_000  # of a picture, whatever the page claims to measure
_LONGEST = 8000  # pixels of a side
_MOST_LETTERS = 60_000  # of a page that are compared with the passage
_QUALITY = 82
_PASSAGE, _MARK = (255, 244, 190), (255, 208, 74)  # what paper under them becomes; black stays black
_FEW = 3  # words that may differ between two that agree: a running line, a word that is hyphenated
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without blanks, so that each letter is a word
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")

_Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the picture


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page as WebP. `top`: where its marks, or else the passage, begin, as a share of its height; 0 if they are not on it."""

    picture: bytes
    top: float


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, folded, and its (start, end) offsets in the text."""

    text: str
    start: int
    end: int


def draw_page(content: bytes, number: int, passage: str, marks: Sequence[tuple[int, int]]) -> DrawnPage:
    """Draw page `number` (from 1) as WebP. `passage`: its words are tinted where they stand; `marks`: (start, end) offsets
    in it of what is marked more strongly.

    Raises UnreadableFileError for a file that cannot be opened, or a page that it does not have.
    """
    try:
        with closing(pypdfium2.PdfDocument(content)) as document:
            if not 1 <= number <= len(document):
                raise UnreadableFileError(f"the file has no page {number}")
            if document.get_formtype() != pdfium.FORMTYPE_NONE:
                document.init_forms()
            with closing(document[number - 1]) as page:
                return _drawn(page, passage, marks)
    except pypdfium2.PdfiumError as error:
        raise UnreadableFileError("the page cannot be drawn") from error


def _drawn(page: pypdfium2.PdfPage, passage: str, marks: Sequence[tuple[int, int]]) -> DrawnPage:
    width, height = page.get_size()
    if not (width >= 1 and height >= 1):  # not a number, too
        raise UnreadableFileError("the page has no size")
    scale = min(_WIDE / width, _LONGEST / height, (_MOST_PIXELS / (width * height)) ** 0.5)
    if min(width, height) * scale < 1:
        raise UnreadableFileError("the page is a line without an area")
    with closing(page.render(scale=scale)) as bitmap:
        picture = bitmap.to_pil().convert("RGB")
    tint = Image.new("RGB", picture.size, "white")
    brush = ImageDraw.Draw(tint)
    top = 0.0
    with closing(page.get_textpage()) as text_page:
        letters = _letters(text_page)
        found = align(passage, letters)
        for colour, spans in ((_PASSAGE, [(0, len(passage))]), (_MARK, marks)):
            places = [range(start, end) for start, end in _places(found, spans)]
            lines = [line for place in places for line in _lines(_boxes(text_page, page, picture.size, place))]
            for line in lines:
                brush.rectangle(line, fill=colour)
            top = min((line[1] for line in lines), default=top * picture.height) / picture.height
    written = BytesIO()
    ImageChops.multiply(picture, tint).save(written, "WEBP", quality=_QUALITY, method=2)
    return DrawnPage(written.getvalue(), top)


def _letters(text_page: pypdfium2.PdfTextPage) -> str:
    """The letters of a page, in PDFium's order: an offset is a letter's index there."""
    count = min(text_page.count_chars(), _MOST_LETTERS)
    codes = (pdfium.FPDFText_GetUnicode(text_page, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)


def align(passage: str, page: str) -> list[tuple[_Word, _Word]]:
    """Pair the words of a passage with the same words of its page, both in order; those that agree by chance are left out."""
    wanted, there = _words(passage), _words(page)
    matcher = SequenceMatcher(None, [word.text for word in wanted], [word.text for word in there], autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    kept = [
        block
        for at, block in enumerate(blocks)
        if block.size >= _FEW or any(_are_near(*pair) for pair in pairwise(blocks[max(0, at - 1) : at + 2]))
    ]
    kept = kept or [block for block in blocks if block.size == len(wanted)]  # a passage of a word or two
    return [(wanted[block.a + i], there[block.b + i]) for block in kept for i in range(block.size)]


def _are_near(one: "tuple[int, int, int]", other: "tuple[int, int, int]") -> bool:
    """True if few words differ between two blocks (start in the passage, start on the page, size)."""
    gaps = other[0] - one[0] - one[2], other[1] - one[1] - one[2]
    return max(gaps) <= _FEW


def _words(text: str) -> list[_Word]:
    return [
        _Word(unicodedata.normalize("NFKC", match[0]).casefold(), match.start(), match.end())
        for match in _WORD.finditer(text)
    ]


def _places(found: Sequence[tuple[_Word, _Word]], spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) indexes on the page of the words in each span of the passage; few words between two are of them."""
    for start, end in spans:
        place: tuple[int, int] | None = None
        for word, there in found:
            if word.end <= start or word.start >= end:
                continue
            if place and 0 <= there.start - place[1] <= _FEW * 12:
                place = place[0], there.end
                continue
            if place:
                yield place
            place = there.start, there.end
        if place:
            yield place


def _boxes(
    text_page: pypdfium2.PdfTextPage, page: pypdfium2.PdfPage, size: tuple[int, int], indexes: range
) -> Iterator[_Box]:
    """Yield the boxes of letters, as high as their line, in pixels of a picture of that size."""
    x, y = ctypes.c_int(), ctypes.c_int()
    for index in indexes:
        try:
            left, bottom, right, top = text_page.get_charbox(index, loose=True)
        except pypdfium2.PdfiumError:  # a blank that PDFium has made
            continue
        if not (left < right and bottom < top):
            continue
        corners = []
        for across, up in ((left, top), (right, bottom)):
            pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, across, up, x, y)
            corners.append((x.value, y.value))
        (a, b), (c, d) = corners
        yield min(a, c), min(b, d), max(a, c), max(b, d)


def _lines(boxes: Iterator[_Box]) -> Iterator[_Box]:
    """Join the boxes of neighbours on a line."""
    line: _Box | None = None
    for box in boxes:
        if line and min(line[3], box[3]) - max(line[1], box[1]) > (box[3] - box[1]) / 2 and box[2] >= line[0]:
            line = min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3])
            continue
        if line:
            yield line
        line = box
    if line:
        yield line
