"""Reads mail, one message or a mailbox: subject as title, then sender, date and recipients, then the text."""

import email
import email.policy
import email.utils
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.message import EmailMessage, MIMEPart

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import charset
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.ingest.extract.text import paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_DEEPEST = 8  # messages in messages
_FROM = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n")
_HEADER = re.compile(rb"(?:>?From [^\n]*\n)?[!-9;-~]+:[ \t]?[^\n]*\n")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


def extract_mail(content: bytes) -> ExtractedDocument:
    """Read the plain text, else the HTML; attachments are listed by name, and only attached messages are read."""
    message = _parsed(content)
    subject = _subject(message)
    blocks = tuple(_message(message, (subject,) if subject else (), 0))
    return ExtractedDocument(subject, blocks, _metadata(message))


def extract_mailbox(content: bytes) -> ExtractedDocument:
    """Read message by message, each under its subject; its place is its number and date."""
    begin = content.lstrip(b"\xef\xbb\xbf\r\n")
    if not begin.startswith(b"From "):
        raise UnreadableFileError("not a mailbox: it does not begin with a message")
    return ExtractedDocument("", _mailbox(begin))


def _mailbox(content: bytes) -> Iterator[Block]:
    for number, source in enumerate(_messages(content), 1):
        try:
            message = _parsed(source)
            subject, date = _subject(message), _date(message)
            blocks = list(_message(message, (subject,) if subject else (), 0))
        except UnreadableFileError:  # not a message, but text between messages
            subject, date = "", ""
            blocks = paragraphs(charset.decode(source).replace("\r\n", "\n"))
        place = f"message {number}" + (f", {date[:10]}" if date else "")
        if subject:
            yield Block(subject, BlockKind.HEADING, (subject,), place=place)
        yield from (replace(block, line=None, line_end=None, place=place) for block in blocks)


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
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise UnreadableFileError("not a mail message: it has no headers")
    return message


def _metadata(message: EmailMessage) -> dict[str, str]:
    about = {"author": _header(message, "From"), "date": _date(message), "subject": _subject(message)}
    return {name: value for name, value in about.items() if value}


def _header(message: EmailMessage, name: str) -> str:
    """A header, decoded, or as written if it is malformed; characters without a declared encoding are guessed."""
    try:
        value = str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
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


def _message(message: EmailMessage, heading: tuple[str, ...], depth: int) -> Iterator[Block]:
    """Read headers, text, and attached messages."""
    headers = [f"{name}: {value}" for name in _SHOWN if (value := _header(message, name))]
    attachments = list(message.iter_attachments()) if message.get_content_maintype() == "multipart" else []
    headers += [f"Attachment: {name}" for part in attachments if (name := part.get_filename())]
    if headers:
        yield Block("\n".join(headers), BlockKind.TABLE, heading)
    yield from _body(message, attachments, heading)
    if depth < _DEEPEST:
        for inner in _inner(message, attachments):
            subject = _subject(inner)
            yield from _message(inner, (*heading, subject) if subject else heading, depth + 1)


def _inner(message: EmailMessage, attachments: Sequence[MIMEPart]) -> Iterator[EmailMessage]:
    """The messages that were forwarded whole, also those of a digest."""
    for part in [message, *attachments]:
        if part.get_content_type() == "message/rfc822":
            found = part.get_payload()
            yield from (
                inner for inner in (found if isinstance(found, list) else []) if isinstance(inner, EmailMessage)
            )


def _body(message: EmailMessage, attachments: Sequence[MIMEPart], heading: tuple[str, ...]) -> list[Block]:
    """The first kind of body with any text, then the text that continues after an inline picture."""
    found: list[Block] = []
    for kind in ("plain", "html"):
        part = message.get_body(preferencelist=(kind,))
        if part is not None and not found:
            found = _text_blocks(part, heading)
    for part in attachments:
        if part.get_content_maintype() == "text" and not part.is_attachment() and not part.get_filename():
            found += _text_blocks(part, heading)
    return found


def _text_blocks(part: MIMEPart, heading: tuple[str, ...]) -> list[Block]:
    text = _text(part)
    if part.get_content_subtype() == "html":
        blocks = extract_html(text.encode("utf-8", "replace")).blocks
        return [Block(block.text, block.kind, heading + block.headings) for block in blocks]
    return [Block(block.text, block.kind, heading) for block in paragraphs(text.replace("\r\n", "\n"))]


def _text(part: MIMEPart) -> str:
    """Decode by the declared encoding if it fits, else by the bytes."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    declared = str(part.get_content_charset() or "")
    if declared and (text := charset.decode_as(content, declared)):
        return text
    try:
        return charset.decode(content)
    except UnreadableFileError:
        return content.decode("utf-8", "replace")
