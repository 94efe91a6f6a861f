"""Reads mail, one message or a mailbox: subject as title, then sender, date and recipients, then the text; and saved web pages."""

import base64
import email
import email.utils
import plistlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage, MIMEPart

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import bodies, charset
from searchkit.ingest.extract.bodies import FILES_OF_TEXT
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_SHOWN = ("From", "To", "Cc", "Bcc", "Date", "Subject")  # the catalog reads them again, see catalog/messages.py
_ENDINGS = FILES_OF_TEXT | {"application/pdf": ".pdf"}  # without a name
_FROM = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n")
_HEADER = re.compile(rb"(?:>?From [^\n]*\n)?[!-9;-~]+:[ \t]?[^\n]*\n")
_MAY_HAVE_FILES = re.compile(
    rb"\nbegin [0-7]{3} |content-disposition:\s*attachment|name\s*\*?\d*\*?="
    rb"|content-type:\s*(?:application|message|image|audio|video|text/(?:calendar|x?-?vcard))",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_COUNTED = re.compile(
    rb"\s*(\d{1,10})[ ]*\r?\n(?=[!-9;-~]+:)"
)  # .emlx: the length of the mail, and after it Apple's own marks
_EMLX_FLAGS = re.compile(rb"<key>flags</key>\s*<integer>(\d+)</integer>")


def extract_mail(content: bytes) -> ExtractedDocument:
    """Read the part that says more, the plain text or the HTML; attachments are listed by name (`attachments` has them).

    Raises UnreadableFileError for a deleted mail.
    """
    message = _parsed(_without_count(_in_bytes(content)))
    if _is_deleted(message):
        raise _deleted()
    subject = _subject(message)
    blocks = tuple(_message(message, (subject,) if subject else ()))
    return ExtractedDocument(subject, blocks, _metadata(message))


def extract_mailbox(content: bytes) -> ExtractedDocument:
    """Read message by message, each under its subject; its place is its number and date. Deleted ones are skipped."""
    return ExtractedDocument("", _mailbox(_begin_of(content)))


def extract_saved_page(content: bytes) -> ExtractedDocument:
    """Read a web page that was saved in one file (.mhtml, Safari's .webarchive) out of its envelope: its HTML, and its frames'."""
    if content.startswith(b"bplist00"):
        pages = list(_archived(content))
        return _page(
            [extract_html(text, address) for text, address in pages], "", {"url": pages[0][1] if pages else ""}
        )
    message = _parsed(_in_bytes(content))
    parts = [part for part in message.walk() if part.get_content_type() in ("text/html", "application/xhtml+xml")]
    address = _header(message, "Snapshot-Content-Location") or _header(message, "Content-Location")
    texts = [bodies.text_of(part).encode("utf-8", "replace") for part in parts if isinstance(part, EmailMessage)]
    read = [extract_html(text, address) for text in texts]
    if not read:
        return extract_mail(content)
    return _page(read, _subject(message), {"date": _date(message), "url": address})


def _archived(content: bytes) -> Iterator[tuple[bytes, str]]:
    """The pages of a web archive and their addresses: the main one, then those in its frames."""
    try:
        archive = plistlib.loads(content, fmt=plistlib.FMT_BINARY)
    except (plistlib.InvalidFileException, ValueError, OverflowError, RecursionError, IndexError, TypeError) as error:
        raise UnreadableFileError("damaged or incomplete web archive", remedy="save the page again") from error
    held = [archive]
    while held:
        each = held.pop()
        resource = each.get("WebMainResource", {}) if isinstance(each, dict) else {}
        held += reversed(each.get("WebSubframeArchives", [])) if isinstance(each, dict) else []
        data = resource.get("WebResourceData", b"")
        if isinstance(data, bytes) and "html" in str(resource.get("WebResourceMIMEType", "html")):
            text = charset.decode_as(data, str(resource.get("WebResourceTextEncodingName") or "utf-8"))
            yield (text.encode("utf-8", "replace") if text else data), str(resource.get("WebResourceURL", ""))


def _page(read: list[ExtractedDocument], subject: str, about: dict[str, str]) -> ExtractedDocument:
    title = (read[0].title if read else "") or subject
    about["subject"] = "" if subject == title else subject
    blocks = [replace(block, line=None, line_end=None) for page in read for block in page.blocks]
    named = [Block(title, BlockKind.HEADING, (title,))] if title and not blocks else []
    about |= {name: value for name, value in (read[0].metadata if read else {}).items() if not about.get(name)}
    return ExtractedDocument(title, named or blocks, {name: value for name, value in about.items() if value})


def _in_bytes(content: bytes) -> bytes:
    """The mail as it was sent: some programs save it in UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in content[:64] and b"\n" in content[:4096]):
        try:
            return charset.decode(content).encode("utf-8")
        except UnreadableFileError:
            return content
    return content.removeprefix(b"\xef\xbb\xbf")


def _without_count(content: bytes) -> bytes:
    """The mail of an .emlx. Raises UnreadableFileError if Apple's marks behind it say that it was deleted."""
    counted = _COUNTED.match(content)
    if counted is None:
        return content
    end = counted.end() + int(counted[1])
    marks = _EMLX_FLAGS.search(content, end)
    if marks and int(marks[1]) & 2:
        raise _deleted()
    return content[counted.end() : end]


def _deleted() -> UnreadableFileError:
    return UnreadableFileError(
        "a mail that was deleted and waits for its folder to be compacted",
        remedy="Nothing to do, unless it should be there.",
    )


def _is_deleted(message: EmailMessage) -> bool:
    """True if a program has marked the mail: Mozilla's flags 0008 and (second word) 00200000, or D among the status letters."""
    for name, flag in (("X-Mozilla-Status", 0x8), ("X-Mozilla-Status2", 0x200000)):
        try:
            if int(_header(message, name) or "0", 16) & flag:
                return True
        except ValueError:
            continue
    return any(
        "D" in _header(message, name).split(" ")[0]
        for name in ("Status", "X-Status")
        if _is_flags(_header(message, name))
    )


def _is_flags(status: str) -> bool:
    """True for the letters of a mail program, and not for words such as Delivered."""
    return 0 < len(status) <= 6 and status.isupper()


def _begin_of(mailbox: bytes) -> bytes:
    begin = _in_bytes(mailbox).lstrip(b"\xef\xbb\xbf\r\n")
    if not begin.startswith(b"From "):
        raise UnreadableFileError("not a mailbox: it does not begin with a message")
    return begin


def _place_in_mailbox(number: int, date: str) -> str:
    return f"message {number}" + (f", {date[:10]}" if date else "")


def _mailbox(content: bytes) -> Iterator[Block]:
    unit = 0
    for number, source in enumerate(_messages(content), 1):
        try:
            message = _parsed(source)
            if _is_deleted(message):
                leave_out("deleted mails")
                continue
            subject, date = _subject(message), _date(message)
            blocks = list(_message(message, (subject,) if subject else ()))
        except UnreadableFileError:  # not a message, but text between messages
            subject, date = "", ""
            blocks = paragraphs(charset.decode(source).replace("\r\n", "\n"))
        place = _place_in_mailbox(number, date)
        unit += 1
        if subject:
            yield Block(subject, BlockKind.HEADING, (subject,), place=place, unit=unit)
        for block in blocks:
            within = ", ".join(part for part in (place, block.place) if part)
            yield replace(block, line=None, line_end=None, place=within, unit=unit + block.unit)
        unit += max((block.unit for block in blocks), default=0)


def _messages(content: bytes) -> Iterator[bytes]:
    """Split a mailbox at the lines that begin messages; such a line in a text is escaped, or no header follows."""
    start = -1
    for found in _FROM.finditer(content):
        if start >= 0 and not _HEADER.match(content, found.end()):
            continue
        if start >= 0:
            yield _ESCAPED.sub(rb"\1", content[start : found.start()])
        start = found.end()
    yield _ESCAPED.sub(rb"\1", content[start:])


def _parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=bodies.POLICY)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise UnreadableFileError("not a mail message: it has no headers")
    bodies.mend_parts(message)
    return message


def _metadata(message: EmailMessage) -> dict[str, str]:
    about = {"author": _header(message, "From"), "date": _date(message), "subject": _subject(message)}
    return {name: value for name, value in about.items() if value}


def _header(message: EmailMessage, name: str) -> str:
    """A header, decoded, or as written if it is malformed; characters without a declared encoding are guessed."""
    try:
        value = str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError, OverflowError):
        value = next((str(raw) for known, raw in message.raw_items() if known.lower() == name.lower()), "")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        value = charset.decode(value.encode("utf-8", "surrogateescape"))
    if "\ufffd" in value:
        raw = next((str(raw) for known, raw in message.raw_items() if known.lower() == name.lower()), value)
        value = charset.decode(raw.encode("utf-8", "surrogateescape"))
    return " ".join(value.split())


def _subject(message: EmailMessage) -> str:
    return _header(message, "Subject")


def _date(message: EmailMessage) -> str:
    """The date in ISO 8601, "" if the header has none."""
    try:
        return email.utils.parsedate_to_datetime(_header(message, "Date")).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _message(message: EmailMessage, heading: tuple[str, ...]) -> Iterator[Block]:
    """Read headers and text; quotations are units of their own."""
    headers = [f"{name}: {value}" for name in _SHOWN if (value := _header(message, name))]
    headers += [
        f"Attachment: {_file_name(part, number)}"
        for number, part in enumerate(_attached(message), 1)
        if not _is_shown(part)
    ]
    if headers:
        yield Block("\n".join(headers), BlockKind.TABLE, heading)
    yield from bodies.body(message, heading)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a mail has with it. `place`: of the mail in its mailbox, with a comma, "" for a mail of its own."""

    name: str
    content: bytes
    place: str


def attachments(format_name: str, content: bytes) -> Iterator[Attachment]:
    """Yield the files attached to a mail, or to those of a mailbox that are not deleted; attached mails are files too."""
    if format_name == "mail":
        if not _MAY_HAVE_FILES.search(content) and b"\0" not in content[:64]:
            return
        yield from _attachments_of(_parsed(_without_count(_in_bytes(content))), "")
        return
    for number, source in enumerate(_messages(_begin_of(content)), 1):
        if not _MAY_HAVE_FILES.search(source):  # most have none, and are parsed once only
            continue
        try:
            message = _parsed(source)
        except UnreadableFileError:
            continue
        if not _is_deleted(message):
            yield from _attachments_of(message, f"{_place_in_mailbox(number, _date(message))}, ")


def _attachments_of(message: EmailMessage, place: str) -> Iterator[Attachment]:
    for number, part in enumerate(_attached(message), 1):
        name = _file_name(part, number)
        if part.get_content_type() == "message/rfc822":
            inner = _first_message(part)
            if content := inner.as_bytes() if inner else _encoded_message(part):
                yield Attachment(name, content, place)
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield Attachment(name, payload, place)
    for name, payload in bodies.uuencoded_files(message):
        yield Attachment(name, payload, place)


def _file_name(part: MIMEPart, number: int) -> str:
    """The name of an attachment, one made for it if it has none."""
    if name := _name_of(part):
        return name
    if part.get_content_type() == "message/rfc822":
        inner = _first_message(part)
        return f"{(_subject(inner) if inner else '') or f'mail {number}'}.eml"
    return f"part {number}{_ENDINGS.get(part.get_content_type(), '')}"


def _attached(message: EmailMessage) -> list[MIMEPart]:
    """The parts that are files: all but the text of the mail itself, and what only holds parts."""
    if message.get_content_type() == "message/rfc822":
        return [message]
    if message.get_content_maintype() != "multipart":
        return [message] if _is_file(message) else []
    texts = {id(part) for part in bodies.text_parts(message)}
    return [part for part in _leaves(message, 0) if id(part) not in texts and _is_file(part)]


def _leaves(part: MIMEPart, depth: int) -> Iterator[MIMEPart]:
    if part.get_content_maintype() != "multipart" or depth > bodies.DEEPEST:
        yield part
        return
    for inner in part.iter_parts():
        if isinstance(inner, MIMEPart):
            yield from _leaves(inner, depth + 1)


def _is_shown(part: MIMEPart) -> bool:
    """True for a picture inside the text of the mail."""
    return part.get_content_maintype() == "image" and part["Content-ID"] is not None and not part.is_attachment()


def _is_file(part: MIMEPart) -> bool:
    """True unless a part continues the text of the mail."""
    return (
        part.get_content_maintype() != "text"
        or part.is_attachment()
        or bool(part.get_filename())
        or part.get_content_type() in _ENDINGS
    )


def _name_of(part: MIMEPart) -> str:
    return " ".join((part.get_filename() or "").replace("/", " ").replace("\\", " ").split())


def _encoded_message(part: MIMEPart) -> bytes:
    """A mail that was sent as a file, in base64, which no mail may be but some are; b"" if it is not."""
    found = part.get_payload()
    text = found[0].get_payload() if isinstance(found, list) and found and isinstance(found[0], EmailMessage) else ""
    try:
        return base64.b64decode("".join(text.split()), validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _first_message(part: MIMEPart) -> EmailMessage | None:
    """The mail that was sent as a file."""
    found = part.get_payload()
    inner = found[0] if isinstance(found, list) and found else None
    return inner if isinstance(inner, EmailMessage) and inner.keys() else None
