"""Reads one page of a PDF through PDFium: its visible lines with their positions, what stands on it besides, and pictures."""

import ctypes
import html
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pypdfium2
import pypdfium2.raw as pdfium

from searchkit.ingest.extract.data.table import Cell
from searchkit.ingest.extract.pdf.lines import Line, is_writing
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import address_behind

_DEEPEST = 4  # forms within forms
_MOST_ELEMENTS = 20_000  # of a page's structure, which may be a circle
_SOME_TEXT = 1000  # characters; a page with more of them is no scan, whatever is pictured on it
_DPI = 250  # recognition is equally good from 200 to 300; time and memory grow with the square
_LONGEST = 5000  # pixels of a side: a poster is rendered coarser
_SMALL = 0.3  # scale at which pictures of text differ from others
_LIGHT, _DARK = 176, 96  # of 255: paper, and ink
_INVISIBLE = 3  # the mode of text that an OCR program has put over a picture
_FAR = 1e9
_PICTURE = 0.03  # of a page: smaller pictures on it are logos and ornaments
_LEAST_PIXELS = (100, 30)  # of a picture with readable text
_MOST_OBJECTS = 5000  # of a page that are looked through for pictures; drawings have very many
_MOST_PICTURES = 50  # of a page that OCR reads
_WIDE_LINE = 0.6  # of the font's size: the width of a letter in lines with gaps; fixed-width fonts have this without
_WIDE_GAP = 1.2  # of the font's size: a gap that no justified text has
_TAG = re.compile(r"<[^<>]*>")
_EDGE = 2.0  # points beyond which a letter is off the page
_BUTTONS = (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE)
_DESCRIPTIONS = (
    pdfium.FPDF_StructElement_GetAltText,
    pdfium.FPDF_StructElement_GetActualText,
    pdfium.FPDF_StructElement_GetExpansion,
)
_FILES = {pdfium.PDFACTION_LAUNCH, pdfium.PDFACTION_REMOTEGOTO, pdfium.PDFACTION_EMBEDDEDGOTO}
_NOTES = frozenset(
    (
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_FREETEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_CARET,
        pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_SQUARE,
        pdfium.FPDF_ANNOT_CIRCLE,
        pdfium.FPDF_ANNOT_LINE,
        pdfium.FPDF_ANNOT_POLYGON,
        pdfium.FPDF_ANNOT_POLYLINE,
        pdfium.FPDF_ANNOT_INK,
        pdfium.FPDF_ANNOT_FILEATTACHMENT,
    )
)


_Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(slots=True)
class PageText:
    """A page's lines in the file's order, form fields as "name: value", readers' notes, and what stands in stamps and visible
    signatures; `links`: addresses behind words of the page; `pictured`: the authors' descriptions of its pictures;
    `shown`: paragraphs in pictures, read by OCR, and their places.

    `covered`: the share of the page that pictures cover, where it may be a scan. `pictures`: the number of those that are
    large enough for text. `is_writing`: False if the lines are codes instead of letters.
    """

    lines: list[Line] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    pictured: list[str] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    covered: float = 0.0
    pictures: int = 0
    is_writing: bool = True


def read_page(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, into: PageText) -> bool:
    """Read everything on the page except its pictures. Return True if it has stamps or signatures whose text is only drawn:
    they are now part of the page's content, once it is opened again (see `read_stamps`).
    """
    with closing(page.get_textpage()) as text_page:
        into.lines.extend(_lines(text_page, page))
        into.links = list(dict.fromkeys(_links(document, page, text_page)))
    into.is_writing = is_writing("\n".join(line.text for line in into.lines))
    if sum(len(line.text.strip()) for line in into.lines) <= _SOME_TEXT:
        into.covered = _covered(page)
    into.pictures = sum(1 for _ in _large_pictures(page))
    if pdfium.FPDFCatalog_IsTagged(document):
        said = " ".join(" ".join(line.text for line in into.lines).split())
        into.pictured = [words for words in dict.fromkeys(_pictured(page)) if words not in said]
    has_stamps = _annotations(page, into)
    return has_stamps and pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS


def read_stamps(page: pypdfium2.PdfPage, into: PageText) -> None:
    """Read the lines that stamps and signatures show, and nothing else on the page says."""
    said = {" ".join(line.text.split()) for line in into.lines}
    values = " ".join(" ".join((*into.fields, *into.notes)).split())
    with closing(page.get_textpage()) as text_page:
        shown = [" ".join(line.text.split()) for line in _lines(text_page, page)]
    into.stamps = [line for line in dict.fromkeys(shown) if line not in said and line not in values]


def picture_of(page: pypdfium2.PdfPage) -> pypdfium2.PdfBitmap:
    """Render the page in shades of grey, for OCR."""
    scale = min(_DPI / 72, _LONGEST / max(*page.get_size(), 1))
    return page.render(scale=scale, grayscale=True)


def pictures_on(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Iterator[tuple[pypdfium2.PdfBitmap, _Box]]:
    """Yield the larger pictures on a page, as they are shown, and where: left, top, right, bottom in shares of the page."""
    width, height = page.get_size()
    left, _, _, top = page.get_cropbox()
    for drawn, (x, y, x_end, y_end) in _large_pictures(page):
        raw = pdfium.FPDFImageObj_GetRenderedBitmap(document, page, drawn)
        if raw:
            box = ((x - left) / width, (top - y_end) / height, (x_end - left) / width, (top - y) / height)
            yield pypdfium2.PdfBitmap.from_raw(raw), box


def has_invisible_text(page: pypdfium2.PdfPage) -> bool:
    """True if an OCR program has put its reading over a picture."""
    texts = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=4)
    return any(pdfium.FPDFTextObj_GetTextRenderMode(text) == _INVISIBLE for text in texts)


def looks_written(page: pypdfium2.PdfPage) -> bool:
    """True if the page looks like paper with ink on it, as scans of text do, and no OCR program has read it."""
    if has_invisible_text(page):
        return False
    with closing(page.render(scale=min(_SMALL, 400 / max(*page.get_size(), 1)), grayscale=True)) as bitmap:
        shades = bytes(bitmap.buffer)
    light = sum(shades.count(shade) for shade in range(_LIGHT, 256))
    dark = sum(shades.count(shade) for shade in range(_DARK))
    return 2 * light > len(shades) and 1000 * (len(shades) - light) > len(shades) and 3 * dark < len(shades)


_Letter = tuple[int, float, float]  # its number on the page, and where it stands


def _lines(text_page: pypdfium2.PdfTextPage, page: pypdfium2.PdfPage) -> Iterator[Line]:
    rotation, box = page.get_rotation(), page.get_cropbox()
    box = box if box[0] < box[2] and box[1] < box[3] else (-_FAR, -_FAR, _FAR, _FAR)
    text = text_page.get_text_range()
    x, y = ctypes.c_double(), ctypes.c_double()
    at = 0  # PDFium counts in units of UTF-16
    for line in text.split("\r\n"):
        length = len(line) if line.isascii() else len(line.encode("utf-16-le", "surrogatepass")) // 2
        bare = len(line.rstrip())
        if bare:
            first = _letter(text_page, at + len(line) - len(line.lstrip()), x, y)
            last = _letter(text_page, at + length - (len(line) - bare) - 1, x, y)
            shown = line
            if not (_is_on(first, box) and _is_on(last, box) and _is_unclipped(text_page, first)):
                shown = _visible(text_page, line, at, box)
                leave_out("text beyond the page's edge or clipped away", int(_letters(shown) < _letters(line)))
            if shown.strip():
                cells = _cells(text_page, line, at, first, last) if shown is line and not rotation else ()
                sides = (first and first[1], last and last[1]) if shown is line and not rotation else (None, None)
                yield Line(shown, _height(first, rotation), _height(last, rotation), cells, None, *sides)
        at += length + 2


def _cells(
    text_page: pypdfium2.PdfTextPage, line: str, at: int, first: _Letter | None, last: _Letter | None
) -> tuple[Cell, ...]:
    """The pieces of a line between gaps that are wider than any blank. Most lines have none, as their width shows."""
    if first is None or last is None or first == last or not line.isascii():
        return ()
    size = pdfium.FPDFText_GetFontSize(text_page, first[0])
    if last[1] - first[1] < _WIDE_LINE * size * len(line.strip()):
        return ()
    cells: list[Cell] = []
    left, _ = _sides(text_page, first[0])
    start = len(line) - len(line.lstrip())
    for blank in (i for i, sign in enumerate(line.rstrip()) if sign == " " and i > start):
        before = _sides(text_page, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at + blank - 1))
        behind = _sides(text_page, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at + blank + 1))
        if behind[0] - before[1] > _WIDE_GAP * size:
            cells.append(Cell(left, before[1], " ".join(line[start:blank].split())))
            left, start = behind[0], blank + 1
    cells.append(Cell(left, _sides(text_page, last[0])[1], " ".join(line[start:].split())))
    return tuple(cells) if len(cells) > 1 else ()


def _sides(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float]:
    """The left and right edges of a letter."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(text_page, index, left, right, bottom, top)
    return left.value, right.value


def _letter(text_page: pypdfium2.PdfTextPage, at: int, x: "ctypes.c_double", y: "ctypes.c_double") -> _Letter | None:
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, at)
    if index < 0 or not pdfium.FPDFText_GetCharOrigin(text_page, index, x, y):
        return None
    return index, x.value, y.value


def _height(letter: _Letter | None, rotation: int) -> float | None:
    """The height of a letter on the page as shown."""
    if letter is None:
        return None
    _, x, y = letter
    return (y, -x, -y, x)[rotation // 90]


def _is_on(letter: _Letter | None, box: _Box) -> bool:
    """False if a letter is beyond the page's edge."""
    if letter is None:
        return True
    _, x, y = letter
    return box[0] - _EDGE <= x <= box[2] + _EDGE and box[1] - _EDGE <= y <= box[3] + _EDGE


def _is_unclipped(text_page: pypdfium2.PdfTextPage, letter: _Letter | None) -> bool:
    """False if a letter is clipped away."""
    shown = pdfium.FPDFText_GetTextObject(text_page, letter[0]) if letter else None
    clip = pdfium.FPDFPageObj_GetClipPath(shown) if shown else None
    return not clip or pdfium.FPDFClipPath_CountPaths(clip) < 1 or _is_within(shown, clip)


def _is_within(shown: pdfium.FPDF_PAGEOBJECT, clip: pdfium.FPDF_CLIPPATH) -> bool:
    """True if any of an object is inside of what its clipping paths let through; both are in the same coordinates."""
    bounds = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(shown, *bounds):
        return True
    left, bottom, right, top = (bound.value for bound in bounds)
    x, y = ctypes.c_float(), ctypes.c_float()
    for path in range(pdfium.FPDFClipPath_CountPaths(clip)):
        points = []
        for segment in range(pdfium.FPDFClipPath_CountPathSegments(clip, path)):
            if pdfium.FPDFPathSegment_GetPoint(pdfium.FPDFClipPath_GetPathSegment(clip, path, segment), x, y):
                points.append((x.value, y.value))
        across, up = [point[0] for point in points], [point[1] for point in points]
        if points and (min(across) > right or max(across) < left or min(up) > top or max(up) < bottom):
            return False
    return True


def _visible(text_page: pypdfium2.PdfTextPage, line: str, at: int, box: _Box) -> str:
    """The letters of a line that are visible."""
    x, y = ctypes.c_double(), ctypes.c_double()
    shown = []
    for sign in line:
        letter = None if sign.isspace() else _letter(text_page, at, x, y)
        if _is_on(letter, box) and _is_unclipped(text_page, letter):
            shown.append(sign)
        at += 1 if ord(sign) < 0x10000 else 2
    return "".join(shown)


def _letters(line: str) -> int:
    return sum(not sign.isspace() for sign in line)


def _covered(page: pypdfium2.PdfPage) -> float:
    """The share of the page that its pictures cover."""
    objects = (pdfium.FPDFPage_GetObject(page, index) for index in range(pdfium.FPDFPage_CountObjects(page)))
    width, height = page.get_size()
    return float(_area(objects, 0) / max(width * height, 1.0))


def _area(objects: Iterable[pdfium.FPDF_PAGEOBJECT], depth: int) -> float:
    """The area of pictures among objects and in the forms that are made of some. Pages of drawings have very many of them."""
    area = 0.0
    sides = [ctypes.c_float() for _ in range(4)]
    for drawn in objects:
        kind = pdfium.FPDFPageObj_GetType(drawn)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE and pdfium.FPDFPageObj_GetBounds(drawn, *sides):
            left, bottom, right, top = (side.value for side in sides)
            area += max(abs(right - left) * abs(top - bottom), 1.0)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            count = pdfium.FPDFFormObj_CountObjects(drawn)
            area += _area((pdfium.FPDFFormObj_GetObject(drawn, index) for index in range(count)), depth + 1)
    return area


def _large_pictures(page: pypdfium2.PdfPage) -> Iterator[tuple[pdfium.FPDF_PAGEOBJECT, _Box]]:
    """The pictures on a page that are large enough for text, and where they stand in points."""
    width, height = page.get_size()
    sides = [ctypes.c_float() for _ in range(4)]
    across, down = ctypes.c_uint(), ctypes.c_uint()
    found = 0
    for index in range(min(_MOST_OBJECTS, pdfium.FPDFPage_CountObjects(page))):
        drawn = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(drawn) != pdfium.FPDF_PAGEOBJ_IMAGE:
            continue
        if not pdfium.FPDFPageObj_GetBounds(drawn, *sides) or found == _MOST_PICTURES:
            continue
        left, bottom, right, top = (side.value for side in sides)
        pdfium.FPDFImageObj_GetImagePixelSize(drawn, across, down)
        is_detailed = across.value >= _LEAST_PIXELS[0] and down.value >= _LEAST_PIXELS[1]
        if is_detailed and abs(right - left) * abs(top - bottom) >= _PICTURE * width * height:
            found += 1
            yield drawn, (left, bottom, right, top)


def _links(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage) -> Iterator[str]:
    """Lines "words (address)" of links to addresses, or to other files, that their words do not show."""
    position, link, rectangle = ctypes.c_int(0), pdfium.FPDF_LINK(), pdfium.FS_RECTF()
    while pdfium.FPDFLink_Enumerate(page, position, link):
        action = pdfium.FPDFLink_GetAction(link)
        kind = pdfium.FPDFAction_GetType(action) if action else pdfium.PDFACTION_UNSUPPORTED
        if kind == pdfium.PDFACTION_URI:
            size = pdfium.FPDFAction_GetURIPath(document, action, None, 0)
            buffer = ctypes.create_string_buffer(size)
            pdfium.FPDFAction_GetURIPath(document, action, buffer, size)
        elif kind in _FILES:
            size = pdfium.FPDFAction_GetFilePath(action, None, 0)
            buffer = ctypes.create_string_buffer(size)
            pdfium.FPDFAction_GetFilePath(action, buffer, size)
        else:
            continue
        words = ""
        if pdfium.FPDFLink_GetAnnotRect(link, rectangle):
            sides = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
            words = " ".join(text_page.get_text_bounded(*sides).split())
        if address := address_behind(words, buffer.value.decode("utf-8", "replace")):
            yield f"{words}{address}".strip()


def _pictured(page: pypdfium2.PdfPage) -> Iterator[str]:
    """The descriptions of pictures in a page's structure, and the texts that pictures of letters stand for."""
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    if not tree:
        return
    try:
        count = pdfium.FPDF_StructTree_CountChildren(tree)
        held = [pdfium.FPDF_StructTree_GetChildAtIndex(tree, index) for index in reversed(range(count))]
        for _ in range(_MOST_ELEMENTS):
            if not held:
                break
            element = held.pop()
            if not element:
                continue
            for getter in _DESCRIPTIONS:
                if getter(element, None, 0) > 2:  # more than the end of a text
                    yield " ".join(_string(getter, element).split())
            count = pdfium.FPDF_StructElement_CountChildren(element)
            held += [pdfium.FPDF_StructElement_GetChildAtIndex(element, index) for index in reversed(range(count))]
    finally:
        pdfium.FPDF_StructTree_Close(tree)


def _annotations(page: pypdfium2.PdfPage, into: PageText) -> bool:
    """Read the values of form fields and the texts of notes. Return True if there are stamps or signatures besides, whose texts
    are drawn.
    """
    fields: list[str] = []
    notes: list[str] = []
    has_stamps = False
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET and page.formenv:
            fields.append(_field(page.formenv, annotation))
            kind_of_field = pdfium.FPDFAnnot_GetFormFieldType(page.formenv, annotation)
            has_stamps |= kind_of_field == pdfium.FPDF_FORMFIELD_SIGNATURE
        elif kind == pdfium.FPDF_ANNOT_WIDGET:  # without a form around it, as some signatures are
            has_stamps = True
        elif kind in _NOTES:
            notes.append(_note(annotation))
            has_stamps |= kind in (pdfium.FPDF_ANNOT_STAMP, pdfium.FPDF_ANNOT_FREETEXT)
        pdfium.FPDFPage_CloseAnnot(annotation)
    into.fields = list(dict.fromkeys(filter(None, fields)))
    into.notes = [note for note in notes if note]
    return has_stamps


def _note(annotation: pdfium.FPDF_ANNOTATION) -> str:
    """What a reader has written, after the reader's name."""
    written = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
    if not written:  # some programs write it with its layout alone
        rich = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"RC")
        written = " ".join(html.unescape(_TAG.sub(" ", rich)).split())
    author = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"T")
    return f"{author}: {written}" if author and written else written


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
