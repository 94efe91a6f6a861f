"""Reads what a PDF holds beside its pages: title, author, dates, tags, language, bookmarks, names of attachments, forms."""

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium
from lxml import etree

_DEEPEST = 12  # deeper bookmarks add nothing
_NAMES = 200  # attachments
_DATE = re.compile(r"(?:D:)?\s*(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?([Z+-])?(\d\d)?'?(\d\d)?")
_PRODUCERS = re.compile(r"^(?:microsoft (?:word|excel|powerpoint)|powerpoint presentation)\b[ -]*", re.I)
_JUNK = re.compile(
    r"(?:untitled|unbenannt|sans titre|senza titolo|ohne titel|无标题|title|document|dokument|slide|folie|scan|none|null)"
    r"[ _-]*\d*|[\W\d_]*|(?:https?|file)://.*|about:blank",
    re.I,
)
_SUFFIX = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|odt|ods|odp|rtf|txt|tex|dvi|ps|eps|pdf|indd|qxd|qxp|pages|html?|p65|fm|cdr|ai)$", re.I
)
_NOTHING = ("anonymous", "unspecified", "unknown", "none", "null")  # placeholders that programs write
_FAILURES = (pypdfium2.PdfiumError, ValueError)  # includes UnicodeError; the text matters more
_PDFX = "http://ns.adobe.com/pdfx/1.3/"
_XMP = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline: page index, depth from 0, title; `top`: the height of its target on the page, if given."""

    page: int
    depth: int
    title: str
    top: float | None = None


def title(document: pypdfium2.PdfDocument, content: bytes) -> str:
    """The title, "" if there is none, or only a program's or a file's name instead."""
    return _sound_title(_info(document, "Title")) or _sound_title(_from_xmp(_packet(content), "dc:title"))


def _sound_title(raw: str) -> str:
    bare = _PRODUCERS.sub("", raw)
    named = _SUFFIX.sub("", bare)
    return "" if named != bare or _JUNK.fullmatch(named) else named


def metadata(document: pypdfium2.PdfDocument, content: bytes) -> dict[str, str]:
    """Author, subject, tags, date (of creation, else of the last change) and language, as far as they are given."""
    packet = _packet(content)
    date = _iso(_info(document, "CreationDate")) or _iso(_info(document, "ModDate"))
    found = {
        "author": _info(document, "Author") or _from_xmp(packet, "dc:creator"),
        "date": date or _from_xmp(packet, "xmp:CreateDate"),
        "subject": _info(document, "Subject") or _from_xmp(packet, "dc:description"),
        "tags": _tags(_info(document, "Keywords") or _from_xmp(packet, "dc:subject")),
        "language": _language(document),
    }
    return {**_own(packet), **{name: value for name, value in found.items() if value}}


def _own(packet: etree._Element | None) -> dict[str, str]:
    """Properties that the author has named, as programs copy them from the document that became the PDF."""
    found = packet.iter(f"{{{_PDFX}}}*") if packet is not None else ()
    own = {etree.QName(each).localname.lower(): " ".join((each.text or "").split()) for each in found}
    return {name: value for name, value in own.items() if value}


def _info(document: pypdfium2.PdfDocument, key: str) -> str:
    try:
        value = " ".join(document.get_metadata_value(key).replace("\0", " ").split())
    except _FAILURES:
        return ""
    return "" if value.casefold() in _NOTHING else value


def _tags(keywords: str) -> str:
    return ", ".join(filter(None, (tag.strip() for tag in re.split(r"[,;]", keywords))))


def _iso(raw: str) -> str:
    """Turn D:20161231184323+01'00' into ISO 8601, as far as it goes; "" if it is not a date."""
    parts = _DATE.match(raw)
    if not parts or not 1 <= int(parts[2] or 1) <= 12 or not 1 <= int(parts[3] or 1) <= 31:
        return ""
    day = "-".join(filter(None, parts.group(1, 2, 3)))
    if not (parts[4] and parts[5]) or int(parts[4]) > 23 or int(parts[5]) > 59:
        return day
    zone = "Z" if parts[7] == "Z" else f"{parts[7]}{parts[8]}:{parts[9] or '00'}" if parts[7] and parts[8] else ""
    return f"{day}T{parts[4]}:{parts[5]}:{parts[6] or '00'}{zone}"


def _language(document: pypdfium2.PdfDocument) -> str:
    size = pdfium.FPDFCatalog_GetLanguage(document, None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFCatalog_GetLanguage(document, buffer, size)
    return bytes(buffer)[:size].decode("utf-16-le", "ignore").split("\0")[0].strip()


def _packet(content: bytes) -> etree._Element | None:
    """The document's XMP, the last in the file, if it is uncompressed, as the standard requires."""
    start, end = content.rfind(b"<rdf:RDF"), content.rfind(b"</rdf:RDF>")
    if not 0 <= start < end:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(content[start : end + len(b"</rdf:RDF>")], parser)


def _from_xmp(packet: etree._Element | None, name: str) -> str:
    """A property, in its first language or as all the names of its list."""
    if packet is None:
        return ""
    values = packet.xpath(f"//{name}//rdf:li/text() | //{name}/text() | //@{name}", namespaces=_XMP)
    said = [" ".join(str(value).split()) for value in values] if isinstance(values, list) else []
    return ", ".join(dict.fromkeys(filter(None, said)))


def bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """The outline, by page. An entry that leads nowhere stands with the one after it, as the name of a part does."""
    found: list[Bookmark] = []
    waiting: list[tuple[int, str]] = []
    for entry in document.get_toc(max_depth=_DEEPEST):
        try:
            target = entry.get_dest()
            page = target.get_index() if target else None
            name = " ".join(entry.get_title().replace("\0", " ").split())
        except _FAILURES:
            continue
        if not name:
            continue
        if not target or page is None or page < 0:
            waiting.append((entry.level, name))
            continue
        top = _top(*target.get_view())
        found += [Bookmark(page, depth, said, top) for depth, said in waiting]
        waiting = []
        found.append(Bookmark(page, entry.level, name, top))
    last = max((bookmark.page for bookmark in found), default=0)
    found += [Bookmark(last, depth, said) for depth, said in waiting]
    return sorted(found, key=lambda bookmark: bookmark.page)


def _top(view: int, at: list[float]) -> float | None:
    if view == pdfium.PDFDEST_VIEW_XYZ and len(at) > 1 and at[1]:
        return at[1]
    return at[0] if view in (pdfium.PDFDEST_VIEW_FITH, pdfium.PDFDEST_VIEW_FITBH) and at else None


def attachment_names(document: pypdfium2.PdfDocument) -> list[str]:
    """Names of attached files."""
    names = []
    for index in range(min(document.count_attachments(), _NAMES)):
        try:
            names.append(" ".join(document.get_attachment(index).get_name().split()))
        except _FAILURES:
            continue
    return [name for name in names if name]


def form_lines(document: pypdfium2.PdfDocument) -> list[str]:
    """What a form says and holds that its viewer draws itself (XFA): the pages only ask for patience."""
    lines: dict[str, None] = {}
    if document.get_formtype() not in (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND):
        return []
    for index in range(pdfium.FPDF_GetXFAPacketCount(document)):
        name = _packet_part(pdfium.FPDF_GetXFAPacketName, document, index).rstrip(b"\0")
        if name not in (b"template", b"datasets"):
            continue
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        root = etree.fromstring(_packet_part(pdfium.FPDF_GetXFAPacketContent, document, index) or b"<x/>", parser)
        for element in root.iter(etree.Element) if root is not None else ():
            kind, parent = etree.QName(element).localname, element.getparent()
            is_choice = parent is not None and etree.QName(parent).localname == "items"
            if name == b"datasets" or (kind in ("text", "exData") and not is_choice):
                texts = element.itertext() if kind == "exData" else (element.text or "",)
                if said := " ".join("".join(map(str, texts)).split()):
                    lines[said] = None
    return list(lines)


def _packet_part(getter: Callable[..., int], document: pypdfium2.PdfDocument, index: int) -> bytes:
    size = ctypes.c_ulong()
    if getter is pdfium.FPDF_GetXFAPacketName:
        buffer = ctypes.create_string_buffer(getter(document, index, None, 0))
        getter(document, index, buffer, len(buffer))
        return buffer.raw
    getter(document, index, None, 0, size)
    content = ctypes.create_string_buffer(size.value)
    getter(document, index, content, size.value, size)
    return content.raw
