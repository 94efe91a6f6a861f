"""A mail message: subject as title, then who wrote when to whom, then the text."""

import email
import email.policy
from email.message import EmailMessage, MIMEPart

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.html import extract_html
from searchkit.ingest.extract.text import paragraphs
from searchkit.types import Block, BlockKind, ExtractedDocument

_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def extract_mail(content: bytes) -> ExtractedDocument:
    """The plain text, else the HTML; names of attachments are listed, their content is not read."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise UnreadableFileError("not a mail message: it has no headers")
    subject = " ".join(str(message["Subject"] or "").split())
    headers = [f"{name}: {' '.join(str(message[name]).split())}" for name in _SHOWN if message[name]]
    headers += [f"Attachment: {part.get_filename()}" for part in message.iter_attachments() if part.get_filename()]
    heading = (subject,) if subject else ()
    blocks = [Block("\n".join(headers), BlockKind.TABLE, heading)] if headers else []
    return ExtractedDocument(subject, (*blocks, *_body(message, heading)))


def _body(message: EmailMessage, heading: tuple[str, ...]) -> list[Block]:
    """The first kind of body that says anything, then what text goes on behind an inline picture."""
    found: list[Block] = []
    for kind in ("plain", "html"):
        part = message.get_body(preferencelist=(kind,))
        if part is not None and not found:
            found = _text_blocks(part, heading)
    for part in message.iter_attachments():
        if part.get_content_maintype() == "text" and not part.is_attachment() and not part.get_filename():
            found += _text_blocks(part, heading)
    return found


def _text_blocks(part: MIMEPart, heading: tuple[str, ...]) -> list[Block]:
    try:
        text = str(part.get_content())
    except LookupError:  # a character set that no one knows
        text = bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")
    if part.get_content_subtype() == "html":
        blocks = extract_html(text.encode("utf-8", "replace")).blocks
        return [Block(block.text, block.kind, heading + block.headings) for block in blocks]
    return [Block(block.text, block.kind, heading) for block in paragraphs(text.replace("\r\n", "\n"))]
