"""Determines the format of a file: its content decides, and its name helps where the content is plain text."""

import io
import re
import zipfile
import zlib
from pathlib import PurePath

from searchkit.formats import CODE, PICTURE, PRIVATE_KEY, UNSUPPORTED, format_by_name
from searchkit.ingest.extract.data.exports import is_chat
from searchkit.ingest.extract.pictures import is_picture
from searchkit.ingest.extract.unpack import is_compressed, is_other_archive, is_tar

_LOOKED_AT = 8192  # bytes of the beginning
_TNEF = b"\x78\x9f\x3e\x22"  # what Exchange packs mail into (winmail.dat)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Streams of a compound file, whose directory spells names in UTF-16, and what they make of it.
_STREAMS = (
    ("__properties_version1.0", "msg"),
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)
_ZIPPED = ("epub", "odf")  # whose files may declare nothing
_OFFICE = ("docx", "pptx", "xlsx")
_PARTS = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_NAMED_BY_TYPE = {"application/epub+zip": "epub", "application/vnd.oasis.opendocument": "odf"}
_NOT_DOCUMENTS = ("META-INF/MANIFEST.MF", "AndroidManifest.xml", ".dist-info/WHEEL")  # archives of programs
# What a name says of a text counts more than its first line does: a page about mail begins with a mail.
_TEXT_AS_NAMED = frozenset(
    (*CODE, "markdown", "rst", "org", "notebook", "table", "subtitles", "html", "mail", "mailbox", "mhtml")
)
_LETTERHEADS = ("from", "message-id", "received", "return-path", "x-mozilla-status", "delivered-to")
_HEADERS = frozenset(
    (
        *_LETTERHEADS,
        "date",
        "subject",
        "to",
        "cc",
        "reply-to",
        "sender",
        "mime-version",
        "content-type",
        "x-mailer",
        "status",
    )
)
_HEADER = re.compile(r"([!-9;-~]+):[^\n]*\n(?:[ \t][^\n]*\n)*")
_MAILBOX = re.compile(r"From [^\n]*\d\d:\d\d[^\n]*\n(?:>?From [^\n]*\n)?[!-9;-~]+:")
_COUNTED_MAIL = re.compile(r"\d{1,10}[ ]*\n")  # .emlx begins with the length of its mail
_SAVED_BY = re.compile(r"(?im)^snapshot-content-location:|^from:[^\n]*saved by ")  # browsers, in place of a sender
_PAGE_WITH_PICTURES = re.compile(r"(?im)^content-type:\s*multipart/related")
_MARKUP = r"\s*(?:<\?[^>]*>\s*|<!--.*?-->\s*)*"
_HTML = re.compile(_MARKUP + r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XML = re.compile(
    r"\s*<\?xml\b|" + _MARKUP + r"<(?:!DOCTYPE\s+)?(?:svg|rss|feed|FictionBook|kml|opml|gpx|plist|rdf:RDF)\b"
)
_FLAT_ODF = re.compile(_MARKUP + r"<office:document\b", re.DOTALL)
_KEY = re.compile(rb"(?:\xef\xbb\xbf)?\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-")
_BEGINNINGS = (
    (re.compile(r"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-"), PRIVATE_KEY),  # in UTF-16
    (_MAILBOX, "mailbox"),
    (_FLAT_ODF, "odf"),
    (_HTML, "html"),
    (_XML, "data"),
    (re.compile("WEBVTT"), "subtitles"),
    (re.compile(r"\s*BEGIN:VCALENDAR\b", re.IGNORECASE), "calendar"),
    (re.compile(r"\s*BEGIN:VCARD\b", re.IGNORECASE), "contacts"),
)
_LATIN = 0.8  # share of a UTF-16 text's letters that one byte would hold
_STAND_INS = ("// <!-- <mdb:mork", "version https://git-lfs.github.com/")  # index files of mail, and for large files


def format_of(path: PurePath, content: bytes) -> str:
    """The format's name, UNSUPPORTED for files without text or without a reader yet.

    `content`: the whole file. A signature overrules every name; markup and mail overrule names that do not promise text
    of their own, such as .doc, .txt or none.
    """
    by_name = format_by_name(path)
    if by_name == UNSUPPORTED:
        return UNSUPPORTED
    if content.startswith(b"PK\3\4"):
        return _of_zip(content, by_name)
    if content.startswith(_OLE):
        return _of_compound_file(content, by_name)
    if content.startswith(_TNEF):
        return "msg"
    beginning = content[:_LOOKED_AT]
    if is_compressed(beginning) or is_tar(beginning) or is_other_archive(beginning):
        return "archive"
    return _of_signature(beginning, by_name) or _of_text(_decoded(beginning), by_name)


def _of_signature(beginning: bytes, by_name: str | None) -> str | None:
    if _KEY.match(beginning):
        return PRIVATE_KEY
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        return "rtf"
    if beginning.startswith(b"%PDF-") or (by_name in (None, "pdf") and b"%PDF-" in beginning[:1024]):
        return "pdf"
    if beginning.startswith(b"bplist00") and b"WebMainResource" in beginning:
        return "mhtml"
    if is_picture(beginning):
        return PICTURE
    return by_name if by_name in _TEXT_AS_NAMED else None


def _of_text(text: str, by_name: str | None) -> str:
    """The format of what has no signature; `text` is "" if it is not text at all."""
    if not text:
        return by_name or UNSUPPORTED
    if text.startswith(_STAND_INS):
        return UNSUPPORTED
    marked = next((name for pattern, name in _BEGINNINGS if pattern.match(text)), "") or _of_headers(text, by_name)
    if not marked and by_name == PICTURE:
        return UNSUPPORTED
    if not marked and is_chat(text):
        return "chat"
    if marked or by_name in ("data", "text", "calendar", "contacts"):
        return marked or by_name or ""
    return "table" if by_name == "xls" else "code" if text.startswith("#!") else "text"


def _of_headers(text: str, by_name: str | None) -> str:
    """mail or mhtml if a text begins with the headers of one, else ""; beside another promise of its name, there must be more."""
    begin = _COUNTED_MAIL.match(text)
    start = at = begin.end() if begin else 0
    names = set()
    while found := _HEADER.match(text, at):
        names.add(found[1].lower())
        at = found.end()
    is_whole = (
        text[at : at + 1] in ("\n", "") or at > _LOOKED_AT // 2
    )  # some mails have more headers than are looked at
    if not is_whole or len(names & _HEADERS) < (2 if by_name is None else 3):
        return ""
    headers = text[start:at]
    if _SAVED_BY.search(headers) or ("from" not in names and _PAGE_WITH_PICTURES.search(headers)):
        return "mhtml"
    return "mail" if names.intersection(_LETTERHEADS) else ""


def _decoded(beginning: bytes) -> str:
    """The beginning of a text with line ends as \\n, "" if it is not one: then the file's name has to tell."""
    if not beginning:
        return ""
    text = _wide(beginning) or ("" if b"\0" in beginning else _narrow(beginning))
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _wide(beginning: bytes) -> str:
    """UTF-16 with a byte order mark, or of mostly Latin letters; "" if it is neither."""
    if len(beginning) % 2:
        return ""
    marked = beginning.startswith((b"\xff\xfe", b"\xfe\xff"))
    low, high = beginning[::2].count(0), beginning[1::2].count(0)
    if not marked and (min(low, high) or max(low, high) < len(beginning) // 2 * _LATIN):
        return ""
    try:
        return beginning.decode("utf-16" if marked else "utf-16-be" if low else "utf-16-le")
    except UnicodeDecodeError as error:
        return (
            ""
            if error.start < len(beginning) - 2
            else beginning[: error.start].decode("utf-16" if marked else "utf-16-le")
        )


def _narrow(beginning: bytes) -> str:
    """UTF-8, perhaps with a character cut in two at the end; or headers and markup before letters of another encoding."""
    try:
        return beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start > len(beginning) - 4 > 0:
            return beginning[: error.start].decode("utf-8")
        text = beginning.decode("latin-1")
        plain = text.replace("\r\n", "\n")
        is_marked = _HTML.match(plain) or _XML.match(plain) or _MAILBOX.match(plain) or _of_headers(plain, None)
        return text if is_marked else ""


def _of_zip(content: bytes, by_name: str | None) -> str:
    """The format of a zip container, by its parts; by its name if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as container:
            names = container.namelist()
            declared = container.read("mimetype")[:100].decode("latin-1") if "mimetype" in names[:3] else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError, zlib.error):
        return by_name or "archive"
    known = next((name for start, name in _NAMED_BY_TYPE.items() if declared.startswith(start)), None)
    if known is not None:
        return known
    if "xl/workbook.bin" in names:
        return "xls"
    if "[Content_Types].xml" in names or by_name in _OFFICE:
        return next(
            (name for start, name in _PARTS.items() if any(each.startswith(start) for each in names)),
            by_name or UNSUPPORTED,
        )
    if any(name.endswith(_NOT_DOCUMENTS) for name in names):
        return UNSUPPORTED
    return by_name if by_name in _ZIPPED else "archive"


def _of_compound_file(content: bytes, by_name: str | None) -> str:
    """The format of an OLE compound file, as Office wrote them until 2003, and writes what has a password."""
    if _has_stream(content, "EncryptedPackage"):
        return by_name if by_name in _OFFICE else "docx"
    return next((name for stream, name in _STREAMS if _has_stream(content, stream)), UNSUPPORTED)


def _has_stream(content: bytes, name: str) -> bool:
    return name.encode("utf-16-le") in content
