"""Reads one page of a PDF through PDFium: its lines with their positions, form fields and notes, and whether it is a picture."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pypdfium2
import pypdfium2.raw as pdfium

from searchkit.ingest.extract.pdf.lines import Line

_STAMP = 60  # characters that a scanner or viewer may have put on a picture
_DPI = 250  # recognition is equally good from 200 to 300; time and memory grow with the square
_LONGEST = 5000  # pixels of a side: a poster is rendered coarser
_BUTTONS = (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE)
_NOTES = frozenset(
    (
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_FREETEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_CARET,
    )
)


@dataclass(slots=True)
class PageText:
    """A page's lines in the file's order, form fields as "name: value", and readers' notes.

    `scanned`: the page is a picture, with no more text than a stamp.
    """

    lines: list[Line] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scanned: bool = False


def read_page(page: pypdfium2.PdfPage, into: PageText) -> None:
    """Read everything on the page except its pictures."""
    with closing(page.get_textpage()) as text_page:
        into.lines.extend(_lines(text_page, page.get_rotation()))
    into.fields, into.notes = _annotations(page)
    length = sum(len(line.text.strip()) for line in into.lines)
    into.scanned = length <= _STAMP and _is_picture(page, bare=not length)


def picture_of(page: pypdfium2.PdfPage) -> pypdfium2.PdfBitmap:
    """Render the page in shades of grey, for OCR."""
    scale = min(_DPI / 72, _LONGEST / max(*page.get_size(), 1))
    return page.render(scale=scale, grayscale=True)


def _lines(text_page: pypdfium2.PdfTextPage, rotation: int) -> Iterator[Line]:
    text = text_page.get_text_range()
    at = 0  # PDFium counts in units of UTF-16
    for line in text.split("\r\n"):
        length = len(line) if line.isascii() else len(line.encode("utf-16-le", "surrogatepass")) // 2
        bare = len(line.rstrip())
        if bare:
            first = at + len(line) - len(line.lstrip())
            last = at + length - (len(line) - bare) - 1
            yield Line(line, _height(text_page, first, rotation), _height(text_page, last, rotation))
        at += length + 2


def _height(text_page: pypdfium2.PdfTextPage, at: int, rotation: int) -> float | None:
    """The height of the letter on the page as shown."""
    x, y = ctypes.c_double(), ctypes.c_double()
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at)
    if index < 0 or not pdfium.FPDFText_GetCharOrigin(text_page, index, x, y):
        return None
    return (y.value, -x.value, -y.value, x.value)[rotation // 90]


def _is_picture(page: pypdfium2.PdfPage, *, bare: bool) -> bool:
    """True if the page shows a picture; if it also has text, one that covers half of it."""
    pictures = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4))
    if bare or not pictures:
        return bool(pictures)
    covered = 0.0
    for picture in pictures:
        left, bottom, right, top = picture.get_bounds()
        covered += (right - left) * (top - bottom)
    width, height = page.get_size()
    return bool(covered >= width * height / 2)


def _annotations(page: pypdfium2.PdfPage) -> tuple[list[str], list[str]]:
    """The values of form fields, and the texts of notes."""
    fields: list[str] = []
    notes: list[str] = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET and page.formenv:
            fields.append(_field(page.formenv, annotation))
        elif kind in _NOTES:
            notes.append(_string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return list(dict.fromkeys(filter(None, fields))), [note for note in notes if note]


def _field(form: pypdfium2.PdfFormEnv, widget: pdfium.FPDF_ANNOTATION) -> str:
    """ "name: value", "" if the field is empty."""
    if pdfium.FPDFAnnot_GetFormFieldType(form, widget) in _BUTTONS:
        return ""
    value = _string(pdfium.FPDFAnnot_GetFormFieldValue, form, widget)
    if value in ("", "Off"):
        return ""
    name = _string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, widget)
    return f"{name or _string(pdfium.FPDFAnnot_GetFormFieldName, form, widget)}: {value}"


def _string(getter: Callable[..., int], *arguments: object) -> str:
    """Call one of PDFium's functions that fill a buffer with UTF-16, and return its text."""
    size = getter(*arguments, None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    getter(*arguments, buffer, size)
    text = bytes(buffer)[:size].decode("utf-16-le", "ignore").split("\0")[0]
    return "\n".join(filter(None, (line.strip() for line in text.splitlines())))
