"""Reads what programs export of people: calendars, contacts; chats of WhatsApp, Slack, Telegram, Messenger, ChatGPT and Claude."""

import json
import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.data.config import extract_data
from searchkit.ingest.extract.text import decode_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_PROPERTY = re.compile(r"(?:[\w-]+\.)?([\w-]+)((?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\;,nN])")
_PICTURES = frozenset(("PHOTO", "LOGO", "SOUND", "KEY"))
_MACHINES = frozenset(
    "BEGIN END VERSION PRODID UID DTSTAMP SEQUENCE CREATED REV CALSCALE METHOD TRANSP CLASS ACTION TRIGGER DURATION TZID".split()
)
_EVENTS = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
_OF_CALENDARS = frozenset(("X-WR-CALNAME", "X-WR-CALDESC", "NAME"))
_WHATSAPP = re.compile(
    r"[\u200e\u200f]*\[?(\d{1,4}[./-]\d{1,2}[./-]\d{1,4}),? "
    r"(\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[ \u202f\u00a0]?[AaPp]\.?\s?[Mm]\.?)?)\]?"
    r"(?: [-–])? ([^:\n]{1,80}): "
)
# Of the program, about the chat: no one says it.
_NOTICE = re.compile(
    r"[\u200e\u200f]*(?:\[[\d./-]{6,10},? [\d:.]{4,8}(?:[ \u202f\u00a0]?[AaPp]\.?\s?[Mm]\.?)?\] "
    r"|[\d./-]{6,10},? [\d:.]{4,8}(?:[ \u202f\u00a0]?[AaPp]\.?\s?[Mm]\.?)? [-–] )(?=\S)"
)
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CHATS_IN_JSON = (
    re.compile(r'"chat_messages"\s*:'),
    re.compile(r'"mapping"\s*:\s*\{.{0,3000}"message"\s*:', re.DOTALL),
    re.compile(r'"type"\s*:\s*"message".{0,3000}"ts"\s*:|"ts"\s*:.{0,3000}"type"\s*:\s*"message"', re.DOTALL),
    re.compile(r'"from_id"\s*:'),
    re.compile(r'"sender_name"\s*:.{0,3000}"timestamp_ms"\s*:', re.DOTALL),
)
_CHAT_LINES = 2  # that a text begins with
# What else a message of these programs has to read, besides its text; and what in it is about people and settings.
_WRITTEN = frozenset(
    "text title pretext fallback value name file_name caption question extracted_content first_name last_name forwarded_from"
    " initial_comment alt_text content command new_str label place_name address performer".split()
)
_SETTINGS = frozenset("user_profile author metadata edited reactions bot_profile sender style text_entities".split())
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a chat. `date`: ISO 8601, or as written, "" if unknown."""

    speaker: str
    text: str
    date: str = ""


def is_chat(beginning: str) -> bool:
    """True for the beginning of a text that is the export of a chat."""
    if beginning.lstrip()[:1] in ("[", "{") and any(pattern.search(beginning) for pattern in _CHATS_IN_JSON):
        return True
    lines = [line for line in beginning.split("\n")[:12] if line.strip()]
    return sum(_WHATSAPP.match(line) is not None for line in lines) >= min(_CHAT_LINES, max(1, len(lines)))


def extract_calendar(content: bytes) -> ExtractedDocument:
    """Read event by event (and tasks and journals), each under its summary; its place is its number and day."""
    text = decode_text(content)
    about = {name: value for name, _, value in _properties(text) if name in _OF_CALENDARS}
    title = about.get("X-WR-CALNAME") or about.get("NAME") or ""
    description = about.get("X-WR-CALDESC", "")
    return ExtractedDocument(title, tuple(_events(text)), {"description": description} if description else {})


def _events(text: str) -> Iterator[Block]:
    number, inside = 0, ""
    held: list[tuple[str, str, str]] = []
    for name, about, value in _properties(text):
        if name == "BEGIN" and value in _EVENTS:
            inside, held = value, []
        elif name == "END" and value == inside:
            number += 1
            yield from _entry(held, "SUMMARY", f"event {number}", "DTSTART")
            inside = ""
        elif inside:
            held.append((name, about, value))


def extract_contacts(content: bytes) -> ExtractedDocument:
    """Read card by card, each under its name; its place is its number."""
    return ExtractedDocument("", tuple(_contacts(decode_text(content))))


def _contacts(text: str) -> Iterator[Block]:
    number = 0
    held: list[tuple[str, str, str]] = []
    for name, about, value in _properties(text):
        if name == "BEGIN":
            held = []
        elif name == "END":
            number += 1
            yield from _entry(held, "FN", f"contact {number}", "")
        else:
            held.append((name, about, value))


def _entry(held: Sequence[tuple[str, str, str]], title: str, place: str, day: str) -> Iterator[Block]:
    """A heading, and the other properties as lines."""
    named = next((value for name, _, value in held if name == title and value), "")
    headings = (" ".join(named.split()),) if named else ()
    date = next((_moment(value)[:10] for name, _, value in held if name == day), "") if day else ""
    where = f"{place}, {date}" if date else place
    lines = [line for name, about, value in held if (line := _line(name, about, value)) and name != title]
    if headings:
        yield Block(headings[0], BlockKind.HEADING, headings, place=where)
    if lines:
        yield Block("\n".join(lines), BlockKind.TABLE, headings, place=where)


def _line(name: str, about: str, value: str) -> str:
    if name in _MACHINES or name in _PICTURES or not value.strip(" ;"):
        return ""
    if name.startswith("DT") or name in ("DUE", "COMPLETED", "BDAY", "RECURRENCE-ID", "EXDATE"):
        value = _moment(value)
    kinds = re.findall(r"(?:TYPE=|;)([A-Za-z,]+)(?=;|$)", about) if name in ("TEL", "EMAIL", "ADR", "URL") else []
    people = re.search(r"CN=\"?([^;\":]+)", about)
    value = re.sub(r"^mailto:", "", value, flags=re.IGNORECASE)
    words = (
        ", ".join(part.strip() for part in value.split(";") if part.strip()) if name in ("ADR", "N", "ORG") else value
    )
    label = name.removeprefix("X-").replace("-", " ").capitalize()
    kind = f" ({', '.join(kinds).lower()})" if kinds else ""
    return f"{label}{kind}: {f'{people[1]} <{words}>' if people else words}"


def _moment(value: str) -> str:
    """20250310T090000Z as 2025-03-10 09:00; what is no moment as it is."""
    found = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(?:\d\d)?(Z?).*)?", value.strip())
    if not found:
        return value
    time = f" {found[4]}:{found[5]}{' UTC' if found[6] else ''}" if found[4] else ""
    return f"{found[1]}-{found[2]}-{found[3]}{time}"


def _properties(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, parameters, value), unfolded and decoded."""
    joined = re.sub(r"\n[ \t]", "", text)
    lines = iter(joined.split("\n"))
    for line in lines:
        whole = line
        while "QUOTED-PRINTABLE" in whole.upper() and whole.endswith("=") and (more := next(lines, None)) is not None:
            whole = whole[:-1] + more
        if found := _PROPERTY.fullmatch(whole.strip()):
            name, about, value = found[1].upper(), found[2], found[3]
            if "QUOTED-PRINTABLE" in about.upper():
                value = _decoded(quopri.decodestring(value.encode("latin-1", "replace")))
            yield name, about, _ESCAPED.sub(lambda at: "\n" if at[1] in "nN" else at[1], value)


def _decoded(value: bytes) -> str:
    try:
        return decode_text(value)
    except UnreadableFileError:
        return value.decode("latin-1")


def extract_chat(content: bytes) -> ExtractedDocument:
    """Read conversations message by message, with speaker and date; the place is the message's number.

    Raises UnreadableFileError for JSON that is cut off.
    """
    text = decode_text(content).lstrip("\ufeff")
    if text.lstrip()[:1] in ("[", "{") and not _WHATSAPP.match(text):
        try:
            conversations = list(_of_json(json.loads(text)))
        except MemoryError:  # a tree of a large export takes many times its size; its text does not
            return extract_data(content)
        except (ValueError, RecursionError) as error:
            raise UnreadableFileError(f"damaged or incomplete export of a chat: {error}") from error
    else:
        conversations = [("", list(_of_whatsapp(text)))]
    title = conversations[0][0] if len(conversations) == 1 else ""
    return ExtractedDocument(title, tuple(_blocks(conversations)))


def _blocks(conversations: Sequence[tuple[str, Sequence[Message]]]) -> Iterator[Block]:
    for unit, (title, messages) in enumerate(conversations):
        headings = (title,) if title else ()
        if title:
            yield Block(title, BlockKind.HEADING, headings, unit=unit)
        for number, message in enumerate(messages, 1):
            who = ", ".join(part for part in (message.speaker, message.date) if part)
            if text := message.text.strip():
                yield Block(f"{who}: {text}" if who else text, headings=headings, place=f"message {number}", unit=unit)


def _of_whatsapp(text: str) -> Iterator[Message]:
    speaker, date, held = "", "", [""]
    for line in text.split("\n"):
        found = _WHATSAPP.match(line)
        if found:
            if any(held):
                yield Message(speaker, "\n".join(held), date)
            name = _DIRECTIONS.sub("", found[3]).strip()
            speaker, date, held = name, f"{found[1]} {found[2]}", [line[found.end() :]]
        elif notice := _NOTICE.match(line):
            if any(held):
                yield Message(speaker, "\n".join(held), date)
            speaker, date, held = "", _DIRECTIONS.sub("", notice.group()).strip(" [],-–"), [line[notice.end() :]]
        else:
            held.append(line)
    if any(held):
        yield Message(speaker, "\n".join(held), date)


def _of_json(value: Any) -> Iterator[tuple[str, list[Message]]]:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):  # Telegram, Messenger, or a thread of Slack
        if "participants" in value:
            value = _mended(value)
        yield (
            str(value.get("name") or value.get("title") or ""),
            [_message(each) for each in value["messages"] if isinstance(each, dict)],
        )
        return
    entries = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    if entries and not any(
        "chat_messages" in each or "mapping" in each for each in entries
    ):  # a day of a channel in Slack
        yield "", [_message(each) for each in entries]
        return
    for each in entries:
        title = str(each.get("title") or each.get("name") or "")
        if isinstance(each.get("chat_messages"), list):
            messages = [_message(one) for one in each["chat_messages"] if isinstance(one, dict)]
            yield title, [*messages, Message("", str(each.get("summary") or ""))]
        elif isinstance(each.get("mapping"), dict):
            nodes = [node.get("message") for node in each["mapping"].values() if isinstance(node, dict)]
            held = [node for node in nodes if isinstance(node, dict)]
            yield title, [_message(one) for one in sorted(held, key=lambda one: float(one.get("create_time") or 0))]


def _mended(value: Any) -> Any:
    """The texts of Messenger and Instagram, whose export writes each byte of UTF-8 as a character."""
    if isinstance(value, dict):
        return {key: _mended(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _message(value: Mapping[str, Any]) -> Message:
    """A message of any of these programs."""
    author, profile = value.get("author"), value.get("user_profile")
    names = [profile.get("real_name")] if isinstance(profile, dict) else []
    names += [author.get("name") or author.get("role")] if isinstance(author, dict) else [author]
    names += [value.get(key) for key in ("from", "sender", "sender_name", "username", "user", "actor")]
    milliseconds = value.get("timestamp_ms")
    if isinstance(milliseconds, int):
        value = {**value, "ts_ms": milliseconds / 1000}
    date = next((value[key] for key in ("ts_ms", "ts", "date", "created_at", "create_time") if value.get(key)), "")
    return Message(str(next((name for name in names if name), "")), _words(value), _date(date))


def _words(value: Mapping[str, Any]) -> str:
    content = value.get("content")
    held = content.get("parts") or content.get("text") if isinstance(content, dict) else value.get("text") or content
    lines = [_joined(held)]
    _add_written(value, lines)
    text = "\n".join(lines)
    for entity, letter in _ENTITIES.items() if "ts" in value else ():
        text = text.replace(entity, letter)
    return text


def _add_written(held: Any, lines: list[str]) -> None:
    """Add what files, forwarded messages, questions and blocks of a message say that none of its lines has."""
    if isinstance(held, list):
        for each in held:
            if not isinstance(each, str):
                _add_written(each, lines)
        return
    if not isinstance(held, dict):
        return
    for key, value in held.items():
        if isinstance(value, str):
            is_written = key in _WRITTEN and not (key == "name" and held.get("type") in ("tool_use", "tool_result"))
            if is_written and value.strip() and not any(value.strip() in line for line in lines):
                lines.append(value.strip())
        elif key not in _SETTINGS:
            _add_written(value, lines)


def _joined(held: Any) -> str:
    """A text, or the texts in a list of them and of records of texts."""
    if isinstance(held, list):
        return "".join(_joined(each) for each in held)
    if isinstance(held, dict):
        return _joined(held.get("text") or "")
    return held if isinstance(held, str) else ""


def _date(value: Any) -> str:
    """The moment to the minute; seconds since 1970 as a date."""
    try:
        return datetime.fromtimestamp(float(value), UTC).strftime("%Y-%m-%d %H:%M")
    except (TypeError, ValueError, OverflowError, OSError):
        return str(value).replace("T", " ")[:16]
