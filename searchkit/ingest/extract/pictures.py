"""Reads picture files: the text in them by OCR, and what their authors have written about them.

Without OCR, pictures are counted, not read.
"""

import importlib.util
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from searchkit.display.installation import Installation
from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import ocr
from searchkit.ingest.extract.readers import leave_out
from searchkit.types import Block, BlockKind, ExtractedDocument

if TYPE_CHECKING:
    from PIL import ImageFile

_TINY = 600  # bytes; no picture with readable text is smaller
_MOST_PIXELS = 120_000_000  # of a picture that is no JPEG, which is read in a smaller size
_SMALLER = (4500, 4500)  # pixels to which a JPEG is decoded, where it is larger
_MOST_PAGES = 2000
_HEIC = re.compile(rb"....ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", re.DOTALL)
_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")
_AGAIN = "open it in another program and save it again, or get it again"
_TAKEN, _CHANGED = 0x9003, 0x0132  # tags of EXIF: when it was taken, when it was changed,
_EXIF_TEXTS = {0x010E: "description", 0x013B: "author"}  # and what was written about it
_IPTC_TEXTS = {(2, 5): "title", (2, 105): "headline", (2, 120): "description", (2, 25): "keywords", (2, 80): "author",
               (2, 90): "city", (2, 101): "country"}  # fmt: skip
_PNG_TEXTS = ("title", "author", "description", "comment")
_Note = Callable[[str, object], None]
_XMP_TEXTS = {"title": "title", "description": "description", "subject": "keywords", "creator": "author"}


def is_picture(beginning: bytes) -> bool:
    """True for the beginning of a file in a format of pictures."""
    is_webp = beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP"
    is_bitmap = beginning.startswith(b"BM") and beginning[6:10] == b"\0\0\0\0" and len(beginning) > 30
    is_avif = beginning[4:12] == b"ftypavif"
    return beginning.startswith(_STARTS) or is_webp or is_bitmap or is_avif or _HEIC.match(beginning) is not None


def extract_picture(content: bytes) -> ExtractedDocument:
    """Read the text in a picture, page by page if it has several, after its caption. Without OCR it counts as not read.

    Raises UnreadableFileError for damaged pictures.
    """
    if ocr.missing():
        return ExtractedDocument("", (), {}, int(len(content) > _TINY))
    if _HEIC.match(content[:16]):
        _read_heic()
    about: dict[str, str] = {}
    with _one_kind_of_damage(), _opened(content) as picture:
        about = _said_of(picture)
    title = about.pop("title", "")
    date = about.pop("date", "")
    metadata = {"date": date, "author": about.get("author", "")}
    return ExtractedDocument(
        title, _blocks(content, title, about), {name: value for name, value in metadata.items() if value}
    )


def _read_heic() -> None:
    if importlib.util.find_spec("pi_heif") is None:
        how = f"{Installation.here().adding('ocr')}, or save it as JPEG"
        raise UnreadableFileError("a picture in the format HEIC, for which a package is missing", remedy=how)
    import pi_heif

    pi_heif.register_heif_opener()


def _opened(content: bytes) -> "ImageFile.ImageFile":
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableFileError("a damaged picture, or of an unknown kind", remedy=_AGAIN) from error
    if picture.format == "JPEG":
        picture.draft("L", _SMALLER)
    if picture.width * picture.height > _MOST_PIXELS:
        raise _too_large()
    return picture


@contextmanager
def _one_kind_of_damage() -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableFileError("a damaged picture", remedy=_AGAIN) from error


def _too_large() -> UnreadableFileError:
    return UnreadableFileError(
        f"a picture of more than {_MOST_PIXELS // 10**6} megapixels", remedy="save it in a smaller size"
    )


def _blocks(content: bytes, title: str, about: Mapping[str, str]) -> Iterator[Block]:
    """The caption, then the paragraphs of each page."""
    from PIL import ImageOps

    if said := "\n".join(filter(None, (title, *about.values()))):
        yield Block(said, place="caption")
    with _opened(content) as picture:
        has_pages = picture.format == "TIFF" and _is_there(picture, 1)  # other formats have films and previews
        for index in range(_MOST_PAGES if has_pages else 1):
            if not _is_there(picture, index):
                return
            try:
                with _one_kind_of_damage():
                    found = ocr.read(ImageOps.exif_transpose(picture.copy()))
            except UnreadableFileError:
                if not has_pages or not index:
                    raise
                leave_out("pages that OCR could not read, in the time for a file or at all")
                continue
            yield from _paragraphs(found, index + 1 if has_pages else None)


def _is_there(picture: "ImageFile.ImageFile", index: int) -> bool:
    """True if a picture has that page, which is then its current one."""
    try:
        picture.seek(index)
    except EOFError:
        return False
    return True


def _paragraphs(found: tuple[ocr.Paragraph, ...], page: int | None) -> Iterator[Block]:
    for paragraph in found:
        place = ocr.place_of([paragraph.box])
        text = "\n".join(paragraph.lines)
        yield Block(text, BlockKind.PARAGRAPH, page=page, place=f"page {page}, {place}" if page else place)


def _said_of(picture: "ImageFile.ImageFile") -> dict[str, str]:
    """What people and cameras have written into the file: title, headline, description, keywords, author, places, date."""
    found: dict[str, str] = {}

    def note(name: str, value: object) -> None:
        said = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        said = " ".join(said.replace("\0", " ").split())
        if said and said not in found.get(name, ""):
            found[name] = f"{found[name]}, {said}" if name == "keywords" and name in found else found.get(name) or said

    exif = picture.getexif()
    for tag, name in _EXIF_TEXTS.items():
        note(name, exif.get(tag, ""))
    for tag in (_TAKEN, _CHANGED):
        moment = re.match(r"(\d{4}):(\d\d):(\d\d)", str(exif.get_ifd(0x8769).get(tag) or exif.get(tag) or ""))
        if moment and moment[1] > "0000":
            found.setdefault("date", f"{moment[1]}-{moment[2]}-{moment[3]}")
    for key, value in picture.info.items():
        if str(key).lower() in _PNG_TEXTS and isinstance(value, str | bytes):
            note(str(key).lower(), value)
    _note_iptc(picture, note)
    _note_xmp(picture.info.get("xmp"), note)
    return found


def _note_iptc(picture: "ImageFile.ImageFile", note: _Note) -> None:
    from PIL import IptcImagePlugin

    try:
        records = IptcImagePlugin.getiptcinfo(picture) or {}
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError):  # it is not essential
        return
    for key, name in _IPTC_TEXTS.items():
        values = records.get(key, b"")
        for value in values if isinstance(values, list) else [values]:
            note(name, value)


def _note_xmp(packet: object, note: _Note) -> None:
    """Note title, description, keywords and author of an XMP packet, which is XML."""
    from lxml import etree

    if not isinstance(packet, bytes) or len(packet) > 1_000_000:
        return
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    tree = etree.fromstring(packet.strip(b"\0 \n\r\t"), parser)
    if tree is None:
        return
    for element in tree.iter("{http://purl.org/dc/elements/1.1/}*"):
        name = _XMP_TEXTS.get(etree.QName(element).localname, "")
        items = [item.text for item in element.iter("{*}li") if item.text] or [element.text or ""]
        for item in items if name else ():
            note(name, item)
