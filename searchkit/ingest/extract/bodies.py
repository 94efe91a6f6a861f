"""Reads the text of a mail out of its parts: which of them are its text, in which form, and how they are encoded.

Knows nothing of headers and attachments.
"""

import base64
import binascii
import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage, Message, MIMEPart
from functools import lru_cache
from itertools import groupby

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import charset
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.ingest.extract.quotes import CITED, CITED_END, UNCITED, levels_of_blocks, parts_of_text
from searchkit.ingest.extract.readers import leave_out
from searchkit.ingest.extract.text import paragraphs, without_encoded
from searchkit.types import QUOTED, Block


class _Headers(HeaderRegistry):
    """The headers that say what a part is are asked for again and again, and parsing them is most of the work on a mail."""

    @lru_cache(maxsize=1024)  # noqa: B019 (there is one, as long as the process lives)
    def __call__(self, name: str, value: str) -> BaseHeader:
        return super().__call__(name, value)


POLICY = email.policy.default.clone(header_factory=_Headers())
DEEPEST = 30  # parts in parts
# Kinds of text that are files all the same, and the endings of their names.
FILES_OF_TEXT = {"text/calendar": ".ics", "text/vcard": ".vcf", "text/x-vcard": ".vcf"}
_HTML = ("html", "x-amp-html")
_SETTINGS = ("css", "javascript")  # of HTML
_REPORT = "message/delivery-status"  # headers about each recipient, which the parser takes for messages
_CITATION = re.compile(r"<blockquote\b[^>]*>|<div\b[^>]*\byahoo_quoted[^>]*>", re.IGNORECASE)
_CITATION_END = re.compile(r"</blockquote\s*>", re.IGNORECASE)
_CITES = re.compile(r"cite|quote[ds\"'_ -]", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_PLACEHOLDER_WORDS = 80  # a plain part with fewer words that are not in the HTML is only a pointer to it
_SAYS_MORE = 2.0
_REPEATS = 0.5  # of the words of the longer part: then a part beside another one is its other form, and no continuation
_LESSER = "words that only the other form of a mail has, plain text or HTML"
_ENRICHED = re.compile(r"<(<)|<param>.*?</param>|</?[a-z][a-z0-9-]*>", re.IGNORECASE | re.DOTALL)
_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_OID_OF_DATA = bytes.fromhex("06092a864886f70d010701")  # before what is signed; behind it begins [0]
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_BOUNDARY = re.compile(r"^--([^\s].{0,200}?)[ \t]*\r?\nContent-", re.MULTILINE | re.IGNORECASE)
_BEGINS_AS_HTML = re.compile(r"\s*<(?:!doctype|html|body|div|p)\b", re.IGNORECASE)
_RUN = re.compile(r"(?:^[A-Za-z0-9+/]{60,76}\n){2,}(?:^[A-Za-z0-9+/]{1,76}={0,2}$)?", re.MULTILINE)
_CONTROL = re.compile("[\0-\x08\x0e-\x1f]")
_UUENCODED = re.compile(
    r"^begin [0-7]{3} ([^\r\n]{1,200})\r?\n((?:[!-`][ -`\t]{0,90}\r?\n){1,}?)(?:[ `]?\r?\n)?end[ \t]*\r?$", re.MULTILINE
)


def body(message: EmailMessage, heading: tuple[str, ...]) -> list[Block]:
    """Read what a mail says: of plain text and HTML the form that says more, then what continues it after a picture or file."""
    return _said(message, heading, 0)


def text_parts(message: EmailMessage) -> list[MIMEPart]:
    """The parts that are the text of a mail, in all their forms; all others are files."""
    return list(_texts(message, 0))


def uuencoded_files(message: EmailMessage) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files that lie in the text itself, as in mails before MIME."""
    for part in text_parts(message):
        if part.get_content_subtype() != "html":
            for found in _UUENCODED.finditer(_decoded(part)):
                try:
                    lines = found[2].split("\n")
                    yield (
                        found[1].strip(),
                        b"".join(binascii.a2b_uu(line.rstrip("\r")) for line in lines if line.strip()),
                    )
                except binascii.Error:
                    continue


def mend_parts(message: EmailMessage) -> None:
    """Divide what claims to have parts and has none: by the boundary that does come, not the one announced; else it is one text.
    Open what is only signed (S/MIME).
    """
    for part in message.walk():
        if part.get_content_type() in _SEALED:
            _open_signed(part)
        if part.get_content_maintype() != "multipart" or part.is_multipart() or not isinstance(part, MIMEPart):
            continue
        text = _decoded(part)
        if found := _BOUNDARY.search(text):
            head = f'Content-Type: multipart/mixed; boundary="{found[1]}"\n\n'
            parsed = email.message_from_string(head + text, policy=POLICY)
            if parsed.is_multipart():
                part.set_payload(parsed.get_payload())
                continue
        del part["Content-Type"]
        part["Content-Type"] = "text/html" if _BEGINS_AS_HTML.match(text) else "text/plain"


def _open_signed(part: Message) -> None:
    """Put what has been signed in place of the signature that contains it; what is encrypted stays as it is."""
    content = part.get_payload(decode=True)
    signed = _signed(content) if isinstance(content, bytes) else None
    if signed is None:
        return
    inner = email.message_from_bytes(signed, policy=POLICY)
    for name in [name for name in part.keys() if name.lower().startswith("content-")]:  # noqa: SIM118
        del part[name]
    for name, value in inner.items():
        if name.lower().startswith("content-"):
            part[name] = value
    part.set_payload(inner.get_payload())


def _signed(content: bytes) -> bytes | None:
    """What is in a CMS structure (RFC 5652) that only signs; None if it is not in it, or encrypted."""
    at = content.find(_OID_OF_DATA) + len(_OID_OF_DATA)
    try:
        if at < len(_OID_OF_DATA) or content[at] != 0xA0:
            return None
        at, _ = _begin_of(content, at)
        kind = content[at]
        at, length = _begin_of(content, at)
        if kind == 0x04:
            return content[at : at + length]
        pieces = []
        while kind == 0x24 and content[at] == 0x04:  # in pieces: the writer did not know the length in advance
            at, length = _begin_of(content, at)
            pieces.append(content[at : at + length])
            at += length
        return b"".join(pieces) or None
    except IndexError:
        return None


def _begin_of(content: bytes, at: int) -> tuple[int, int]:
    """Where the content of an element of ASN.1 begins, and its length, 0 if that is not said."""
    first = content[at + 1]
    more = first & 0x7F if first & 0x80 else 0
    length = int.from_bytes(content[at + 2 : at + 2 + more], "big") if more else first & 0x7F
    return at + 2 + more, length


def _is_text(part: MIMEPart) -> bool:
    if part.is_attachment():
        return False
    kind = part.get_content_type()
    is_written = part.get_content_maintype() == "text" and part.get_content_subtype() not in _SETTINGS
    return kind == _REPORT or (is_written and kind not in FILES_OF_TEXT)


def _continues(part: MIMEPart) -> bool:
    """True unless a text behind others is a file of its own."""
    return not part.get_filename()


def _shown(part: MIMEPart) -> list[MIMEPart]:
    """The parts directly in a part that are, or have, text of the mail. Those behind the first must have no name."""
    inner = [each for each in part.iter_parts() if isinstance(each, MIMEPart)]
    if part.get_content_subtype() == "related":  # a page, and what it shows
        start = part.get_param("start")
        page = [each for each in inner if start and each["Content-ID"] == start][:1] or inner[:1]
        return page + [
            each
            for each in inner
            if each not in page and _is_text(each) and not each["Content-ID"] and _continues(each)
        ]
    if part.get_content_subtype() == "alternative":
        inner.sort(key=lambda each: each.get_content_subtype() == "x-amp-html")
    named = [each for each in inner if each.get_content_maintype() == "multipart" or _is_text(each)]
    return [each for number, each in enumerate(named) if number == 0 or _continues(each)]


def _texts(part: MIMEPart, depth: int) -> Iterator[MIMEPart]:
    if part.get_content_maintype() != "multipart":
        if _is_text(part):
            yield part
    elif depth <= DEEPEST:
        for inner in _shown(part):
            yield from _texts(inner, depth + 1)


def _said(part: MIMEPart, heading: tuple[str, ...], depth: int) -> list[Block]:
    if part.get_content_maintype() != "multipart":
        return _text_blocks(part, heading) if _is_text(part) else []
    if depth > DEEPEST:
        return []
    said: list[Block] = []
    forms: set[bool] = set()
    for inner in _shown(part):
        more, form = _said(inner, heading, depth + 1), inner.get_content_type() == "text/plain"
        is_other_form = part.get_content_subtype() == "alternative" or (
            forms == {not form} and _is_repeated(said, more)
        )
        if is_other_form:
            said = _saying_more(said, more)
        else:
            said = _after(said, more) if any(block.unit for block in (*said, *more)) else [*said, *more]
        forms.add(form)
    return said


def _is_repeated(said: list[Block], more: list[Block]) -> bool:
    """True if what stands beside a text says the same: some programs send both forms without a word that they are."""
    words, others = _words(said), _words(more)
    return len(words & others) > _REPEATS * max(len(words), len(others))


def _saying_more(plain: list[Block], marked_up: list[Block]) -> list[Block]:
    """The plain text, if it says about what the HTML says; else the HTML, after a plain text that is more than a pointer to it."""
    words, others = _words(plain), _words(marked_up)
    only_there = len(others - words)
    if only_there <= max(len(words & others), (_SAYS_MORE - 1) * len(words)):
        leave_out(_LESSER, int(bool(plain) and only_there > 0))
        return plain or marked_up
    if len(words - others) < _PLACEHOLDER_WORDS:
        leave_out(_LESSER, int(bool(words - others)))
        return marked_up
    return _after(plain, marked_up)


def _after(blocks: list[Block], more: Sequence[Block]) -> list[Block]:
    """Add blocks, in units of their own."""
    unit = 1 + max((block.unit for block in blocks), default=-1)
    return [*blocks, *(replace(block, unit=unit + block.unit) for block in more)]


def _words(blocks: Sequence[Block]) -> set[str]:
    return {word.lower() for block in blocks for word in _WORD.findall(block.text)}


def _text_blocks(part: MIMEPart, heading: tuple[str, ...]) -> list[Block]:
    """The blocks of a body: the sender's own in unit 0, what the sender quotes in units of their own."""
    text = text_of(part)
    if part.get_content_subtype() in _HTML:
        marked = _CITATION_END.sub(f"<p>{CITED_END}</p>", _CITATION.sub(_citation, text))
        found = levels_of_blocks(extract_html(marked.encode("utf-8", "replace")).blocks)
        levels = [
            (level, Block(block.text, block.kind, heading + block.headings, columns=block.columns))
            for level, block in found
        ]
    else:
        parts = parts_of_text(_plain_text(part, text))
        levels = [
            (each.level, Block(block.text, block.kind, heading)) for each in parts for block in paragraphs(each.text)
        ]
    blocks = []
    begins_with_quotation = bool(levels) and levels[0][0] > 0
    for unit, (level, group) in enumerate(groupby(levels, key=lambda pair: pair[0]), int(begins_with_quotation)):
        place = QUOTED if level else ""
        blocks += [replace(block, place=place, unit=unit) for _, block in group]
    return blocks


def _citation(found: re.Match[str]) -> str:
    """A mark in place of a blockquote: one that cites, or one that may only be indented."""
    return f"<p>{CITED if _CITES.search(found.group()) else UNCITED}</p>"


def _plain_text(part: MIMEPart, text: str) -> str:
    """A text that is not HTML, without what only its encoding has put in it."""
    text = text.replace("\r\n", "\n")
    if part.get_content_subtype() in ("enriched", "richtext"):
        return _ENRICHED.sub(lambda found: found[1] or "", text)
    if str(part.get_param("delsp", "")).lower() == "yes":  # RFC 3676: a blank at a line's end is the break's own
        text = re.sub(r"(?<!\n--)(?<!^--) \n(?:>+ ?)?", "", text)
    text = _UUENCODED.sub(lambda found: found[1], text)
    return without_encoded(_decode_runs(text)) if _RUN.search(text) else text


def _decode_runs(text: str) -> str:
    """Read base64 that no header announces, where it is a text."""

    def decoded(found: re.Match[str]) -> str:
        letters = "".join(found.group().split())
        try:
            inner = base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8")
        except (ValueError, binascii.Error):
            return found.group()
        return found.group() if _CONTROL.search(inner) else inner

    return _RUN.sub(decoded, text)


def text_of(part: MIMEPart) -> str:
    """The text of a part, whatever its headers claim of its encoding."""
    if part.get_content_type() == _REPORT:
        payload = part.get_payload()
        return "\n".join(str(each).strip() for each in payload) if isinstance(payload, list) else str(payload)
    return _decoded(part)


def _decoded(part: MIMEPart) -> str:
    """Decode by the declared encoding if it fits, else by the bytes."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        content = _undecoded(part) or content
    declared = str(part.get_content_charset() or "")
    if declared and (text := charset.decode_as(content, declared)):
        return text
    try:
        return charset.decode(content)
    except UnreadableFileError:
        return content.decode("utf-8", "replace")


def _undecoded(part: MIMEPart) -> bytes | None:
    """The text itself, if most of its lines are not in the base64 that its headers claim."""
    payload = part.get_payload()
    written = payload if isinstance(payload, str) else ""
    lines = written[:4096].split("\n")
    writing = sum(_NO_BASE64.search(line.strip()) is not None for line in lines)
    is_written = 2 * writing > sum(bool(line.strip()) for line in lines)
    return written.encode("utf-8", "surrogateescape") if is_written else None
